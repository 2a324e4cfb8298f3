// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

struct ReadTests {
    @Test func `queries without side effects run on replicas`() {
        check("SELECT 1", "replica")
        check("select * from users where id = $1", "replica")
        check("TABLE users", "replica")
        check("VALUES (1), (2)", "replica")
        check("(SELECT 1) UNION (SELECT 2)", "replica")
        check("((SELECT 1))", "replica")
        check("WITH a(x) AS (SELECT 1), b (y) AS (SELECT 2) SELECT * FROM a, b", "replica")
        check("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) TABLE t", "replica")
        check("", "replica")
        check(" ; ; ", "replica")
    }

    @Test func `what the grammar follows with a parenthesis is no call`() {
        check(
            "SELECT count(*) FILTER (WHERE a) OVER (PARTITION BY (b) ORDER BY (c)) FROM t",
            "replica")
        check("SELECT a FROM t GROUP BY GROUPING SETS ((a), ROLLUP (b, c), CUBE (d))", "replica")
        check(
            "SELECT 1 WHERE a IN (1) AND (b) OR NOT (c) AND EXISTS (SELECT) AND d = ANY (e)",
            "replica")
        check("SELECT CASE (a) WHEN (1) THEN (2) ELSE (3) END", "replica")
        check(
            "SELECT '1'::numeric(10,2), x::varchar(5), y::character varying(3), z::bit(3)",
            "replica")
        check("SELECT CAST(x AS decimal(4)), interval(3) '1 s', interval '1' SECOND (2)", "replica")
        check("SELECT now()::timestamp(0), time(3) '10:00', CURRENT_TIMESTAMP(2)", "replica")
        check(
            "SELECT * FROM a JOIN b USING (id) LEFT JOIN c ON (x) CROSS JOIN LATERAL (SELECT)",
            "replica")
        check("SELECT * FROM users TABLESAMPLE BERNOULLI (5) REPEATABLE (2)", "replica")
        check("SELECT a FROM t FETCH FIRST (5) ROWS ONLY", "replica")
        check("SELECT 1 OPERATOR(pg_catalog.+) 2", "replica")
        check(
            "SELECT substring(a from 1 for 2), overlay(a placing b from 1), trim(both from c)",
            "replica")
        check(
            "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM t WINDOW w AS (ORDER BY y)",
            "replica")
    }

    @Test func `aliases with columns are no calls`() {
        check("SELECT * FROM t x(a, b)", "replica")
        check("SELECT * FROM t AS x(a)", "replica")
        check("SELECT * FROM (SELECT 1) x (a)", "replica")
        check("SELECT * FROM \"T\" x(a)", "replica")
        check(
            "SELECT * FROM generate_series(1, 2) g(i), unnest($1) WITH ORDINALITY u(v, n)",
            "replica")
        check("SELECT * FROM json_to_record($1) AS x(a int, b geometry(point, 4326))", "replica")
    }

    @Test func `an unknown function is a write where a call can stand`() {
        for sql in [
            "SELECT f(1)", "SELECT a, f(1)", "SELECT (f(1))", "SELECT a + f(1)",
            "SELECT 1 WHERE f(1)",
            "SELECT * FROM f(1)", "SELECT * FROM t, f(1)", "SELECT * FROM t JOIN f(1) ON true",
            "SELECT * FROM LATERAL f(1)", "SELECT * FROM ROWS FROM (f(1))", "SELECT f (1)",
            "SELECT f/**/(1)",
            "SELECT CASE WHEN a THEN f(1) END", "SELECT NOT f(1)", "SELECT a FROM t ORDER BY f(1)",
            "SELECT DISTINCT f(1)", "SELECT DISTINCT ON (a) f(b)",
            "SELECT DISTINCT ON ((a), (b)) f(b)",
            "SELECT 1 OPERATOR(pg_catalog.+) f(2)", "SELECT ARRAY[f(1)]", "SELECT a LIMIT f(1)",
            "SELECT a OFFSET f(1) ROWS", "VALUES (f(1))", "SELECT lower(f(1))", "SELECT x.f(1)",
            "SELECT \"F\"(1)", "SELECT a BETWEEN f(1) AND 2", "SELECT 1 = ANY (f(1))",
            "SELECT sum(a) OVER (ORDER BY f(b))", "SELECT a GROUP BY f(b)", "SELECT a HAVING f(b)",
            "SELECT f(VARIADIC a)", "SELECT ALL f(1)", "SELECT -f(1)", "SELECT a[f(1)]",
            "SELECT a::int + f(1)",
            "WITH a AS (SELECT 1) SELECT f(1)", "WITH a AS (SELECT f(1)) SELECT 1",
            "SELECT (WITH b AS (SELECT 1) SELECT a, f(1))", "SELECT json_object('a' VALUE f(1))",
        ] {
            check(sql, "unknown-function")
        }
    }

    @Test func `quoting a function does not hide it`() {
        check("SELECT \"nextval\"('s')", "sequence")
        check("SELECT pg_catalog.\"nextval\"('s')", "sequence")
        check("SELECT \"pg_catalog\".nextval('s')", "sequence")
        check("SELECT \"lower\"('A'), \"count\"(*)", "replica")
        check("SELECT \"Lower\"('A')", "unknown-function")
        check("SELECT \"in\"(1)", "unknown-function")
    }

    @Test func `words that are names change nothing`() {
        check("SELECT t.update, t.into, t.insert FROM t", "replica")
        check("SELECT 1 AS into, 2 AS update, 3 AS delete", "replica")
        check("SELECT \"update\", \"into\" FROM \"delete\"", "replica")
        check("SELECT 'FOR UPDATE; DELETE FROM t'", "replica")
        check("SELECT nextval, currval FROM t", "replica")
    }

    @Test func `explain without analyze only plans`() {
        check("EXPLAIN SELECT 1", "replica")
        check("EXPLAIN INSERT INTO t(a) VALUES (f(1))", "replica")
        check("EXPLAIN (VERBOSE, ANALYZE off) DELETE FROM t", "replica")
        check("EXPLAIN SELECT nextval('s') FOR UPDATE", "replica")
        check("EXPLAIN SELECT * FROM cache", "unlogged-relation")
        check("EXPLAIN SELECT 1 INTO x", "select-into")
        check("EXPLAIN (SELECT 1)", "replica")
        check("EXPLAIN ANALYZE SELECT 1", "replica")
        check("EXPLAIN ANALYZE INSERT INTO t VALUES (1)", "data-modification")
        check("EXPLAIN (ANALYZE) DELETE FROM t", "data-modification")
        check("EXPLAIN (\"analyze\") DELETE FROM t", "data-modification")
        check("EXPLAIN (ANALYZE true) WITH d AS (DELETE FROM t) SELECT 1", "data-modification")
        check("EXPLAIN (ANALYZE off, ANALYZE on) DELETE FROM t", "data-modification")
        check("EXPLAIN ANALYZE SELECT nextval('s')", "sequence")
        check("EXPLAIN ANALYZE EXECUTE p", "executes-prepared +sql-execute")
        check("EXPLAIN CREATE TABLE t AS SELECT 1", "schema-change")
        check("EXPLAIN VACUUM", "unparsable +opaque")
    }

    @Test func `copy out of tables and queries is a read`() {
        check("COPY t TO STDOUT", "replica")
        check("COPY s.t (a, b) TO STDOUT WITH (FORMAT csv)", "replica")
        check("COPY (SELECT 1) TO STDOUT", "replica")
        check("COPY (DELETE FROM t RETURNING a) TO STDOUT", "data-modification")
        check("COPY (SELECT nextval('s')) TO STDOUT", "sequence")
        check("COPY t TO '/tmp/x'", "server-file")
        check("COPY t TO PROGRAM 'cat'", "server-file")
        check("COPY t FROM STDIN", "copy-from")
        check("COPY cache TO STDOUT", "unlogged-relation")
        check("COPY pg_temp.t TO STDOUT", "temporary-object +temporary")
        #expect(classify("COPY t TO STDOUT").command == .copyToStdout)
        #expect(classify("COPY t (a) FROM STDIN CSV").command == .copyFromStdin)
        #expect(classify("COPY t FROM '/tmp/x'").command == .none)
    }
}
