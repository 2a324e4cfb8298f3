# SPDX-License-Identifier: Apache-2.0
"""asyncpg: binary, everything prepared, Flush instead of Sync, its own statement cache."""

import asyncio
import datetime
import decimal
import io
import uuid

import asyncpg
from transcript import DATABASE, HOST, PASSWORD, PORT, TABLES, TEXT, USER, fails, say

ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncio.TimeoutError)


async def connect(**options):
    return await asyncpg.connect(host=HOST, port=PORT, user=USER, password=PASSWORD,
                                 database=DATABASE, **options)


def show(rows):
    for row in rows:
        say(tuple(row))


async def read_only(_):
    # A session that has written reads on the primary until a replica has replayed that.
    c = await connect()
    async with c.transaction(readonly=True):
        say("@replica", await c.fetchval("SELECT inet_server_port()"))
        show(await c.fetch("SELECT count(*) FROM refused WHERE name < $1", "x"))
        with fails(ERRORS):
            async with c.transaction():
                await c.execute("INSERT INTO refused VALUES ('x')")
    async with c.transaction(isolation="serializable", readonly=True, deferrable=True):
        say(await c.fetchval("SHOW transaction_isolation"))
    await c.close()


async def types(c):
    values = [
        ("int2", -32768), ("int4", 2**31 - 1), ("int8", -(2**63)), ("float4", 1.5),
        ("numeric", decimal.Decimal("12345678901234567890.0123456789")), ("text", TEXT),
        ("bytea", bytes(range(256))), ("bool", True), ("date", datetime.date(2024, 2, 29)),
        ("timestamptz", datetime.datetime(2024, 2, 29, 12, 34, 56, 789, datetime.UTC)),
        ("uuid", uuid.UUID(int=7)), ("int4[]", [1, None, 3]), ("text[]", ["a,b", None]),
        ("jsonb", '{"a": [1]}'), ("point", asyncpg.Point(1, 2)), ("text", None),
    ]
    wanted = ", ".join(f"${n}::{kind}" for n, (kind, _) in enumerate(values, 1))
    for _ in range(3):
        say(tuple(await c.fetchrow("SELECT " + wanted, *[value for _, value in values])))
    await c.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b mood)")
    say(await c.fetchval("SELECT ROW(1, 'ok')::pair"), await c.fetchval("SELECT $1::mood", "sad"))
    say(await c.fetchval("SELECT ARRAY[ROW(1, 'ok')::pair]"))
    await c.execute("CREATE EXTENSION hstore")
    await c.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore")
    say(await c.fetchval("SELECT 'a=>1'::hstore"))


async def prepared(c):
    statement = await c.prepare("SELECT id, name FROM item WHERE id = $1")
    say(statement.get_parameters(), statement.get_attributes())
    for number in range(20):
        say(await statement.fetchval(number, column=1), await c.fetchval(f"SELECT {number} + $1", 1))
        show(await c.fetch("UPDATE item SET price = $1 WHERE id = 7 RETURNING price", number))
    await c.executemany("INSERT INTO part VALUES ($1, $2)", [(n, bytes(n)) for n in range(1, 101)])
    show(await c.fetch("SELECT count(*), sum(length(data)) FROM part"))
    with fails(ERRORS):
        await c.executemany("INSERT INTO item VALUES ($1, $2)", [(500, "x"), (501, "name 1")])
    show(await c.fetch("SELECT id FROM item WHERE id IN (500, 501)"))
    show(await c.fetchmany("INSERT INTO item VALUES ($1, $2) RETURNING id",
                           [(n, str(n)) for n in (600, 601)]) if hasattr(c, "fetchmany") else [])
    await c.execute("DELETE FROM item WHERE id >= 600")
    await changed_table(c)
    with fails(ERRORS):
        await c.prepare("SELECT frobnicate")
    with fails(ERRORS):
        await c.fetch("SELECT $1::int", "not a number")


async def changed_table(c):
    await c.execute("CREATE TABLE changing AS SELECT 1 AS a")
    show(await c.fetch("SELECT * FROM changing"))
    await c.execute("ALTER TABLE changing ADD COLUMN b int")
    show(await c.fetch("SELECT * FROM changing"))
    async with c.transaction():
        await c.execute("ALTER TABLE changing DROP COLUMN a")
        with fails(ERRORS):
            show(await c.fetch("SELECT * FROM changing"))
    uncached = await connect(statement_cache_size=0)
    for columns in ("a int", "a int, b int", "c text"):
        async with uncached.transaction():
            await uncached.execute(f"CREATE TEMP TABLE shape ({columns}) ON COMMIT DROP")
            say(len((await uncached.prepare("SELECT * FROM shape")).get_attributes()))
            await uncached.execute(f"DROP TABLE changing; CREATE TABLE changing ({columns})")
            say(len((await uncached.prepare("SELECT * FROM changing")).get_attributes()))
    await uncached.close()


async def transactions(c):
    for level in ("read_committed", "repeatable_read", "serializable"):
        outer = c.transaction(isolation=level)
        await outer.start()
        await c.execute("INSERT INTO item VALUES (1000, 'one')")
        with fails(ERRORS):
            async with c.transaction():
                await c.execute("INSERT INTO item VALUES (1000, 'two')")
        with fails(ZeroDivisionError):
            async with c.transaction():
                await c.execute("UPDATE item SET name = 'three' WHERE id = 1000")
                say(1 / 0)
        show(await c.fetch("SELECT name FROM item WHERE id = 1000"))
        await outer.rollback()
        say(c.is_in_transaction(), await c.fetchval("SELECT count(*) FROM item WHERE id = 1000"))
    say(await c.execute("SELECT 1; UPDATE item SET price = 1 WHERE id = 2"))
    with fails(ERRORS):
        await c.execute("UPDATE item SET price = 9 WHERE id = 2; SELECT 1 / 0")
    show(await c.fetch("SELECT price FROM item WHERE id = 2"))


async def cursors(c):
    for readonly in (False, True):
        async with c.transaction(readonly=readonly):
            async for row in c.cursor("SELECT id FROM item WHERE id < $1", 20, prefetch=7):
                if row["id"] % 6 == 0:
                    say(row["id"], await c.fetchval("SELECT 'between'"))
            cursor = await c.cursor("SELECT id FROM item ORDER BY id")
            show(await cursor.fetch(3))
            say(await cursor.forward(10), await cursor.fetchrow())
    with fails(ERRORS):
        await c.cursor("SELECT 1")


async def copies(c):
    await c.execute("CREATE TABLE copied (a int, b text)")
    rows = [(n, TEXT) for n in range(5000)]
    say(await c.copy_records_to_table("copied", records=rows))
    say(await c.copy_to_table("copied", source=io.BytesIO(b"-1,x\n"), format="csv"))
    out = io.BytesIO()
    say(await c.copy_from_query("SELECT * FROM copied WHERE a < $1 ORDER BY a", 3, output=out))
    say(out.getvalue())
    with fails(ERRORS):
        await c.copy_to_table("copied", source=io.BytesIO(b"x\ty\n"))
    with fails(ERRORS):
        await c.copy_from_table("nothing", output=out)
    say(await c.fetchval("SELECT count(*) FROM copied"))


async def notices(c):
    seen = []
    c.add_log_listener(lambda _, message: seen.append((message.sqlstate, message.message)))
    await c.execute("DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$")
    await c.execute("DROP TABLE IF EXISTS nothing")
    await c.fetch("SELECT 1")
    await asyncio.sleep(0)
    say(seen)
    try:
        await c.execute("INSERT INTO part VALUES (-1)")
    except asyncpg.ForeignKeyViolationError as error:
        say(error.constraint_name, error.table_name, error.detail)


async def cancelling(c):
    with fails(ERRORS):
        await c.fetch("SELECT pg_sleep(60)", timeout=0.4)
    say(await c.fetchval("SELECT 'alive'"))
    with fails(ERRORS):
        async with c.transaction():
            await c.execute("SELECT pg_sleep(60)", timeout=0.4)
    say(await c.fetchval("SELECT 'alive'"), c.is_in_transaction())


async def notifications(c):
    heard = asyncio.Queue()
    await c.add_listener("news", lambda _c, _pid, channel, text: heard.put_nowait((channel, text)))
    other = await connect()
    await other.execute("NOTIFY news, 'one'; SELECT pg_notify('news', 'two')")
    say(await asyncio.wait_for(heard.get(), 60), await asyncio.wait_for(heard.get(), 60))
    await c.reset()
    await other.execute("NOTIFY news, 'three'")
    say(await c.fetchval("SELECT 1"), heard.empty())
    await other.close()


async def pools(_):
    async def work(pool, number):
        async with pool.acquire() as c, c.transaction():
            await c.execute("UPDATE item SET price = $1 WHERE id = $2", number, 50 + number % 5)
            return await c.fetchval("SELECT count(*) FROM item WHERE id <= $1", 100)

    options = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD}
    async with asyncpg.create_pool(**options, database=DATABASE, min_size=1, max_size=4) as pool:
        say(await asyncio.gather(*[work(pool, number) for number in range(40)]))


async def settings(_):
    c = await connect(server_settings={"search_path": "pg_catalog, public", "work_mem": "7MB"})
    say(await c.fetchval("SHOW search_path"), await c.fetchval("SHOW work_mem"))
    await c.execute("SET work_mem = '8MB'; SET TIME ZONE 'Asia/Tokyo'")
    say(await c.fetchval("SHOW work_mem"), c.get_settings().TimeZone)
    await c.reset()
    say(await c.fetchval("SHOW work_mem"), c.get_settings().TimeZone)
    say(c.get_server_version())
    await c.close()


async def main():
    c = await connect()
    await c.execute(TABLES)
    for part in (read_only, types, prepared, transactions, cursors, copies, notices, cancelling,
                 notifications, pools, settings):
        say("==", part.__name__)
        await part(c)
    await c.close()
    say("end")


asyncio.run(main())
