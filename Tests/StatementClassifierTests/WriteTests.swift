// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

struct WriteTests {
    @Test func `data modification is found at the head and in queries`() {
        for sql in [
            "INSERT INTO t VALUES (1)", "update t set a = 1", "DELETE FROM t",
            "/* x */ DELETE FROM t",
            "-- x\nDELETE FROM t", "MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE",
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
            "WITH d AS (DELETE FROM t) SELECT 1",
            "WITH a AS (SELECT 1), d AS (UPDATE t SET a = 1 RETURNING b) SELECT * FROM d",
            "WITH d AS NOT MATERIALIZED (INSERT INTO t VALUES (1) RETURNING b) TABLE d",
            "WITH d AS (WITH e AS (SELECT 1) DELETE FROM t RETURNING a) SELECT 1",
            "WITH d AS (/* x */ -- y\n delete from t) SELECT 1", "TRUNCATE t",
            "truncate table only t",
        ] {
            check(sql, "data-modification")
        }
    }

    // Edge cases: 87
    @Test func `a row lock anywhere is for the primary`() {
        for lock in [
            "FOR UPDATE", "for no key update", "FOR SHARE", "FOR KEY SHARE", "FOR\nUPDATE",
            "FOR/**/SHARE",
            "FOR UPDATE OF t SKIP LOCKED", "FOR SHARE NOWAIT",
        ] {
            check("SELECT * FROM t \(lock)", "locking-clause")
            check("SELECT * FROM (SELECT * FROM t \(lock)) s", "locking-clause")
            check("WITH a AS (SELECT * FROM t \(lock)) SELECT 1", "locking-clause")
        }
        check("SELECT * FROM t FOR READ ONLY", "replica")
        check("SELECT substring(a FOR 3) FROM t", "replica")
    }

    @Test func `select into creates a table`() {
        check("SELECT 1 INTO x", "select-into")
        check("SELECT insert INTO x", "select-into")
        check("EXPLAIN SELECT merge INTO x", "select-into")
        check("SELECT * INTO TABLE x FROM t", "select-into")
        check("SELECT a INTO TEMP x FROM t", "select-into +temporary")
        check("SELECT a INTO LOCAL TEMPORARY TABLE x FROM t", "select-into +temporary")
        check("SELECT a INTO pg_temp.x FROM t", "select-into +temporary")
        #expect(classify("SELECT 1 INTO x").changesSchema)
        #expect(!classify("INSERT INTO t VALUES (1)").changesSchema)
        #expect(!classify("SELECT 1").changesSchema)
    }

    @Test func `schema changes are for the primary and make the catalogue stale`() {
        for sql in [
            "CREATE TABLE t (id int DEFAULT nextval('s'))", "create unlogged table t ()",
            "DROP TABLE t",
            "ALTER TABLE t ADD a int", "GRANT SELECT ON t TO u", "REVOKE ALL ON t FROM u",
            "COMMENT ON TABLE t IS 'x'", "CREATE OR REPLACE VIEW v AS SELECT nextval('s')",
            "CREATE INDEX ON t (lower(a))", "SECURITY LABEL ON TABLE t IS 'x'",
            "REASSIGN OWNED BY a TO b",
            "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "CREATE TABLE t AS SELECT 1",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = a, pg_temp AS 'SELECT 1'",
        ] {
            check(sql, "schema-change")
            #expect(classify(sql).changesSchema, "\(sql)")
        }
        check("CREATE TABLE t AS SELECT nextval('s')", "schema-change")
    }

    @Test func `temporary objects are seen and do not make the catalogue stale`() {
        for sql in [
            "CREATE TEMP TABLE t (a int)", "CREATE TEMPORARY VIEW v AS SELECT 1",
            "CREATE LOCAL TEMP TABLE t ()",
            "CREATE GLOBAL TEMPORARY TABLE t ()", "CREATE OR REPLACE TEMP VIEW v AS SELECT 1",
            "CREATE TEMP SEQUENCE s", "create temp table t as select 1",
        ] {
            check(sql, "schema-change +temporary")
            #expect(!classify(sql).changesSchema, "\(sql)")
        }
        check("CREATE TABLE pg_temp.t (a int)", "schema-change +temporary")
        check("SELECT * FROM pg_temp.t", "temporary-object +temporary")
        check("SELECT * FROM pg_temp_12.t", "temporary-object +temporary")
        check("INSERT INTO pg_temp.t VALUES (1)", "data-modification +temporary")
        check("SELECT pg_temp FROM t", "replica")
    }

    // Edge cases: 86
    @Test func `utility commands have their reasons`() {
        check("VACUUM FULL t", "maintenance")
        check("ANALYZE t (a)", "maintenance")
        check("REINDEX TABLE t", "maintenance")
        check("CLUSTER t", "maintenance")
        check("CHECKPOINT", "maintenance")
        check("REFRESH MATERIALIZED VIEW m", "maintenance")
        check("LOCK TABLE t IN ACCESS SHARE MODE", "table-lock")
        check("CALL p(1)", "procedure-call +opaque")
        check("DO $$BEGIN END$$", "anonymous-block +opaque")
        check("LOAD 'x'", "loads-library +opaque")
        check("FROBNICATE t", "unknown-statement +opaque")
        check("123", "unparsable +opaque")
    }

    @Test func `effects are gathered from writes as well`() {
        check("INSERT INTO t SELECT nextval('s')", "data-modification")
        check("UPDATE t SET a = set_config('x.y', 'z', false)", "data-modification +settings")
        check("DELETE FROM t WHERE pg_advisory_lock(1) IS NULL", "data-modification +advisory-lock")
        check("INSERT INTO t VALUES (app.remember('x'))", "data-modification +opaque")
    }

    @Test func `bodies of functions and rules hide their semicolons`() {
        let atomic =
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE a WHEN 1 THEN 2 END; DELETE FROM t; END"
        #expect(classify(atomic).statementCount == 1)
        #expect(!classify(atomic).containsTransactionControl)
        #expect(classify(atomic + "; SELECT 1").statementCount == 2)
        let rule = "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; NOTIFY b)"
        #expect(classify(rule).statementCount == 1)
        #expect(classify("CREATE FUNCTION f() AS $$ a; b; c $$; SELECT 1").statementCount == 2)
    }

    @Test func `one write sends a text of many statements to the primary`() {
        check("SELECT 1; DELETE FROM t; SELECT 2", "data-modification")
        check("SELECT 1; SELECT nextval('s'); DELETE FROM t", "sequence")
        check("SELECT 1; SELECT 2;", "replica")
        #expect(classify("SELECT 1; SELECT 2;").statementCount == 2)
        #expect(classify(";;SELECT 1;;").statementCount == 1)
        #expect(classify("SET a = 1; SET b = 2").command == .none)
    }
}
