# SPDX-License-Identifier: Apache-2.0
"""What a session has set is the same on every server that works for it, and on no other's."""

import psycopg
import pytest
from localcluster.processes import wait_until
from support.endpoint import value, where
from support.wire import Wire, fields, kinds, query, rows, status


@pytest.fixture(scope="module")
def narrow(cluster, martlet):
    """A martlet with one server a node, so that sessions must share it."""
    from conftest import Martlet
    from support.endpoint import Endpoint

    one = Martlet(cluster, martlet.martlet.binary, 9, {"pools": {"size": 1}})
    one.stop()
    one.write_configuration()
    one.start()
    endpoint = Endpoint(cluster, one)
    endpoint.wait_settled()
    yield endpoint
    one.stop()


SETTINGS = {
    "work_mem": "5MB",
    "TimeZone": "Asia/Tokyo",
    "DateStyle": "SQL, DMY",
    "search_path": "pg_catalog, public",
    "statement_timeout": "123s",
    "application_name": "it's me",
    "my.own": "value",
    "extra_float_digits": "0",
}


def seen(connection, write):
    """Every setting, on a replica or on the primary."""
    hint = "/* martlet: primary */ " if write else ""
    # A name with a dot that another session has used is empty on that server and not unknown.
    calls = ", ".join(f"nullif(current_setting('{name}', true), '')" for name in SETTINGS)
    return dict(zip(SETTINGS, connection.execute(f"{hint}SELECT {calls}").fetchone(), strict=True))


# Edge cases: 63, 68
def test_settings_follow_the_session_over_servers(narrow, replica_ports):
    with narrow.connect() as one, narrow.connect() as other:
        untouched = seen(other, False)
        for name, setting in SETTINGS.items():
            one.execute("SELECT set_config(%s, %s, false)", (name, setting))
        for _ in range(6):
            assert seen(one, False) == SETTINGS
            assert seen(other, True) == untouched
            assert seen(one, True) == SETTINGS
            assert seen(other, False) == untouched


# Edge cases: 64
@pytest.mark.parametrize("spelling, expected", [
    ("SET work_mem = '7MB'", "7MB"),
    ("SET work_mem TO 7168", "7MB"),
    ("set session WORK_MEM to '7168kB'", "7MB"),
    ('SET "work_mem" = \'7MB\'', "7MB"),
    ("SET work_mem = DEFAULT", "4MB"),
    ("SET LOCAL work_mem = '9MB'", "4MB"),
])
def test_spellings_of_set(narrow, spelling, expected):
    with narrow.connect() as connection:
        connection.execute(spelling)
        for write in (False, True, False):
            assert seen(connection, write)["work_mem"] == expected


# Edge cases: 67
def test_reset_goes_back_to_the_value_at_connect(narrow):
    with narrow.connect(options="-c work_mem=3MB -c my.own=a\\ b") as connection:
        for statement in ("RESET work_mem", "RESET ALL", "DISCARD ALL", "SET work_mem = DEFAULT"):
            connection.execute("SET work_mem = '8MB'")
            assert seen(connection, False)["work_mem"] == "8MB"
            connection.execute(statement)
            for write in (True, False, True):
                assert seen(connection, write)["work_mem"] == "3MB", statement
        assert seen(connection, False)["my.own"] == "a b"


# Edge cases: 64
def test_a_setting_of_a_rolled_back_transaction_is_undone(narrow):
    with narrow.connect() as connection:
        connection.execute("SET work_mem = '6MB'")
        connection.execute("BEGIN")
        connection.execute("SET work_mem = '10MB'")
        connection.execute("SAVEPOINT s")
        connection.execute("SET work_mem = '11MB'")
        connection.execute("ROLLBACK TO s")
        assert value(connection, "SHOW work_mem") == "10MB"
        connection.execute("ROLLBACK")
        for write in (False, True):
            assert seen(connection, write)["work_mem"] == "6MB"


def test_a_failed_set_changes_nothing(narrow):
    with narrow.connect() as connection:
        connection.execute("SET work_mem = '6MB'")
        for wrong in ("SET work_mem = 'lots'", "SET no_such_setting = 1", "SET TimeZone = 'Mars'"):
            with pytest.raises(psycopg.Error):
                connection.execute(wrong)
        for write in (False, True):
            assert seen(connection, write)["work_mem"] == "6MB"


# Edge cases: 70
def test_set_beside_other_statements_in_one_query(narrow):
    with Wire(narrow.port).login() as wire:
        wire.ask(query("SET work_mem = '12MB'; SELECT 1; SET my.own = 'x'"))
        for hint in ("", "/* martlet: primary */ "):
            answer = wire.ask(query(f"{hint}SELECT current_setting('work_mem'),"
                                    " current_setting('my.own')"))
            assert rows(answer) == [("12MB", "x")]


# Edge cases: 65
def test_a_role_follows_and_ends(cluster, narrow):
    cluster.run("DROP ROLE IF EXISTS app_other")
    cluster.run("CREATE ROLE app_other; GRANT app_other TO app")
    question = "SELECT current_user, session_user"
    with narrow.connect() as one, narrow.connect() as other:
        one.execute("SET ROLE app_other")
        for hint in ("", "/* martlet: primary */ ", ""):
            assert one.execute(hint + question).fetchone() == ("app_other", "app")
            assert other.execute(hint + question).fetchone() == ("app", "app")
        one.execute("RESET ROLE")
        assert one.execute(question).fetchone() == ("app", "app")
    cluster.run("DROP ROLE app_other")


# Edge cases: 107
def test_parameter_status_tells_of_changes(narrow):
    with narrow.connect() as connection:
        assert connection.info.parameter_status("client_encoding") == "UTF8"
        connection.execute("SET TimeZone = 'Europe/Oslo'")
        assert connection.info.parameter_status("TimeZone") == "Europe/Oslo"
        connection.execute("SELECT 1")
        assert connection.info.parameter_status("TimeZone") == "Europe/Oslo"
        connection.execute("RESET TimeZone")
        assert connection.info.parameter_status("TimeZone") != "Europe/Oslo"


# Edge cases: 11
def test_the_start_up_answer_is_complete(martlet):
    with Wire(martlet.port).login(application_name="ünï", client_encoding="UTF8") as wire:
        for name in ("server_version", "server_encoding", "client_encoding", "DateStyle",
                     "TimeZone", "integer_datetimes", "standard_conforming_strings",
                     "session_authorization", "is_superuser", "IntervalStyle"):
            assert wire.parameters.get(name), name
        assert wire.parameters["session_authorization"] == "app"
        assert wire.parameters["is_superuser"] == "off"
        assert wire.parameters.get("in_hot_standby", "off") == "off", "it may write"
        assert wire.key is not None and len(wire.key) == 8


# Edge cases: 8
def test_a_wrong_setting_at_connect_is_refused_as_by_postgresql(martlet):
    for options in ("-c work_mem=lots", "-c no_such_setting=1"):
        with pytest.raises(psycopg.OperationalError) as refused:
            martlet.connect(options=options)
        assert "FATAL" in str(refused.value)


def test_client_encoding_at_connect(narrow):
    with narrow.connect(client_encoding="LATIN1") as one, narrow.connect() as other:
        for _ in range(4):
            assert value(one, "SELECT 'Grüße'::text || chr(228)") == "Grüßeä"
            assert value(other, "SELECT 'Grüße €'::text") == "Grüße €"


def test_standard_conforming_strings_off(narrow, primary_port):
    with narrow.connect() as connection:
        connection.execute("SET standard_conforming_strings = off")
        connection.execute("SET escape_string_warning = off")
        with Wire(narrow.port).login() as wire:
            wire.ask(query("SET standard_conforming_strings = off"))
            answer = wire.ask(query(r"SELECT 'it\'s; DELETE FROM items', inet_server_port()"))
            assert rows(answer)[0][0] == "it's; DELETE FROM items"


# Edge cases: 77
def test_a_temporary_table_pins_and_dropping_it_unpins(martlet, primary_port):
    with martlet.connect() as connection, martlet.clients(30) as others:
        connection.execute("CREATE TEMP TABLE mine (n integer)")
        for number in range(10):
            connection.execute("INSERT INTO mine VALUES (%s)", (number,))
            for other in others:
                other.execute("SELECT 1")
            assert value(connection, "SELECT count(*) FROM mine") == number + 1
        assert martlet.metrics().sum("martlet_pins") >= 1
        assert where(connection) == primary_port
        connection.execute("DISCARD ALL")
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM mine")


# Edge cases: 77
def test_a_temporary_table_is_not_left_to_others(narrow):
    with narrow.connect() as connection:
        connection.execute("CREATE TEMP TABLE secret AS SELECT 1 AS n")
    with narrow.connect() as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("/* martlet: primary */ SELECT * FROM secret")


# Edge cases: 78
def test_an_advisory_lock_is_held_until_it_is_given_back(martlet):
    with martlet.connect() as one, martlet.clients(30) as others:
        one.execute("SELECT pg_advisory_lock(4711)")
        for other in others:
            assert value(other, "SELECT pg_try_advisory_lock(4711)") is False
        assert value(one, "SELECT pg_advisory_unlock(4711)") is True
        assert value(others[0], "SELECT pg_try_advisory_lock(4711)") is True
        assert value(others[0], "SELECT pg_advisory_unlock(4711)") is True


def test_an_advisory_lock_ends_with_its_client(martlet):
    one = martlet.connect()
    one.execute("SELECT pg_advisory_lock(4712)")
    one.close()
    with martlet.connect() as other:
        def free():
            if not value(other, "SELECT pg_try_advisory_lock(4712)"):
                return False
            return value(other, "SELECT pg_advisory_unlock(4712)")

        wait_until("the lock to be free", free, 30)


# Edge cases: 82
def test_listen_gets_notifications_while_idle(martlet):
    with martlet.connect() as listener, martlet.connect() as silent, martlet.clients(20) as others:
        listener.execute("LISTEN news")
        for number, other in enumerate(others):
            other.execute("SELECT pg_notify('news', %s)", (f"number {number}",))
        found = []
        for note in listener.notifies(timeout=60, stop_after=len(others)):
            found.append(note.payload)
        assert found == [f"number {number}" for number in range(len(others))]
        assert not list(silent.notifies(timeout=0.2)), "only for those who asked"


# Edge cases: 75
def test_a_holdable_cursor_survives_its_transaction(martlet):
    with martlet.connect() as connection, martlet.clients(30) as others:
        connection.execute("BEGIN")
        connection.execute("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 100)")
        connection.execute("COMMIT")
        for number in range(1, 11):
            for other in others[:10]:
                other.execute("SELECT 1")
            assert value(connection, "FETCH 1 FROM held") == number
        connection.execute("CLOSE held")


# Edge cases: 80
def test_currval_is_the_sessions_own_or_none(martlet):
    with martlet.connect() as one, martlet.connect() as other:
        with one.transaction():
            mine = value(one, "SELECT nextval('numbers')")
            value(other, "SELECT nextval('numbers')")
            assert value(one, "SELECT currval('numbers')") == mine
            assert value(one, "SELECT lastval()") == mine
        for question in ("SELECT currval('numbers')", "SELECT lastval()"):
            for _ in range(5):
                value(other, "SELECT nextval('numbers')")
                # Nobody else's value, in silence.
                with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
                    value(one, question)
        one.execute("CREATE TEMP TABLE pinned (n serial)")
        one.execute("INSERT INTO pinned DEFAULT VALUES")
        assert value(one, "SELECT lastval()") == 1


def test_no_pin_is_left_when_the_clients_have_gone(martlet):
    wait_until("no pins", lambda: martlet.metrics().sum("martlet_pins") == 0, 60)


def test_session_pooling_by_configuration(start_martlet, primary_port):
    endpoint = start_martlet({
        "pools": {"overrides": [{"database": "app", "user": "app", "mode": "session"}]},
    })
    with endpoint.connect() as one, endpoint.connect() as other:
        servers = [{value(c, "SELECT pg_backend_pid()") for _ in range(10)} for c in (one, other)]
        assert [len(found) for found in servers] == [1, 1] and servers[0] != servers[1]
        one.execute("CREATE TEMP TABLE t (n integer)")
        one.execute("PREPARE p AS SELECT 42")
        assert value(one, "EXECUTE p") == 42
        assert value(one, "SELECT count(*) FROM t") == 0
        assert where(one) == primary_port
    with endpoint.connect() as third, pytest.raises(psycopg.errors.UndefinedTable):
        third.execute("SELECT * FROM t")


def test_a_notice_reaches_its_client(martlet):
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(query("DO $$ BEGIN RAISE NOTICE 'hello'; END $$"))
        assert next(fields(body) for kind, body in answer if kind == b"N")["M"] == "hello"
        assert status(answer) == "I" and kinds(answer).endswith("CZ")
