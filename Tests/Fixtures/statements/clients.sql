--# What drivers, tools and object mappers send by themselves.
SELECT 1 AS "ping"
select version()
select current_schema()
select pg_catalog.version()
show standard_conforming_strings
SHOW server_version_num
select t.oid, typarray from pg_type t join pg_namespace ns on typnamespace = ns.oid where typname = 'hstore'
SELECT t.oid, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = ANY($1)
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3
SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relforcerowsecurity, false AS relhasoids, c.relispartition, '', c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END, c.relpersistence, c.relreplident, am.amname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid) LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE c.oid = '1259'
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = '1259' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2
SELECT c2.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true), contype FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x')) WHERE c.oid = i.indrelid AND i.indexrelid = c2.oid
SELECT d.datname as "Name", pg_catalog.pg_get_userbyid(d.datdba) as "Owner", pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding" FROM pg_catalog.pg_database d ORDER BY 1
SELECT p.proname, pg_catalog.pg_get_function_result(p.oid), pg_catalog.pg_get_function_arguments(p.oid) FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE pg_catalog.pg_function_is_visible(p.oid) AND n.nspname <> 'pg_catalog' ORDER BY 1
SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns WHERE table_name = 'users' ORDER BY ordinal_position
SELECT kcu.column_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu ON tc.constraint_name = kcu.constraint_name WHERE tc.constraint_type = 'PRIMARY KEY'
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND i.indisprimary
SELECT e.typdelim FROM pg_catalog.pg_type t, pg_catalog.pg_type e WHERE t.oid = 1007 and t.typelem = e.oid
SELECT typinput='array_in'::regproc as is_array, typtype, typname FROM pg_type WHERE typname = $1 LIMIT 1
WITH RECURSIVE typeinfo_tree(oid, ns, name, kind, basetype, elemtype, elemdelim, range_subtype, attrtypoids, attrnames, depth) AS (SELECT t.oid, n.nspname, t.typname, t.typtype, NULL::oid, t.typelem, t.typdelim, NULL::oid, NULL::oid[], NULL::text[], 0 FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = ANY('{23}'::oid[]) UNION ALL SELECT ti.oid, ti.ns, ti.name, ti.kind, ti.basetype, ti.elemtype, ti.elemdelim, ti.range_subtype, ti.attrtypoids, ti.attrnames, tt.depth + 1 FROM typeinfo_tree ti, typeinfo_tree tt WHERE ti.oid = tt.elemtype AND tt.depth < 1) SELECT DISTINCT *, basetype::regtype::text AS basetype_name FROM typeinfo_tree ORDER BY depth DESC
SELECT "users"."id", "users"."name" FROM "users" WHERE "users"."id" = 1 LIMIT 21
SELECT "users".* FROM "users" WHERE "users"."email" = $1 ORDER BY "users"."id" ASC LIMIT $2
SELECT COUNT(*) AS "__count" FROM "users"
SELECT (1) AS "a" FROM "users" WHERE "users"."name" = 'x' LIMIT 1
SELECT 1 AS one FROM "users" WHERE "users"."id" = 1 LIMIT 1 /*application:Shop,controller:carts*/
SELECT users.id AS users_id, users.name AS users_name, orders_1.id AS orders_1_id FROM users LEFT OUTER JOIN orders AS orders_1 ON users.id = orders_1.user_id WHERE users.id IN (1, 2) ORDER BY users.id
SELECT anon_1.users_id FROM (SELECT users.id AS users_id FROM users LIMIT 5) AS anon_1 JOIN orders ON orders.user_id = anon_1.users_id
select u1_0.id,u1_0.email,u1_0.name from users u1_0 where u1_0.id=?
select u1_0.id,u1_0.name from users u1_0 where u1_0.name like $1 escape '' order by u1_0.id offset $2 rows fetch first $3 rows only
select count(distinct u1_0.id) from users u1_0 left join orders o1_0 on u1_0.id=o1_0.user_id where o1_0.state in ($1,$2)
select id from users where id=$1 for no key update
SELECT id FROM users WHERE id = 1 FOR UPDATE SKIP LOCKED LIMIT 1
SELECT "id" FROM "orders" WHERE "state" = 'queued' ORDER BY "id" LIMIT 1 FOR UPDATE SKIP LOCKED
SELECT setval(pg_get_serial_sequence('"users"','id'), coalesce(max("id"), 1), max("id") IS NOT null) FROM "users"
select currval('users_id_seq')
SELECT lastval() AS id
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
BEGIN;SET TRANSACTION READ ONLY;
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;select 1
SET extra_float_digits = 3; SET application_name = 'PostgreSQL JDBC Driver'
SET DateStyle=ISO; SET client_min_messages=notice; SELECT set_config('bytea_output','hex',false) FROM pg_settings WHERE name = 'bytea_output'; SET client_encoding='utf-8';
SELECT pg_advisory_lock(3232)
SELECT pg_try_advisory_lock(2707)
SELECT pg_advisory_unlock(3232)
SELECT CASE WHEN pg_is_in_recovery() THEN 'secondary' ELSE 'primary' END AS role
SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')
SELECT pg_catalog.current_setting('is_superuser')
LISTEN "my_channel"
SELECT pg_notify($1, $2)
DISCARD ALL
DEALLOCATE ALL
RESET ALL
UNLISTEN *
CLOSE ALL
SELECT * FROM "users" WHERE ("users"."profile" ->> 'city') = 'x' AND NOT ("users"."tags" @> ARRAY['a']::varchar(10)[])
SELECT DATE_TRUNC('month', "orders"."placed_at" AT TIME ZONE 'UTC') AS "m", SUM("orders"."amount") AS "total" FROM "orders" GROUP BY DATE_TRUNC('month', "orders"."placed_at" AT TIME ZONE 'UTC') HAVING SUM("orders"."amount") > 0 ORDER BY "m" ASC
SELECT EXISTS(SELECT 1 FROM information_schema.tables WHERE table_name = $1)
SELECT abalance FROM pgbench_accounts WHERE aid = 1;
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = 1;
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
DECLARE _psql_cursor NO SCROLL CURSOR FOR⏎SELECT * FROM users
FETCH FORWARD 100 FROM _psql_cursor
COPY public.users (id, name) TO stdout;
LOCK TABLE public.users IN ACCESS SHARE MODE
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY
SELECT pg_catalog.pg_is_in_recovery()
SELECT sequence_name, start_value FROM information_schema.sequences
SELECT last_value, is_called FROM users_id_seq
SELECT pg_database_size('postgres')
SELECT datname, age(datfrozenxid) FROM pg_database
SELECT relname, age(relfrozenxid), pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r'
SELECT extname, extversion FROM pg_extension
SELECT rolname, rolsuper FROM pg_roles WHERE rolname = CURRENT_USER
SELECT setting::int FROM pg_settings WHERE name = 'max_connections'
SELECT enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid WHERE typname = 'mood' ORDER BY enumsortorder
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'users'::regclass
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'users'
SELECT definition FROM pg_views WHERE viewname = 'active_users'
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
SELECT obj_description('users'::regclass, 'pg_class')
SELECT oid::regprocedure FROM pg_proc WHERE proname = 'add_tax'
SELECT unnest(enum_range(NULL::app.mood))
