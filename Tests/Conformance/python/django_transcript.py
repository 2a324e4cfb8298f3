# SPDX-License-Identifier: Apache-2.0
"""Django's ORM: migrations, transactions, savepoints, server-side cursors, aggregates."""

import datetime
import threading

import django
from django.conf import settings
from django.db import connection, connections, models, transaction
from django.db.utils import DatabaseError
from transcript import DATABASE, HOST, PASSWORD, PORT, TEXT, USER, fails, say

ADDRESS = {"ENGINE": "django.db.backends.postgresql", "HOST": HOST, "PORT": PORT, "USER": USER,
           "PASSWORD": PASSWORD, "NAME": DATABASE}
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={
        "default": ADDRESS,
        "readers": {**ADDRESS, "OPTIONS": {"options": "-c default_transaction_read_only=on"}},
        "bound": {**ADDRESS, "OPTIONS": {"server_side_binding": True, "isolation_level": 2}},
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, TIME_ZONE="Europe/Berlin")
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402


class Note(models.Model):
    """Of all kinds of fields."""

    text = models.TextField(unique=True)
    number = models.IntegerField(null=True)
    data = models.JSONField(default=dict)
    blob = models.BinaryField(default=b"")
    at = models.DateTimeField(null=True)
    price = models.DecimalField(max_digits=12, decimal_places=3, null=True)

    class Meta:
        app_label = "notes"


def migrations():
    call_command("migrate", verbosity=0)
    say(connection.introspection.table_names())
    with connection.schema_editor() as editor:
        editor.create_model(Note)
    field = models.CharField(max_length=5, default="x")
    field.set_attributes_from_name("extra")
    list(Note.objects.raw("SELECT * FROM notes_note"))
    with connection.schema_editor() as editor:
        editor.add_field(Note, field)
    list(Note.objects.raw("SELECT * FROM notes_note"))
    with connection.schema_editor() as editor:
        editor.remove_field(Note, field)
    say([c.name for c in connection.introspection.get_table_description(
        connection.cursor(), "notes_note")])


def queries(using):
    notes = Note.objects.using(using)
    at = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    notes.bulk_create([
        Note(text=f"{using} {n}", number=n, data={"n": [n]}, blob=bytes(n), at=at, price=n)
        for n in range(250)])
    say(notes.filter(number__lt=5).order_by("number").values_list("text", "data", "at", "price"))
    say(notes.aggregate(models.Sum("price"), models.Max("at"), models.Count("id")))
    say(notes.filter(data__n__contains=[7]).update(number=models.F("number") + 1000))
    say(sorted(note.number for note in notes.filter(number__gt=1000)))
    say(sum(len(note.blob) for note in notes.iterator(chunk_size=17)))
    say(notes.get_or_create(text=f"{using} 3")[1], notes.update_or_create(
        text=f"{using} new", defaults={"number": 5})[1])
    say(notes.filter(text__startswith=using, number__in=range(100)).delete())
    with fails(DatabaseError):
        notes.create(text=f"{using} new")
    note = notes.create(text=TEXT + using)
    note.refresh_from_db()
    say(repr(note.text))


def transactions():
    with transaction.atomic():
        Group.objects.create(name="outer")
        with fails(DatabaseError), transaction.atomic():
            Group.objects.create(name="outer")
        with fails(ZeroDivisionError), transaction.atomic():
            Group.objects.create(name="inner")
            say(1 / 0)
        say(list(Group.objects.values_list("name", flat=True)))
        transaction.on_commit(lambda: say("committed"))
    with fails(ZeroDivisionError), transaction.atomic():
        Group.objects.create(name="lost")
        say(1 / 0)
    with transaction.atomic():
        say(Group.objects.select_for_update().get(name="outer").name)
    user = User.objects.create_user("user", password="secret")
    user.groups.add(Group.objects.get(name="outer"))
    say(User.objects.prefetch_related("groups").get().groups.count(), user.has_perm("x.y"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s, %s", [1, "two"])
        say(cursor.fetchone())


def read_only():
    with connections["readers"].cursor() as cursor:
        cursor.execute("SELECT '@replica ' || inet_server_port()")
        say(*cursor.fetchone())
    with transaction.atomic(using="readers"):
        say(Group.objects.using("readers").filter(name="nothing").count())
        with fails(DatabaseError):
            Group.objects.using("readers").create(name="refused")


def threads():
    found = []

    def work(number):
        with transaction.atomic():
            Group.objects.create(name=f"thread {number}")
        found.append(Group.objects.filter(name=f"thread {number}").count())
        connections.close_all()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    say(found)


for name, part in [
    ("migrations", migrations), ("queries", lambda: queries("default")),
    ("bound", lambda: queries("bound")), ("transactions", transactions),
    ("read only", read_only), ("threads", threads),
]:
    say("==", name)
    part()
say("end")
