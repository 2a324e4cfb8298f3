# SPDX-License-Identifier: Apache-2.0
"""SQLAlchemy 2: its pools, reflection and ORM, over psycopg 3, psycopg2, pg8000 and asyncpg."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import (
    ForeignKey, MetaData, String, Table, URL, bindparam, create_engine, exc, func, inspect,
    select, text)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from transcript import DATABASE, HOST, PASSWORD, PORT, USER, fails, say

logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


class Base(DeclarativeBase):
    """What is mapped."""


class Author(Base):
    """One side."""

    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), unique=True)
    tags: Mapped[list] = mapped_column(ARRAY(String), default=list)
    about: Mapped[dict] = mapped_column(JSONB, default=dict)
    books: Mapped[list["Book"]] = relationship(
        back_populates="author", cascade="all", order_by="Book.id")


class Book(Base):
    """The other."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def url(driver):
    """Where to."""
    return URL.create(f"postgresql+{driver}", USER, PASSWORD, HOST, PORT, DATABASE)


def reflection(engine):
    found = inspect(engine)
    say(sorted(found.get_table_names()), found.get_pk_constraint("book"))
    say([(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns("author")])
    say(found.get_foreign_keys("book"), found.get_unique_constraints("author"))
    say(sorted(Table("book", MetaData(), autoload_with=engine).columns.keys()))


def orm(engine):
    with Session(engine) as session:
        session.add_all([
            Author(name=f"author {n}", tags=["a", "b,c"], about={"n": n},
                   books=[Book(title=f"book {n} {m}") for m in range(3)]) for n in range(20)])
        session.commit()
        for author in session.scalars(select(Author).order_by(Author.id).limit(3)):
            say(author.name, author.tags, author.about, [book.title for book in author.books])
        author = session.scalars(select(Author).where(Author.name == "author 3")).one()
        author.name, author.about = "renamed", {"x": None}
        session.flush()
        with fails(exc.IntegrityError), session.begin_nested():
            session.add(Author(name="author 4"))
            session.flush()
        session.commit()
        say(author.name, author.about)
        session.delete(author)
        session.commit()
        say(session.scalar(select(func.count()).select_from(Book)))
        query = select(Author.name, func.count(Book.id)).join(Book).group_by(Author.id)
        say(session.execute(query.order_by(Author.id).limit(2)).all())
        session.rollback()


def core(engine):
    with engine.begin() as c:
        upsert = insert(Author).values(name="author 1", tags=[], about={})
        upsert = upsert.on_conflict_do_update(index_elements=["name"], set_={"tags": ["upserted"]})
        say(c.execute(upsert.returning(Author.tags)).all())
        c.execute(insert(Book), [{"title": f"many {n}", "author_id": 1} for n in range(1500)])
        say(c.scalar(text("SELECT count(*) FROM book WHERE title LIKE :t"), {"t": "many %"}))
    with engine.connect().execution_options(yield_per=100) as c:
        say(sum(row.id > 0 for row in c.execute(select(Book.id))))
    with engine.connect() as c:
        with fails(exc.DBAPIError):
            c.execute(text("SELECT 1 / 0"))
        c.rollback()
        values = bindparam("ids", expanding=True)
        say(c.execute(select(Author.id).where(Author.id.in_(values)).order_by(Author.id),
                      {"ids": [1, 2, 3]}).all())
    for level in ("AUTOCOMMIT", "SERIALIZABLE", "REPEATABLE READ"):
        with engine.connect().execution_options(isolation_level=level) as c:
            say(level, c.scalar(text("SHOW transaction_isolation")))


def read_only(engine):
    # A connection of its own: a session sees what it wrote, on the primary if need be.
    engine.dispose()
    with engine.connect().execution_options(postgresql_readonly=True) as c:
        say(engine.driver)
        say("@replica", c.scalar(text("SELECT inet_server_port()")))
        with fails(exc.DBAPIError):
            c.execute(text("DELETE FROM book"))


def threads(engine):
    def work(number):
        with Session(engine) as session:
            book = session.get(Book, 100 + number % 4)
            book.title = f"by {number}"
            session.commit()
            return session.scalar(select(func.count()).select_from(Author))

    with ThreadPoolExecutor(8) as pool:
        say(set(pool.map(work, range(40))))


def two_phase(engine):
    with engine.connect() as c:
        transaction = c.begin_twophase(f"{DATABASE} {engine.driver}")
        c.execute(text("UPDATE author SET tags = '{two-phase}' WHERE id = 2"))
        transaction.prepare()
        transaction.commit()
        say(c.scalar(text("SELECT tags FROM author WHERE id = 2")))


def synchronous(driver):
    engine = create_engine(url(driver), pool_size=4, pool_pre_ping=True)
    Base.metadata.create_all(engine)
    for part in (reflection, orm, core, read_only, threads, two_phase):
        say("==", driver, part.__name__)
        part(engine)
    Base.metadata.drop_all(engine)
    engine.dispose()


async def asynchronous():
    say("== asyncpg")
    engine = create_async_engine(url("asyncpg"), pool_size=4)
    for columns in (1, 2):
        async with engine.begin() as c:
            await c.run_sync(Base.metadata.create_all)
            await c.execute(insert(Author), [{"name": f"{n}", "tags": []} for n in range(300)])
            say((await c.execute(select(Author).order_by(Author.id).limit(2))).all())
            wanted = ", ".join(f"{n} AS c{n}" for n in range(columns))
            await c.execute(text(f"CREATE TABLE shape AS SELECT {wanted}"))
            say((await c.execute(text("SELECT * FROM shape"))).all())
        async with engine.connect() as c:
            rows = await c.stream(select(Author.id))
            say(len([row async for row in rows]))
            with fails(exc.DBAPIError):
                await c.execute(text("SELECT 1 / 0"))
        async with engine.begin() as c:
            await c.run_sync(Base.metadata.drop_all)
            await c.execute(text("DROP TABLE shape"))
    await engine.dispose()


for name in ("psycopg", "psycopg2", "pg8000"):
    synchronous(name)
asyncio.run(asynchronous())
say("end")
