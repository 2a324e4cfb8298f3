# SPDX-License-Identifier: Apache-2.0
"""One face for the drivers: run(statement with $1, $2..., arguments) -> rows, or an SQLSTATE."""

import asyncio
import re

import asyncpg
import pg8000.exceptions
import pg8000.native
import psycopg
import psycopg2


class Refused(Exception):
    """The server's error, reduced to its SQLSTATE."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Psycopg3:
    """psycopg 3 with server-side binding: the extended protocol."""

    prepare_threshold = None

    def __init__(self, address):
        self.connection = psycopg.connect(
            **address, autocommit=True, prepare_threshold=self.prepare_threshold
        )
        self.cursor = psycopg.RawCursor(self.connection)

    def run(self, statement, *arguments):
        """Runs one statement."""
        try:
            self.cursor.execute(statement, arguments or None)
            return self.cursor.fetchall() if self.cursor.description else []
        except psycopg.Error as error:
            raise Refused(error.sqlstate) from error

    def close(self):
        """Ends the connection."""
        self.connection.close()


class Psycopg3Prepared(Psycopg3):
    """psycopg 3 that prepares every statement by name."""

    prepare_threshold = 0


class Psycopg3Simple(Psycopg3):
    """psycopg 3 that puts values into the text: the simple protocol."""

    def __init__(self, address):
        super().__init__(address)
        self.cursor = psycopg.ClientCursor(self.connection)

    def run(self, statement, *arguments):
        """Runs one statement."""
        return super().run(re.sub(r"\$\d", "%s", statement), *arguments)


class Psycopg2:
    """psycopg2: the simple protocol only."""

    def __init__(self, address):
        self.connection = psycopg2.connect(**address)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()

    def run(self, statement, *arguments):
        """Runs one statement."""
        try:
            self.cursor.execute(re.sub(r"\$\d", "%s", statement), arguments or None)
            return self.cursor.fetchall() if self.cursor.description else []
        except psycopg2.Error as error:
            raise Refused(error.pgcode) from error

    def close(self):
        """Ends the connection."""
        self.connection.close()


class Asyncpg:
    """asyncpg: its own implementation; prepares, describes and caches everything."""

    def __init__(self, address):
        self.loop = asyncio.new_event_loop()
        self.connection = self.loop.run_until_complete(asyncpg.connect(
            host=address["host"], port=address["port"], user=address["user"],
            password=address["password"], database=address["dbname"]))

    def run(self, statement, *arguments):
        """Runs one statement."""
        try:
            found = self.loop.run_until_complete(self.connection.fetch(statement, *arguments))
            return [tuple(one) for one in found]
        except asyncpg.PostgresError as error:
            raise Refused(error.sqlstate) from error

    def close(self):
        """Ends the connection."""
        self.loop.run_until_complete(self.connection.close())
        self.loop.close()


class Pg8000:
    """pg8000: pure Python; parses and describes with the unnamed statement."""

    def __init__(self, address):
        self.connection = pg8000.native.Connection(
            address["user"], host=address["host"], port=address["port"],
            password=address["password"], database=address["dbname"])

    def run(self, statement, *arguments):
        """Runs one statement."""
        named = {f"p{number}": one for number, one in enumerate(arguments, 1)}
        try:
            found = self.connection.run(re.sub(r"\$(\d)", r":p\1", statement), **named)
            return [tuple(one) for one in found or []]
        except pg8000.exceptions.DatabaseError as error:
            raise Refused(error.args[0]["C"]) from error

    def close(self):
        """Ends the connection."""
        self.connection.close()


ALL = [Psycopg3, Psycopg3Prepared, Psycopg3Simple, Psycopg2, Asyncpg, Pg8000]
