# SPDX-License-Identifier: Apache-2.0
"""Each driver's program says the same of martlet as of the primary.

A program is told by PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE where to go, and by
PGSSLMODE and PGSSLROOTCERT how. It writes what
the driver gives it, line by line, and at the end "end". A line "@replica PORT" says where
something ran that asked for a replica.
"""

import difflib
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import HERE
from localcluster.cluster import home
from psycopg import sql
from support.endpoint import PASSWORD, USER

BUILT = home() / "conformance-programs"
PYTHON = home() / "venv/bin/python3"
PROGRAMS = {
    "jdbc": ["java", "-XX:TieredStopAtLevel=1", "-cp", f"/usr/share/java/postgresql.jar:{BUILT}",
             "Transcript"],
    "node-pg": ["node", HERE / "node-pg/transcript.js"],
    "pgx": [BUILT / "pgx"],
    "lib-pq": [BUILT / "lib-pq"],
    "libpq": [BUILT / "libpq"],
    "libpqxx": [BUILT / "libpqxx"],
    "ruby-pg": ["ruby", HERE / "ruby-pg/transcript.rb"],
    "php-pdo": ["php", HERE / "php-pdo/transcript.php"],
    "perl-dbi": ["perl", HERE / "perl-dbi/transcript.pl"],
    "psql": ["/usr/lib/postgresql/15/bin/psql", "-Xf", HERE / "psql/transcript.sql"],
    **{name: [PYTHON, HERE / f"python/{name}_transcript.py"] for name in (
        "psycopg3", "asyncpg", "psycopg2", "pg8000", "sqlalchemy", "django", "odbc")},
}
REPLICA = re.compile(r"^@replica (\d+)$", re.MULTILINE)


def encryption(cluster):
    """The variables that say how to connect, in the words of libpq and of what does not use it."""
    if not cluster.settings.tls:
        return {"PGSSLMODE": "disable"}
    authority = str(cluster.authority.file)
    return {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": authority,
            "NODE_EXTRA_CA_CERTS": authority}


def run(name, cluster, port, database):
    """What the program of one driver wrote."""
    environment = {
        "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "PGTZ": "UTC",
        "NODE_PATH": str(BUILT / "unpacked/usr/share/nodejs"), "PYTHONPATH": str(HERE / "python"),
        "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": USER, "PGPASSWORD": PASSWORD,
        "PGDATABASE": database, **encryption(cluster),
    }
    # What psql reports stands among what it shows.
    done = subprocess.run(PROGRAMS[name], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT if name == "psql" else subprocess.PIPE,
                          text=True, errors="backslashreplace", timeout=250, check=False)
    text = done.stdout + (f"exit {done.returncode}\n{done.stderr}" if done.returncode else "")
    # Java prints an array by its address, psql a back end by its number.
    text = re.sub(r"\[B@[0-9a-f]+", "[B@", text)
    return re.sub(r"with PID \d+", "with PID", text).replace(database, "DATABASE")


@pytest.fixture
def databases(request, cluster):
    """Two databases: for the run without martlet, and for the one with it.

    They are empty but for a table that every replica has, since a new session may read on one that
    has not replayed what others wrote.
    """
    name = re.sub(r"\W", "_", request.node.callspec.params["name"])
    names = [f"{name}_direct", f"{name}_through"]
    for one in names:
        cluster.run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(one)))
        cluster.run(sql.SQL("CREATE DATABASE {} OWNER {}").format(
            sql.Identifier(one), sql.Identifier(USER)))
        cluster.run(f"CREATE TABLE refused (name text); ALTER TABLE refused OWNER TO {USER};"
                    f"GRANT ALL ON SCHEMA public TO {USER}", database=one)
    cluster.wait_replayed()
    return names


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_transcripts_are_equal(name, databases, cluster, martlet):
    primary = cluster.port_of(cluster.primary())
    with ThreadPoolExecutor() as pool:
        direct, through = pool.map(
            run, [name] * 2, [cluster] * 2, [primary, martlet.port], databases)
    assert direct.endswith("end\n"), direct
    difference = difflib.unified_diff(
        *(REPLICA.sub("@replica", text).splitlines() for text in (direct, through)),
        "direct", "through martlet", lineterm="")
    difference = "\n".join(difference)
    assert not difference, difference
    replicas = {str(cluster.port_of(one)) for one in cluster.replicas()}
    assert set(REPLICA.findall(through)) == replicas
