# SPDX-License-Identifier: Apache-2.0
"""pg8000: a driver without libpq; named statements closed one by one, Flush, binary parameters."""

import datetime
import decimal
import io
import ssl

import pg8000.dbapi
import pg8000.native
from transcript import AUTHORITY, DATABASE, HOST, PASSWORD, PORT, TABLES, TEXT, USER, say

ADDRESS = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "database": DATABASE,
           "ssl_context": AUTHORITY and ssl.create_default_context(cafile=AUTHORITY)}


def fails(work):
    try:
        work()
        say("no error")
    except pg8000.exceptions.DatabaseError as error:
        say("error", error.args[0].get("C"), error.args[0].get("M"))


def read_only():
    c = pg8000.native.Connection(**ADDRESS)
    c.run("START TRANSACTION READ ONLY")
    say("@replica", c.run("SELECT inet_server_port()")[0][0])
    fails(lambda: c.run("INSERT INTO refused VALUES ('x')"))
    c.run("ROLLBACK")
    c.close()


def native(c):
    for number in range(8):
        say(c.run("SELECT name FROM item WHERE id = :n", n=number), c.row_count)
        say(c.run("UPDATE item SET price = :n WHERE id = 7 RETURNING price", n=number))
    at = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    say(c.run("SELECT :a, :b, :c, :d, :e", a=TEXT, b=b"\x00\xff", c=decimal.Decimal("1.50"), d=at,
              e=None), [column["type_oid"] for column in c.columns])
    statement = c.prepare("SELECT id FROM item WHERE id > :n ORDER BY id LIMIT 3")
    for number in range(5):
        say(statement.run(n=number))
    statement.close()
    fails(lambda: c.run("SELECT frobnicate"))
    fails(lambda: c.run("SELECT 1 / CAST(:n AS integer)", n=0))
    fails(lambda: c.run("INSERT INTO item (name) VALUES (:n)", n="name 1"))
    c.run("CREATE TABLE changing AS SELECT 1 AS a")
    say(c.run("SELECT * FROM changing WHERE 0 < :n", n=1))
    c.run("ALTER TABLE changing ADD COLUMN b int")
    say(c.run("SELECT * FROM changing WHERE 0 < :n", n=1))
    say(c.run("SELECT 1; SELECT 2"))


def transactions(c):
    c.run("BEGIN")
    c.run("INSERT INTO item VALUES (1000, 'new')")
    c.run("SAVEPOINT s")
    fails(lambda: c.run("INSERT INTO item VALUES (1000, 'again')"))
    fails(lambda: c.run("SELECT 1"))
    c.run("ROLLBACK TO s")
    say(c.run("SELECT name FROM item WHERE id = 1000"))
    c.run("ROLLBACK")
    say(c.run("SELECT count(*) FROM item WHERE id = 1000"))


def copies(c):
    c.run("CREATE TABLE copied (a int, b text)")
    rows = "".join(f"{n}\ttext\n" for n in range(3000))
    c.run("COPY copied FROM STDIN", stream=io.StringIO(rows))
    say(c.row_count)
    out = io.BytesIO()
    c.run("COPY (SELECT * FROM copied ORDER BY a LIMIT 2) TO STDOUT", stream=out)
    say(out.getvalue())
    fails(lambda: c.run("COPY copied FROM STDIN", stream=io.StringIO("x\ty\n")))
    say(c.run("SELECT count(*) FROM copied"))


def events(c):
    c.run("DO $$ BEGIN RAISE NOTICE 'one'; END $$")
    say([notice[b"M"] for notice in c.notices])
    c.run("LISTEN news")
    other = pg8000.native.Connection(**ADDRESS)
    other.run("NOTIFY news, 'one'")
    while not c.notifications:
        c.run("SELECT pg_sleep(0.05)")
    say([text for _, _, text in c.notifications])
    c.run("UNLISTEN *")
    other.close()
    say(c.parameter_statuses["server_encoding"])


def standard():
    c = pg8000.dbapi.connect(**ADDRESS)
    cursor = c.cursor()
    cursor.executemany("INSERT INTO item (name) VALUES (%s)", [(f"many {n}",) for n in range(50)])
    cursor.execute("DELETE FROM item WHERE name LIKE %s", ("many %",))
    say(cursor.rowcount)
    c.commit()
    # Its own tpc_commit() does not find what it has prepared.
    cursor.execute("UPDATE item SET price = 3 WHERE id = 3")
    cursor.execute(f"PREPARE TRANSACTION '{DATABASE}'")
    c.autocommit = True
    cursor.execute(f"COMMIT PREPARED '{DATABASE}'")
    cursor.execute("SELECT price FROM item WHERE id = 3")
    say(cursor.fetchall())
    c.close()


connection = pg8000.native.Connection(**ADDRESS)
connection.run(TABLES)
read_only()
for part in (native, transactions, copies, events):
    say("==", part.__name__)
    part(connection)
connection.close()
standard()
say("end")
