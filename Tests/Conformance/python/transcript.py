# SPDX-License-Identifier: Apache-2.0
"""What the programs of this folder have in common."""

import contextlib
import os

HOST, PORT = os.environ["PGHOST"], int(os.environ["PGPORT"])
USER, PASSWORD = os.environ["PGUSER"], os.environ["PGPASSWORD"]
DATABASE = os.environ["PGDATABASE"]
# The authority that the server's certificate is checked with; without it there is no TLS.
AUTHORITY = os.environ.get("PGSSLROOTCERT")
TEXT = "Grüße € 世界 '\" \\ \n\t"
TABLES = """
CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL UNIQUE, price numeric);
INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n;
CREATE TABLE part (item int REFERENCES item, data bytea);
"""


def say(*words):
    """One line."""
    print(*words)


@contextlib.contextmanager
def fails(kind):
    """Says which error of the driver came."""
    try:
        yield
        say("no error")
    except kind as error:
        code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        say("error", type(error).__name__, code, *str(error).splitlines()[:1])
