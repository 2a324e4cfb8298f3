# SPDX-License-Identifier: Apache-2.0
"""psqlODBC through pyodbc: its chatty start-up, cursors by fetch, levels of rollback on error."""

import glob

import pyodbc
from transcript import AUTHORITY, DATABASE, HOST, PASSWORD, PORT, TABLES, TEXT, USER, say

DRIVER = glob.glob("/usr/lib/*/odbc/psqlodbcw.so")[0]
pyodbc.pooling = False


def connect(autocommit=False, **options):
    words = {"DRIVER": DRIVER, "SERVER": HOST, "PORT": PORT, "DATABASE": DATABASE, "UID": USER,
             "PWD": "{" + PASSWORD + "}", "SSLmode": "verify-full" if AUTHORITY else "disable",
             **options}
    text = ";".join(f"{key}={value}" for key, value in words.items())
    return pyodbc.connect(text, autocommit=autocommit)


def fails(work):
    try:
        work()
        say("no error")
    except pyodbc.Error as error:
        say("error", error.args[0], str(error.args[1]).splitlines()[0])


def show(cursor):
    say([tuple(row) for row in cursor.fetchall()])


def read_only():
    # In manual mode it says BEGIN in one query with the first statement: to the primary.
    with connect(autocommit=True) as c:
        say("@replica", c.execute("SELECT inet_server_port()").fetchone()[0])
        c.execute("SET default_transaction_read_only = on")
        fails(lambda: c.execute("INSERT INTO refused VALUES ('x')"))


def statements(c):
    for number in range(8):
        show(c.execute("SELECT name FROM item WHERE id = ?", number))
        show(c.execute("UPDATE item SET price = ? WHERE id = 7 RETURNING price", number))
    show(c.execute("SELECT ?::int, ?::text, ?::bytea, ?::numeric, ?::bool", 5, TEXT,
                   bytes(range(256)), "1.50", True))
    cursor = c.cursor()
    cursor.executemany("INSERT INTO item (name, price) VALUES (?, ?)",
                       [(f"many {n}", n) for n in range(50)])
    say(cursor.rowcount, c.execute("DELETE FROM item WHERE name LIKE 'many %'").rowcount)
    fails(lambda: c.execute("SELECT frobnicate"))
    fails(lambda: c.execute("SELECT 1 / ?::int", 0))
    fails(lambda: c.execute("INSERT INTO item (name) VALUES (?)", "name 1"))
    if not c.autocommit:
        c.rollback()
    cursor = c.execute("SELECT id FROM item ORDER BY id")
    say(cursor.fetchmany(3), [t[0] for t in cursor.description], len(cursor.fetchall()))
    c.execute("CREATE TABLE changing AS SELECT 1 AS a")
    show(c.execute("SELECT * FROM changing WHERE 0 < ?", 1))
    c.execute("ALTER TABLE changing ADD COLUMN b int")
    show(c.execute("SELECT * FROM changing WHERE 0 < ?", 1))
    c.execute("DROP TABLE changing")
    say([row.table_name for row in c.cursor().tables(schema="public", tableType="TABLE")])
    say([(row.column_name, row.type_name) for row in c.cursor().columns(table="item")])
    say([row.column_name for row in c.cursor().primaryKeys("item")])
    if not c.autocommit:
        c.commit()


def transactions():
    for level in (0, 1, 2):
        with connect(Protocol=f"7.4-{level}") as c:
            c.execute("INSERT INTO item VALUES (1000, 'new')")
            fails(lambda c=c: c.execute("INSERT INTO item VALUES (1000, 'again')"))
            fails(lambda c=c: show(c.execute("SELECT count(*) FROM item WHERE id = 1000")))
            c.rollback()
            show(c.execute("SELECT count(*) FROM item WHERE id = 1000"))
            c.rollback()


with connect(autocommit=True) as first:
    first.execute(TABLES)
read_only()
for name, options in {
    "standard": {}, "server side": {"UseServerSidePrepare": 1}, "client side": {
        "UseServerSidePrepare": 0}, "declare and fetch": {"UseDeclareFetch": 1, "Fetch": 7},
}.items():
    for mode in (True, False):
        say("==", name, mode)
        with connect(autocommit=mode, **options) as connection:
            statements(connection)
transactions()
say("end")
