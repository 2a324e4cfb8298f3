# SPDX-License-Identifier: Apache-2.0
"""Random sequences of statements that change and read the state of a session."""

import random
from dataclasses import dataclass, replace

from .wire import SYNC, bind, close, describe, execute, parse, query

ROLE = "app_reader"

# The same in every database that is compared. Nothing ever changes it, so no replica lags.
SCHEMA = f"""
CREATE SCHEMA one; CREATE SCHEMA two;
CREATE TABLE one.place AS SELECT 'one' AS name;
CREATE TABLE two.place AS SELECT 'two' AS name;
CREATE FUNCTION one.where_am_i() RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''one''::text';
CREATE FUNCTION two.where_am_i() RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''two''::text';
CREATE FUNCTION one.sets(name text, value text) RETURNS text LANGUAGE plpgsql
    AS 'BEGIN RETURN set_config(name, value, false); END';
GRANT USAGE ON SCHEMA one TO {ROLE};
GRANT SELECT ON one.place TO {ROLE};
"""

SETTINGS = {
    "work_mem": ["'5MB'", "6144", "'lots'"],
    "TimeZone": ["'Asia/Tokyo'", "'Europe/Oslo'", "'Mars'"],
    "DateStyle": ["'SQL, DMY'", "German", "'ISO, MDY'"],
    "IntervalStyle": ["iso_8601", "sql_standard"],
    "search_path": ["one", "two, public", "'$user', two, one", "''"],
    "application_name": ["'it''s me'", "''", '"Quoted Name"'],
    "client_encoding": ["LATIN1", "'UTF8'", "SQL_ASCII", "SJIS"],
    "standard_conforming_strings": ["off", "on"],
    "extra_float_digits": ["0", "-3"],
    "bytea_output": ["escape", "hex"],
    "statement_timeout": ["'200s'", "300000"],
    "default_transaction_read_only": ["on", "off"],
    "default_transaction_isolation": ["'repeatable read'", "serializable"],
    "my.own": ["'a value'", "''", "17"],
    "my.other": ["'\u00e9'", "x"],
}

MODES = ["READ ONLY", "READ WRITE", "ISOLATION LEVEL REPEATABLE READ",
         "ISOLATION LEVEL SERIALIZABLE, READ ONLY", "ISOLATION LEVEL READ COMMITTED"]

FAILURES = ["SELECT 1/0", "SELEC 1", "SELECT * FROM nowhere", "SET no_such_setting = 1",
            "SELECT current_setting('no_such_setting')", "RELEASE SAVEPOINT nowhere"]

READS = [
    "SELECT current_user, session_user, current_setting('role')",
    "SELECT current_schemas(false)",
    "SELECT name FROM place",
    "SELECT where_am_i()",
    "SELECT name FROM one.place UNION ALL SELECT name FROM two.place",
    "SELECT timestamptz '2024-05-06 07:08:09+00', date '2024-02-03', interval '1 day 02:03:04'",
    "SELECT 0.1::float8 + 0.2::float8, decode('4100ff', 'hex')",
    "SELECT chr(233), length('\u00e9')",
    "SELECT 'a\\\\b'",
    "SELECT n FROM mine",
    "FETCH 2 FROM c", "FETCH 2 FROM h",
    "SELECT name, is_holdable FROM pg_cursors WHERE name <> '' ORDER BY 1",
    "SELECT name, statement FROM pg_prepared_statements WHERE from_sql ORDER BY 1",
    "SELECT classid, objid, objsubid, mode FROM pg_locks"
    " WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY 1, 2, 3, 4",
    "SELECT pg_listening_channels() ORDER BY 1",
    "SHOW transaction_isolation", "SHOW transaction_read_only",
    "SELECT current_setting('transaction_isolation')",
    "EXECUTE p", "EXECUTE q(3)", "EXECUTE d", "EXECUTE w", "EXPLAIN (COSTS OFF) EXECUTE q(4)",
]

# For what goes by a name: they can always be prepared.
PREPARED = ["BEGIN", "COMMIT", "ROLLBACK", "SET work_mem = '7MB'", "SHOW work_mem",
            "SELECT current_schemas(false)", "SELECT 1/0 FROM pg_class",
            "SELECT date '01/02/2020' - date '2020-01-01', length('\u00e9')",
            "SELECT set_config('my.own', 'prepared', false)", "SELECT pg_advisory_unlock_all()",
            "CREATE TEMP TABLE mine AS SELECT 9 AS n"]

TRANSACTIONS = ["COMMIT", "ROLLBACK", "END", "SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a",
                "ROLLBACK TO SAVEPOINT b", "RELEASE a", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"]

OBJECTS = [
    "CREATE TEMP TABLE mine AS SELECT 7 AS n", "DROP TABLE mine", "DROP TABLE IF EXISTS mine",
    "CREATE TEMP TABLE mine (n) ON COMMIT DROP AS SELECT 8", "DISCARD TEMP",
    "CREATE TEMP VIEW place AS SELECT 'temporary' AS name",
    "PREPARE p AS SELECT current_setting('work_mem')", "PREPARE q(int) AS SELECT $1 + 1",
    "PREPARE d AS SELECT '01/02/2020'::date + 1, 'a'::text", "PREPARE w AS SELECT name FROM place",
    "PREPARE p AS SELECT set_config('work_mem', '9MB', false)", "DEALLOCATE d", "DEALLOCATE w",
    "PREPARE q AS SELECT '\\x41'; PREPARE p AS SELECT 2",
    "DEALLOCATE p", "DEALLOCATE q", "DEALLOCATE ALL",
    "DECLARE c CURSOR FOR SELECT generate_series(1, 5)",
    "DECLARE h CURSOR WITH HOLD FOR SELECT generate_series(1, 5)",
    "CLOSE c", "CLOSE h", "CLOSE ALL",
    "SELECT pg_try_advisory_lock(1)", "SELECT pg_try_advisory_lock_shared(2, 3)",
    "SELECT pg_try_advisory_xact_lock(4)", "SELECT pg_advisory_unlock(1)",
    "SELECT pg_advisory_unlock_shared(2, 3)", "SELECT pg_advisory_unlock_all()",
    "LISTEN news", "LISTEN \"Other\"", "UNLISTEN news", "UNLISTEN *",
]

NAMES = ["s", "t", ""]


def resets(part):
    """Whether a part sets something back to its value at connect."""
    return any(word in part[-1] for word in ("RESET", "DEFAULT", "DISCARD ALL", "ZONE LOCAL"))


@dataclass(frozen=True)
class Step:
    """What one client sends up to a ReadyForQuery."""

    client: int
    # query: a simple query of all parts. extended: the messages of all parts, and Sync.
    # reconnect: it leaves, and comes back.
    how: str
    parts: tuple = ()

    def bytes(self):
        """As it is sent."""
        if self.how == "query":
            return query("; ".join(text for _, text in self.parts))
        return b"".join(messages(*part) for part in self.parts) + SYNC

    def begins(self):
        """Whether it does nothing but begin a transaction."""
        return len(self.parts) == 1 and self.parts[0][0] == "run" and (
            self.parts[0][1].startswith(("BEGIN", "START TRANSACTION")))

    def smaller(self):
        """The step without one of its parts."""
        if len(self.parts) > 1:
            for index in range(len(self.parts)):
                yield replace(self, parts=self.parts[:index] + self.parts[index + 1:])

    def __str__(self):
        parts = " | ".join(" ".join(map(repr, part[1:])) if part[0] == "run"
                           else f"{part[0]} {part[1:]!r}" for part in self.parts)
        return f"client {self.client}, {self.how}: {parts}"


def messages(kind, *words):
    """The extended messages of one part."""
    match kind:
        case "run":
            return parse(words[0]) + bind() + describe(b"P") + execute()
        case "parse":
            return parse(words[1], words[0])
        case "use":
            return bind(words[0]) + describe(b"P") + execute()
        case "describe":
            return describe(b"S", words[0])
        case "close":
            return close(b"S", words[0])
        case "open":
            return bind(words[0], words[1])
        case "fetch":
            return execute(words[0], 2)
        case "shut":
            return close(b"P", words[0])
    raise ValueError(kind)


class Generator:
    """Sequences by a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.startups = [self.startup(), self.startup()]

    def startup(self):
        """Settings of a startup packet, by which RESET goes."""
        return self.random.choice([
            {}, {}, {"application_name": "started"}, {"client_encoding": "LATIN1"},
            {"options": "-c work_mem=3MB -c my.own=at\\ start", "TimeZone": "America/Lima"},
            {"options": "-c default_transaction_read_only=on -c search_path=two,one"},
        ])

    def steps(self):
        """6 to 12 of two clients."""
        return [step for _ in range(self.random.randint(6, 12))
                for step in self.turn(self.random.randrange(2))]

    def turn(self, client):
        """One or two steps of a client.

        What its startup packet set comes back from a RESET when the transaction is over, so such
        a client resets outside of one, and does nothing else in the same message. Nor does a
        pipeline use statements behind their end. A transaction that has begun on a replica stays
        there, where nobody can listen or begin to write."""
        step = self.step(client)
        alone = [part for part in step.parts if resets(part) and self.startups[client]
                 or part[-1].startswith("LISTEN") or part[-1].endswith("READ WRITE")
                 or part[-1] in ("DISCARD ALL", "DEALLOCATE ALL") and step.how == "extended"]
        if not alone:
            return [step]
        return [Step(client, "query", (("run", "ROLLBACK"),)),
                Step(client, "query", (("run", alone[0][-1]),))]

    def step(self, client):
        """One of a client."""
        draw = self.random.random()
        if draw < 0.02:
            return Step(client, "reconnect")
        if draw < 0.6:
            count = self.random.choice([1, 1, 1, 1, 2, 3])
            return Step(client, "query",
                        tuple(("run", self.statement()) for _ in range(count)))
        count = self.random.choice([1, 1, 1, 2, 3])
        return Step(client, "extended", tuple(self.part() for _ in range(count)))

    def part(self):
        """What makes a few extended messages."""
        pick = self.random.choice
        match self.random.randrange(10):
            case 0:
                # Where a name is taken and the statement is wrong, either error may come.
                name = pick(NAMES)
                return ("parse", name, pick(PREPARED if name else PREPARED + FAILURES))
            case 1 | 2:
                return ("use", pick(NAMES))
            case 3:
                words = [("describe", pick(NAMES)), ("close", pick(NAMES)),
                         ("open", pick(NAMES), "x"), ("fetch", "x"), ("shut", "x")]
                return pick(words)
        return ("run", self.statement())

    def statement(self):
        """One of SQL."""
        pick = self.random.choice
        match self.random.randrange(16):
            case 0 | 1 | 2:
                return self.change()
            case 3:
                return pick(["RESET ALL", "DISCARD ALL", "RESET ROLE", "DISCARD PLANS",
                             f"SET ROLE {ROLE}", f"SET LOCAL ROLE {ROLE}", "SET ROLE NONE",
                             "SET SESSION AUTHORIZATION app", "RESET SESSION AUTHORIZATION",
                             f"SELECT set_config('role', '{ROLE}', false)"])
            case 4:
                return f"SET SESSION CHARACTERISTICS AS TRANSACTION {pick(MODES)}"
            case 5 | 6:
                return pick([
                    "BEGIN", "BEGIN", "START TRANSACTION", f"BEGIN {pick(MODES)}",
                    "SET TRANSACTION READ ONLY"])
            case 7 | 8:
                return pick(TRANSACTIONS)
            case 9:
                return pick(FAILURES)
            case 10 | 11:
                return pick(OBJECTS)
            case 12 | 13:
                return self.setting_read()
        return pick(READS)

    def change(self):
        """A change of a setting."""
        pick = self.random.choice
        name = pick(list(SETTINGS))
        value = pick(SETTINGS[name])
        literal = value if value.startswith("'") else "'" + value.strip('"') + "'"
        return pick([
            f"SET {name} = {value}", f"SET {name} TO {value}", f"SET SESSION {name} = {value}",
            f"SET LOCAL {name} = {value}", f"SET {name} TO DEFAULT", f"RESET {name}",
            f"SELECT set_config('{name}', {literal}, false)",
            f"SELECT set_config('{name}', {literal}, true)",
            f"SELECT one.sets('{name}', {literal})",
            f"DO 'BEGIN PERFORM set_config(''{name}'', ''500000'', false); END'",
            "SET TIME ZONE 'UTC'", "SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE",
            "SET NAMES 'LATIN1'", "SET SCHEMA 'two'", "SET TIME ZONE LOCAL",
        ])

    def setting_read(self):
        """A question for settings. One with a dot may be empty that was never set (Differences.md)."""
        name = self.random.choice(list(SETTINGS))
        if "." not in name and self.random.random() < 0.3:
            return f"SHOW {name}"
        if self.random.random() < 0.5:
            return f"SELECT coalesce(current_setting('{name}', true), '')"
        every = ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in SETTINGS)
        return f"SELECT {every}"
