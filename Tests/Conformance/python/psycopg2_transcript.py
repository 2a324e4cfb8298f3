# SPDX-License-Identifier: Apache-2.0
"""psycopg2: simple queries only, named cursors, COPY, large objects, two-phase commit."""

import io
import select
import threading

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from transcript import TABLES, TEXT, fails, say


def connect(**options):
    return psycopg2.connect("", **options)


def show(cursor, text, values=None):
    cursor.execute(text, values)
    say(cursor.statusmessage, cursor.fetchall() if cursor.description else None)


def read_only():
    with connect() as c, c.cursor() as u:
        c.set_session(readonly=True, isolation_level="REPEATABLE READ")
        u.execute("SELECT inet_server_port()")
        say("@replica", u.fetchone()[0])
        with fails(psycopg2.Error):
            u.execute("INSERT INTO refused VALUES ('x')")
        c.rollback()


def values(c, u):
    show(u, "SELECT %s, %s, %s, %s, %s", (5, TEXT, [1, None], True, None))
    show(u, "SELECT %s::bytea = %s::bytea", (psycopg2.Binary(b"\x00\xff'"),) * 2)
    rows = [(f"many {n}", n) for n in range(300)]
    found = psycopg2.extras.execute_values(
        u, "INSERT INTO item (name, price) VALUES %s RETURNING id", rows, fetch=True)
    psycopg2.extras.execute_batch(u, "UPDATE item SET price = %s WHERE name = %s",
                                  [(n, name) for name, n in rows])
    say(len(found), c.status)
    show(u, "DELETE FROM item WHERE name LIKE 'many %%'", ())
    show(u, "SELECT 1; SELECT 2")
    c.commit()


def transactions(c, u):
    show(u, "INSERT INTO item VALUES (1000, 'new')")
    show(u, "SAVEPOINT s")
    with fails(psycopg2.Error):
        show(u, "INSERT INTO item VALUES (1000, 'again')")
    with fails(psycopg2.Error):
        show(u, "SELECT 1")
    show(u, "ROLLBACK TO s")
    show(u, "SELECT name FROM item WHERE id = 1000")
    c.rollback()
    show(u, "SELECT count(*) FROM item WHERE id = 1000")
    with fails(psycopg2.Error):
        show(u, "SELECT 1 / 0")
    c.commit()
    for commit in (False, True):
        c.tpc_begin(c.xid(7, c.info.dbname, "psycopg2"))
        show(u, "UPDATE item SET price = 3 WHERE id = 3")
        c.tpc_prepare()
        (c.tpc_commit if commit else c.tpc_rollback)()


def cursors(c, _):
    with c.cursor("named", scrollable=True) as named:
        named.itersize = 7
        named.execute("SELECT id FROM item ORDER BY id LIMIT 20")
        say([row[0] for row in named])
        named.scroll(3, mode="absolute")
        say(named.fetchmany(2))
    c.commit()
    with c.cursor("held", withhold=True) as held:
        held.execute("SELECT id FROM item ORDER BY id")
        c.commit()
        say(held.fetchmany(2))
    c.commit()


def copies(c, u):
    show(u, "CREATE TABLE copied (a int, b text)")
    u.copy_from(io.StringIO("".join(f"{n}\ttext\n" for n in range(3000))), "copied")
    out = io.StringIO()
    u.copy_expert("COPY (SELECT * FROM copied ORDER BY a LIMIT 2) TO STDOUT CSV", out)
    say(repr(out.getvalue()))
    c.commit()
    with fails(psycopg2.Error):
        u.copy_from(io.StringIO("x\ty\n"), "copied")
    c.rollback()
    show(u, "SELECT count(*) FROM copied")
    c.commit()


def large_objects(c, _):
    large = c.lobject(0, "rwb")
    large.write(b"x" * 100000)
    large.seek(99990)
    say(large.read(), large.tell())
    large.truncate(10)
    large.seek(0)
    say(large.read())
    large.unlink()
    c.commit()
    with fails(psycopg2.Error):
        c.lobject(1, "r")
    c.rollback()


def events(c, u):
    c.autocommit = True
    show(u, "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    say(c.notices)
    timer = threading.Timer(0.3, c.cancel)
    timer.start()
    with fails(psycopg2.Error):
        show(u, "SELECT pg_sleep(60)")
    timer.join()
    show(u, "LISTEN news")
    other = connect()
    other.autocommit = True
    show(other.cursor(), "NOTIFY news, 'one'")
    while not c.notifies:
        select.select([c], [], [], 60)
        c.poll()
    say(c.notifies.pop().payload)
    show(u, "UNLISTEN *")
    c.set_client_encoding("LATIN1")
    show(u, "SELECT 'Grüße'")
    c.reset()
    say(c.encoding, c.get_parameter_status("client_encoding"))
    waiting = connect(async_=1)
    psycopg2.extras.wait_select(waiting)
    cursor = waiting.cursor()
    cursor.execute("SELECT 'asynchronous'")
    psycopg2.extras.wait_select(waiting)
    say(cursor.fetchall())


with connect() as first, first.cursor() as one:
    one.execute(TABLES)
first.close()
read_only()
connection = connect()
for part in (values, transactions, cursors, copies, large_objects, events):
    say("==", part.__name__)
    part(connection, connection.cursor())
connection.close()
say("end")
