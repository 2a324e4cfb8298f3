-- SPDX-License-Identifier: Apache-2.0
-- psql: multi-statement queries, \copy, cursors by FETCH_COUNT, large objects, savepoints, \bind and
-- named statements, pipelines, notices and errors in full.

\set QUIET on
\set VERBOSITY verbose
\set SHOW_ALL_RESULTS on
\pset pager off
\set ECHO queries

\echo == read only
BEGIN READ ONLY;
SELECT '@replica ' || inet_server_port() AS where \gset
\echo :where
INSERT INTO refused VALUES ('x');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

\echo == tables
CREATE TABLE item (id serial PRIMARY KEY, name text NOT NULL UNIQUE, price numeric);
INSERT INTO item (name, price) SELECT 'name ' || n, n FROM generate_series(1, 100) n;
SELECT count(*), sum(price) FROM item;
INSERT INTO item (name) VALUES ('one more') RETURNING id, name \; SELECT count(*) FROM item;
\echo :ROW_COUNT :SQLSTATE :ERROR

\echo == describe
\d item
\dt
SELECT id, name, price FROM item \gdesc
SELECT 'SELECT ' || n FROM generate_series(1, 3) n \gexec
SELECT n, n * 2 AS twice FROM generate_series(1, 3) n \crosstabview
SELECT 1 AS one, 'two' AS two, NULL AS three \gx

\echo == parameters
SELECT $1::int + $2::int \bind 1 2 \g
SELECT $1 \bind 'it''s' \g
PREPARE p (int) AS SELECT $1 * 2;
EXECUTE p(21);
DEALLOCATE p;
EXECUTE p(21);

\echo == errors and notices
SELECT 1/0;
\errverbose
SELECT FROM nowhere;
INSERT INTO item (name) VALUES ('name 1');
DO $$BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning' USING DETAIL = 'more', HINT = 'less'; END$$;
SELECT 1; SELECT 1/0; SELECT 2;
SELECT 1 \; SELECT 1/0 \; SELECT 2;

\echo == transactions
BEGIN;
INSERT INTO item (name) VALUES ('savepoint 1');
SAVEPOINT s;
INSERT INTO item (name) VALUES ('savepoint 1');
SELECT 'ignored';
ROLLBACK TO s;
INSERT INTO item (name) VALUES ('savepoint 2');
COMMIT AND CHAIN;
SHOW transaction_isolation;
ROLLBACK;
SELECT name FROM item WHERE name LIKE 'savepoint%' ORDER BY 1;
\set AUTOCOMMIT off
INSERT INTO item (name) VALUES ('not kept');
ROLLBACK;
\set AUTOCOMMIT on
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT 1/0;
INSERT INTO item (name) VALUES ('kept');
COMMIT;
\set ON_ERROR_ROLLBACK off
SELECT count(*) FROM item WHERE name IN ('kept', 'not kept');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) > 100 FROM item;
COMMIT;
BEGIN;
INSERT INTO item (name) VALUES ('two-phase');
SELECT 'PREPARE TRANSACTION ' || quote_literal('two-phase ' || current_database()) \gexec
SELECT 'COMMIT PREPARED ' || quote_literal('two-phase ' || current_database()) \gexec
SELECT count(*) FROM item WHERE name = 'two-phase';

\echo == cursors
\set FETCH_COUNT 7
SELECT n FROM generate_series(1, 20) n;
\unset FETCH_COUNT
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT n FROM generate_series(1, 10) n;
FETCH 3 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE LAST IN c;
FETCH PRIOR FROM c;
COMMIT;
DECLARE h CURSOR WITH HOLD FOR SELECT n FROM generate_series(1, 5) n;
FETCH 2 FROM h;
FETCH ALL FROM h;
CLOSE h;

\echo == copy
\copy (SELECT id, name FROM item ORDER BY id LIMIT 3) TO STDOUT WITH (FORMAT csv, HEADER)
CREATE TABLE copied (n int, t text);
\copy copied FROM STDIN
1	one
2	\N
\.
COPY copied FROM STDIN;
3	three
x	wrong
\.
SELECT * FROM copied ORDER BY n;
COPY copied TO STDOUT \; SELECT count(*) FROM copied;

\echo == large objects
SELECT lo_from_bytea(4711, '\x0102030405');
SELECT lo_get(4711), lo_get(4711, 1, 2);
BEGIN;
SELECT lo_open(4711, 393216) AS fd \gset
SELECT lowrite(:fd, '\xff'), lo_lseek(:fd, 0, 0), loread(:fd, 10);
COMMIT;
\lo_unlink 4711

\echo == settings
SET work_mem = '7MB';
SHOW work_mem;
SET search_path = pg_catalog;
SELECT count(*) > 0 FROM pg_class;
RESET search_path;
BEGIN;
SET LOCAL work_mem = '9MB';
SHOW work_mem;
ROLLBACK;
SHOW work_mem;
\encoding LATIN1
SELECT chr(228);
\encoding UTF8
DISCARD ALL;
SHOW work_mem;

\echo == notifications
LISTEN news;
NOTIFY news, 'one';
SELECT pg_notify('news', 'two');
UNLISTEN *;

\echo == temporary objects
CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1 AS n;
CREATE TEMP TABLE t AS SELECT 1 AS n;
SELECT * FROM t;
DROP TABLE t;
SELECT pg_try_advisory_lock(4711), pg_advisory_unlock(4711), pg_advisory_unlock(4711);
\echo end
