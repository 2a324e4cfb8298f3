# SPDX-License-Identifier: Apache-2.0
"""psycopg 3: pipelines, prepared statements, both formats, COPY, cursors, two-phase commit."""

import datetime
import decimal
import threading
import uuid

import psycopg
from psycopg import ClientCursor, IsolationLevel, RawCursor, pq
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from transcript import TABLES, TEXT, fails, say


def connect(**options):
    """Where to: libpq's environment."""
    return psycopg.connect(**options)


def show(cursor):
    """All rows."""
    for row in cursor:
        say(row)


def tables():
    with connect(autocommit=True) as c:
        c.execute(TABLES)
        say(c.info.server_version, c.info.encoding, c.info.parameter_status("DateStyle"))


def read_only():
    with connect() as c:
        c.read_only = True
        say("@replica", c.execute("SELECT inet_server_port()").fetchone()[0])
        show(c.execute("SELECT count(*) FROM refused WHERE name < %s", ("x",)))
        with fails(psycopg.Error):
            c.execute("INSERT INTO refused VALUES ('x')")
        with fails(psycopg.Error):
            c.execute("SELECT 1")
        c.rollback()
        show(c.execute("SHOW transaction_read_only"))
        c.rollback()
        c.deferrable, c.isolation_level = True, IsolationLevel.REPEATABLE_READ
        show(c.execute("SHOW transaction_isolation"))


def types():
    values = [
        -32768, 2**31 - 1, -(2**63), 1.5, decimal.Decimal("12345678901234567890.0123456789"), TEXT,
        bytes(range(256)), True, datetime.date(2024, 2, 29), datetime.timedelta(days=1, seconds=7),
        datetime.datetime(2024, 2, 29, 12, 34, 56, 789012, datetime.UTC), uuid.UUID(int=7),
        [1, None, 3], ["a,b", '"', None], Jsonb({"a": [1, None]}), None,
    ]
    for kind, binary in ((psycopg.Cursor, False), (psycopg.Cursor, True), (ClientCursor, False)):
        with connect(autocommit=True, cursor_factory=kind) as c, c.cursor(binary=binary) as u:
            u.execute("SELECT " + ", ".join(["%s"] * len(values)), values)
            say(u.fetchone())
            say([(d.name, d.type_code) for d in u.description])


def prepared():
    for threshold in (0, 2, None):
        with connect(autocommit=True, prepare_threshold=threshold) as c:
            c.prepared_max = 3
            for number in range(10):
                show(c.execute("SELECT name FROM item WHERE id = %s", (number,)))
                show(c.execute("UPDATE item SET price = %s WHERE id = 7 RETURNING price",
                               (number,)))
                show(c.execute(f"SELECT {number % 5} + %s::int", (number,)))
            c.execute("CREATE TABLE changing AS SELECT 1 AS a")
            for number in range(6):
                show(c.execute("SELECT * FROM changing WHERE 0 < %s", (1,)))
                if number == 3 and threshold is None:
                    c.execute("ALTER TABLE changing ADD COLUMN b int")
            c.execute("DROP TABLE changing")
            c.execute("DEALLOCATE ALL")
            with fails(psycopg.Error):
                c.execute("SELECT name FROM item WHERE id = %s", (1,))
    with connect() as c:
        for columns in range(1, 4):
            wanted = ", ".join(f"{n} AS c{n}" for n in range(columns))
            c.execute(f"CREATE TEMP TABLE shape AS SELECT {wanted}")
            show(c.execute("SELECT * FROM shape WHERE 0 < %s", (1,), prepare=False))
            c.execute("DROP TABLE shape")
            c.execute(f"CREATE TABLE lasting AS SELECT {wanted}")
            show(c.execute("SELECT * FROM lasting WHERE 0 < %s", (1,), prepare=False))
            c.execute("DROP TABLE lasting")
            c.execute(f"CREATE SCHEMA s{columns}; CREATE TABLE s{columns}.own AS SELECT {wanted}")
        c.commit()
        for columns in (1, 2, 3, 1, 2):
            c.execute(f"SET search_path = s{columns}")
            c.commit()
            show(c.execute("SELECT * FROM own WHERE 0 < %s", (1,), prepare=False))
            c.commit()


def pipelines():
    with connect(autocommit=True) as c:
        with c.pipeline() as pipeline:
            one = c.execute("SELECT 1, %s::text", ("a",))
            two = c.execute("INSERT INTO item (name) VALUES (%s) RETURNING name", ("piped",))
            pipeline.sync()
            three = c.execute("SELECT count(*) FROM item WHERE name = %s", ("piped",))
            say(one.fetchall(), two.fetchall(), three.fetchall())
        with fails(psycopg.Error), c.pipeline():
            c.execute("INSERT INTO item (name) VALUES ('rolled back')")
            c.execute("SELECT 1 / 0")
            c.execute("INSERT INTO item (name) VALUES ('skipped')")
        show(c.execute("SELECT name FROM item WHERE name IN ('rolled back', 'skipped')"))
        with c.pipeline():
            cursors = [c.execute("SELECT %s::int * id FROM item WHERE id < 4 ORDER BY id", (n,))
                       for n in range(30)]
            say([cursor.fetchall() for cursor in cursors][-1])
        with c.pipeline(), c.transaction():
            c.execute("UPDATE item SET price = 0 WHERE id = 1")
            with fails(psycopg.Error), c.transaction():
                c.execute("SELECT 1 / 0")
                c.execute("SELECT 2").fetchall()
            say(c.execute("SELECT price FROM item WHERE id = 1").fetchall())
        with c.pipeline() as pipeline, c.cursor() as cursor:
            cursor.executemany("INSERT INTO part VALUES (%s, %s) RETURNING item",
                               [(n, bytes(n)) for n in range(1, 101)], returning=True)
            say(cursor.fetchone(), cursor.nextset(), cursor.fetchone())
            pipeline.sync()
        show(c.execute("SELECT count(*), sum(length(data)) FROM part"))
        show(c.execute("DELETE FROM item WHERE name = 'piped' RETURNING name"))
    aborted_pipeline()


def aborted_pipeline():
    with connect(autocommit=True) as c:
        low = c.pgconn
        low.enter_pipeline_mode()
        for text in (b"SELECT 1", b"SELECT 1 / 0", b"INSERT INTO item (name) VALUES ('no')"):
            low.send_query_params(text, None)
        low.pipeline_sync()
        low.send_query_params(b"SELECT 'after'", None)
        low.send_flush_request()
        low.flush()
        for _ in range(9):
            found = low.get_result()
            say(None if found is None else (
                pq.ExecStatus(found.status).name,
                found.get_value(0, 0) if found.ntuples else found.error_field(
                    pq.DiagnosticField.SQLSTATE)))
        low.pipeline_sync()
        say(pq.ExecStatus(low.get_result().status).name)
        low.exit_pipeline_mode()
        show(c.execute("SELECT count(*) FROM item WHERE name = 'no'"))


def transactions():
    with connect() as c:
        for level in IsolationLevel:
            c.isolation_level = level
            show(c.execute("SHOW transaction_isolation"))
            with c.transaction():
                c.execute("INSERT INTO item VALUES (1000, 'one')")
                with fails(psycopg.Error), c.transaction("inner"):
                    c.execute("INSERT INTO item VALUES (1000, 'two')")
                with fails(psycopg.Rollback), c.transaction() as inner:
                    c.execute("UPDATE item SET name = 'three' WHERE id = 1000")
                    raise psycopg.Rollback(inner)
                show(c.execute("SELECT name FROM item WHERE id = 1000"))
            say(c.info.transaction_status.name)
            c.rollback()
        c.isolation_level = None
        with fails(psycopg.Error):
            c.execute("SELECT 1; SELECT 1 / 0")
        say(c.info.transaction_status.name)
        c.commit()
        show(c.execute("SELECT 1; SELECT 2"))


def copies():
    with connect() as c, c.cursor() as u:
        u.execute("CREATE TABLE copied (a int, b text)")
        with u.copy("COPY copied FROM STDIN") as copy:
            for number in range(5000):
                copy.write_row((number, TEXT))
        with u.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            for number in range(3):
                copy.write_row((-number, None))
        c.commit()
        with u.copy("COPY (SELECT * FROM copied ORDER BY a LIMIT 5) TO STDOUT") as copy:
            for row in copy.rows():
                say(row)
        with u.copy("COPY copied TO STDOUT (FORMAT binary)") as copy:
            say(sum(len(part) for part in copy))
        with fails(psycopg.Error), u.copy("COPY copied FROM STDIN") as copy:
            copy.write("x\ty\n")
        c.rollback()
        with fails(ZeroDivisionError), u.copy("COPY copied FROM STDIN") as copy:
            copy.write_row((1, 1 / 0))
        c.rollback()
        endless = "COPY (SELECT generate_series(1, 100000000)) TO STDOUT"
        with fails(ZeroDivisionError), u.copy(endless) as copy:
            say(copy.read_row(), 1 / 0)
        c.rollback()
        show(c.execute("SELECT count(*), min(a) FROM copied"))


def cursors():
    with connect() as c:
        with c.cursor("named", withhold=False) as u:
            u.itersize = 7
            u.execute("SELECT id FROM item WHERE id <= %s ORDER BY id", (20,))
            say([row[0] for row in u])
        with c.cursor("scrolling", scrollable=True) as u:
            u.execute("SELECT id FROM item ORDER BY id")
            u.scroll(5)
            say(u.fetchone(), u.fetchmany(3))
            u.scroll(-2)
            say(u.fetchone())
        c.commit()
        with c.cursor("held", withhold=True) as u:
            u.execute("SELECT id FROM item ORDER BY id")
            c.commit()
            say(u.fetchmany(3))
            c.commit()
            say(u.fetchmany(3))
        c.commit()
    with connect(autocommit=True) as c, RawCursor(c) as u:
        for row in u.stream("SELECT $1::int + n FROM generate_series(1, 5) n", (10,)):
            say(row)
        for row in c.cursor(row_factory=dict_row).stream("SELECT 1 AS a, 2 AS b"):
            say(row)


def notices():
    with connect(autocommit=True) as c:
        c.add_notice_handler(lambda n: say("notice", n.sqlstate, n.severity, n.message_primary))
        c.execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
        c.execute("DROP TABLE IF EXISTS nothing")
        c.execute("BEGIN")
        c.execute("BEGIN")
        c.execute("COMMIT")
        c.execute("COMMIT")
        with fails(psycopg.Error):
            c.execute("SELECT nothing FROM nowhere")
        try:
            c.execute("INSERT INTO item (name) VALUES ('name 1')")
        except psycopg.Error as error:
            d = error.diag
            say(d.constraint_name, d.table_name, d.schema_name, d.message_detail)


def cancelling():
    with connect(autocommit=True) as c:
        for cancel in (c.cancel, c.cancel_safe):
            timer = threading.Timer(0.4, cancel)
            timer.start()
            with fails(psycopg.Error):
                c.execute("SELECT pg_sleep(60)")
            timer.join()
        c.execute("SET statement_timeout = 300")
        with fails(psycopg.Error):
            c.execute("SELECT pg_sleep(60)")
        c.execute("RESET statement_timeout")
        show(c.execute("SELECT 'alive'"))


def notifications():
    with connect(autocommit=True) as c, connect(autocommit=True) as other:
        c.execute("LISTEN news")
        other.execute("NOTIFY news, 'one'")
        other.execute("SELECT pg_notify('news', %s)", ("two",))
        for found in c.notifies(timeout=30, stop_after=2):
            say(found.channel, found.payload)
        c.execute("UNLISTEN news")
        other.execute("NOTIFY news, 'three'")
        say(list(c.notifies(timeout=0.1)))


def two_phase():
    with connect() as c:
        name = c.info.dbname
        for commit in (False, True):
            c.tpc_begin(c.xid(1, name, "one"))
            c.execute("INSERT INTO item VALUES (2000, 'two-phase')")
            c.tpc_prepare()
            (c.tpc_commit if commit else c.tpc_rollback)()
        c.tpc_begin(c.xid(1, name, "recovered"))
        c.execute("UPDATE item SET price = 5 WHERE id = 2000")
        c.tpc_prepare()
        c.close()
    with connect() as c:
        found = [x for x in c.tpc_recover() if x.gtrid == name]
        say([x.bqual for x in found], c.info.transaction_status.name)
        c.rollback()
        c.tpc_commit(found[0])
        show(c.execute("SELECT price FROM item WHERE id = 2000"))


def settings():
    with connect(autocommit=True, options="-c work_mem=7MB", application_name="first") as c:
        show(c.execute("SELECT current_setting('work_mem'), current_setting('application_name')"))
        c.execute("SET TIME ZONE 'Asia/Tokyo'")
        say(c.info.timezone)
        show(c.execute("SELECT '2024-02-29 12:00+00'::timestamptz"))
        c.execute("SET client_encoding = 'LATIN1'")
        show(c.execute("SELECT 'Grüße'"))
        c.execute("RESET ALL")
        say(c.info.encoding)
        show(c.execute("SELECT current_setting('work_mem'), current_setting('TimeZone')"))


for part in (tables, read_only, types, prepared, pipelines, transactions, copies, cursors, notices,
             cancelling, notifications, two_phase, settings):
    say("==", part.__name__)
    part()
say("end")
