--# Reads of every form that the grammar has.
SELECT 1
select 1;
SELECT
SELECT NULL
SELECT 1, 2, 'three', 4.5, 1e10, .5, true
SELECT 1 AS one, 2 two, 3 "Three"
SELECT * FROM users
SELECT u.* FROM users u
SELECT id, name FROM public.users WHERE id = 1
SELECT * FROM users WHERE id = 1 AND active
SELECT * FROM users WHERE name LIKE 'user%' ESCAPE '!'
SELECT * FROM users WHERE name ILIKE '%1'
SELECT * FROM users WHERE name SIMILAR TO 'u(s|x)er%'
SELECT * FROM users WHERE name ~ '^user [0-9]+$'
SELECT * FROM users WHERE name !~* 'x'
SELECT * FROM users WHERE id BETWEEN 1 AND 5
SELECT * FROM users WHERE id NOT BETWEEN SYMMETRIC 5 AND 1
SELECT * FROM users WHERE id IN (1, 2, 3)
SELECT * FROM users WHERE id NOT IN (SELECT user_id FROM orders)
SELECT * FROM users WHERE id = ANY (ARRAY[1, 2])
SELECT * FROM users WHERE id = ALL ('{1}')
SELECT * FROM users WHERE id = SOME (SELECT user_id FROM orders)
SELECT * FROM users WHERE EXISTS (SELECT FROM orders WHERE user_id = users.id)
SELECT * FROM users WHERE (id, name) = (1, 'x')
SELECT * FROM users WHERE (id, name) IN ((1, 'a'), (2, 'b'))
SELECT * FROM users WHERE ROW(id, name) < ROW(3, 'c')
SELECT * FROM users WHERE email IS NULL OR email IS NOT NULL
SELECT * FROM users WHERE active IS NOT TRUE AND active IS NOT UNKNOWN
SELECT * FROM users WHERE email IS DISTINCT FROM name
SELECT * FROM users WHERE parent_id ISNULL
SELECT * FROM users WHERE parent_id NOTNULL
SELECT * FROM users ORDER BY name DESC NULLS LAST, id ASC NULLS FIRST
SELECT * FROM users ORDER BY id USING >
SELECT * FROM users ORDER BY 1 LIMIT 10 OFFSET 5
SELECT * FROM users ORDER BY id FETCH FIRST 5 ROWS ONLY
SELECT * FROM users ORDER BY active FETCH NEXT (2) ROWS WITH TIES
SELECT * FROM users OFFSET 2 ROWS FETCH FIRST ROW ONLY
SELECT * FROM users LIMIT ALL
SELECT ALL name FROM users
SELECT DISTINCT name FROM users
SELECT DISTINCT ON (active) active, name FROM users ORDER BY active, id
SELECT DISTINCT ON (active, (score)) upper(name) FROM users
SELECT DISTINCT ON (active) lower(name) FROM users
SELECT active, count(*) FROM users GROUP BY active HAVING count(*) > 1
SELECT active, count(*) FROM users GROUP BY 1
SELECT active, name, count(*) FROM users GROUP BY GROUPING SETS ((active), (name), ())
SELECT active, name, count(*) FROM users GROUP BY ROLLUP (active, name)
SELECT active, name, grouping(active) FROM users GROUP BY CUBE (active, name)
SELECT active, name FROM users GROUP BY DISTINCT ROLLUP (active), CUBE (name)
SELECT count(*) FILTER (WHERE active) FROM users
SELECT count(DISTINCT name) FROM users
SELECT string_agg(name, ', ' ORDER BY id DESC) FROM users
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY score) FROM users
SELECT mode() WITHIN GROUP (ORDER BY active) FROM users
SELECT row_number() OVER () FROM users
SELECT row_number() OVER (PARTITION BY active ORDER BY id) FROM users
SELECT sum(score) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM users
SELECT sum(score) OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM users
SELECT sum(score) OVER (ORDER BY id GROUPS 2 PRECEDING) FROM users
SELECT lag(name, 1) OVER w, lead(name) OVER w FROM users WINDOW w AS (ORDER BY id)
SELECT first_value(name) OVER w FROM users WINDOW w AS (PARTITION BY (active)), v AS (w ORDER BY id)
SELECT rank() OVER (PARTITION BY (active) ORDER BY (score) DESC) FROM users
SELECT * FROM users u JOIN orders o ON o.user_id = u.id
SELECT * FROM users u LEFT JOIN orders o ON (o.user_id = u.id)
SELECT * FROM users u RIGHT OUTER JOIN orders o ON o.user_id = u.id
SELECT * FROM users u FULL JOIN orders o ON o.user_id = u.id
SELECT * FROM users CROSS JOIN orders
SELECT * FROM users NATURAL JOIN active_users
SELECT * FROM users JOIN active_users USING (id)
SELECT * FROM users JOIN active_users USING (id, name) AS j
SELECT * FROM users, orders WHERE users.id = orders.user_id
SELECT * FROM (users u JOIN orders o ON o.user_id = u.id)
SELECT * FROM (SELECT id FROM users) AS s
SELECT * FROM (SELECT id FROM users) s (x)
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, t)
SELECT * FROM (VALUES (1), (2)) v(n)
SELECT * FROM users u(a, b, c)
SELECT * FROM users AS u(a)
SELECT * FROM ONLY users
SELECT * FROM users *
SELECT * FROM ONLY (users)
SELECT * FROM LATERAL (SELECT 1) x
SELECT * FROM users u, LATERAL (SELECT count(*) FROM orders o WHERE o.user_id = u.id) c
SELECT * FROM users u CROSS JOIN LATERAL jsonb_each_text(u.profile)
SELECT * FROM users u LEFT JOIN LATERAL unnest(u.tags) t ON true
SELECT * FROM generate_series(1, 3)
SELECT * FROM generate_series(1, 3) g
SELECT * FROM generate_series(1, 3) g(i)
SELECT * FROM generate_series(1, 3) AS g(i)
SELECT * FROM generate_series(1, 3) WITH ORDINALITY
SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g(i, n)
SELECT * FROM generate_series(1, 3) WITH ORDINALITY g(i, n)
SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(1, 3)) AS r(a, b)
SELECT * FROM ROWS FROM (generate_series(1, 2)) WITH ORDINALITY
SELECT * FROM json_to_recordset('[{"a":1}]') AS x(a int, b text)
SELECT * FROM jsonb_to_record('{"a":1}') AS x(a numeric(10, 2), b varchar(5))
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS t(x, y)
SELECT * FROM unnest(ARRAY[1, 2]) t(x), unnest(ARRAY[3]) s(y)
SELECT * FROM users TABLESAMPLE BERNOULLI (50)
SELECT * FROM users TABLESAMPLE SYSTEM (50) REPEATABLE (7)
SELECT * FROM users u TABLESAMPLE pg_catalog.bernoulli (10)
SELECT 1 UNION SELECT 2
SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 3 EXCEPT SELECT 4
(SELECT 1) UNION (SELECT 2) ORDER BY 1
(SELECT 1)
((SELECT 1))
(SELECT id FROM users ORDER BY id LIMIT 1) UNION ALL (SELECT 2)
(VALUES (1)) UNION (TABLE daily_ids)
VALUES (1), (2)
VALUES (1, 'a'), (2, 'b') ORDER BY 1 DESC LIMIT 1
TABLE users
TABLE public.users
TABLE ONLY users
TABLE users ORDER BY id LIMIT 3
WITH a AS (SELECT 1) SELECT * FROM a
WITH a(x) AS (SELECT 1) SELECT x FROM a
WITH a AS (SELECT 1), b(y) AS (SELECT 2), c (z) AS (VALUES (3)) SELECT * FROM a, b, c
WITH a AS MATERIALIZED (SELECT 1) SELECT * FROM a
WITH a AS NOT MATERIALIZED (SELECT 1) SELECT * FROM a
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t
WITH RECURSIVE t AS (SELECT 1 AS n UNION SELECT n + 1 FROM t WHERE n < 5) TABLE t
WITH RECURSIVE t(id, p) AS (SELECT id, parent_id FROM users UNION ALL SELECT u.id, u.parent_id FROM users u JOIN t ON u.parent_id = t.id) SEARCH DEPTH FIRST BY id SET o SELECT * FROM t ORDER BY o
WITH RECURSIVE t(id, p) AS (SELECT id, parent_id FROM users UNION ALL SELECT u.id, u.parent_id FROM users u JOIN t ON u.parent_id = t.id) CYCLE id SET c USING path SELECT * FROM t
WITH RECURSIVE t(id, p) AS (SELECT id, parent_id FROM users UNION ALL SELECT u.id, u.parent_id FROM users u JOIN t ON u.parent_id = t.id) CYCLE id SET c TO true DEFAULT false USING path SELECT * FROM t
WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b), c(x) AS (SELECT 2) SELECT * FROM a, c
SELECT * FROM (WITH a(x) AS (SELECT 1), d(y) AS (SELECT 2) SELECT * FROM a, d) s
SELECT (WITH a AS (SELECT 1 AS x) SELECT x FROM a)
SELECT CASE WHEN id > 1 THEN 'a' ELSE 'b' END FROM users
SELECT CASE id WHEN 1 THEN lower('A') WHEN 2 THEN (upper('b')) END FROM users
SELECT CAST('1' AS int), '1'::int, int '1', CAST(1 AS numeric(10, 2))
SELECT '2020-01-01'::date, date '2020-01-01', timestamp '2020-01-01 00:00', timestamptz 'now'
SELECT interval '1 day', interval '1' HOUR, interval(3) '1.2345 sec', interval '1' SECOND (2)
SELECT '1.5'::numeric(10, 2), 'x'::varchar(10), 'x'::character varying(10), B'101'::bit(3)
SELECT now()::timestamp(0) without time zone, now()::timestamp(3) with time zone, '10:00'::time(0)
SELECT now() AT TIME ZONE 'UTC', timezone('UTC', now())
SELECT CURRENT_TIMESTAMP(3), CURRENT_DATE, CURRENT_TIME(0), LOCALTIME, LOCALTIMESTAMP(0)
SELECT CURRENT_USER, SESSION_USER, USER, CURRENT_ROLE, CURRENT_CATALOG, CURRENT_SCHEMA
SELECT EXTRACT(epoch FROM now()), EXTRACT(YEAR FROM date '2020-01-01')
SELECT POSITION('a' IN 'cat'), SUBSTRING('cat' FROM 1 FOR 2), SUBSTRING('cat' FROM 'a'), OVERLAY('cat' PLACING 'b' FROM 1 FOR 1)
SELECT SUBSTRING('abc' SIMILAR 'a#"b#"c' ESCAPE '#'), substring('abc', 1, 2)
SELECT TRIM('  a '), TRIM(BOTH 'x' FROM 'xax'), TRIM(LEADING FROM ' a'), TRIM(TRAILING 'x', 'ax')
SELECT COALESCE(email, name), NULLIF(id, 1), GREATEST(1, 2), LEAST(1, 2) FROM users
SELECT NORMALIZE('a'), NORMALIZE('a', NFC), 'a' IS NORMALIZED, 'a' IS NFD NORMALIZED
SELECT COLLATION FOR ('a'::text), name COLLATE "C" FROM users
SELECT XMLELEMENT(NAME foo, XMLATTRIBUTES('x' AS bar), 'content'), XMLFOREST(name AS n), XMLCONCAT('<a/>', '<b/>') FROM users
SELECT XMLPARSE(DOCUMENT '<a/>'), XMLSERIALIZE(CONTENT '<a/>'::xml AS text), XMLPI(NAME php), XMLROOT('<a/>'::xml, VERSION '1.0')
SELECT XMLEXISTS('//a' PASSING BY VALUE data) FROM documents
SELECT x.* FROM documents, XMLTABLE('//a' PASSING data COLUMNS id int PATH '@id', n FOR ORDINALITY, d text DEFAULT lower('X')) x
SELECT xmlagg(data) FROM documents
SELECT ARRAY[1, 2, 3], ARRAY[[1], [2]], ARRAY(SELECT id FROM users)
SELECT tags[1], tags[1:2], (ARRAY[1, 2])[1] FROM users
SELECT ROW(1, 2), (1, 2), (users).name, (u).* FROM users, users u
SELECT profile->'age', profile->>'city', profile#>'{a,b}', profile#>>'{a}' FROM users
SELECT profile @> '{"age": 1}', profile ? 'age', profile ?| ARRAY['a'], profile ?& ARRAY['a'] FROM users
SELECT profile['age'] FROM users
SELECT jsonb_path_query(profile, '$.age ? (@ > 1)') FROM users
SELECT * FROM jsonb_array_elements('[1,2]') WITH ORDINALITY AS e(v, n)
SELECT json_build_object('a', 1), jsonb_agg(name), json_object_agg(id, name) FROM users
SELECT to_tsvector('english', 'a b') @@ to_tsquery('a & b'), ts_rank(tsv, plainto_tsquery('body')) FROM documents
SELECT ts_headline(body, websearch_to_tsquery('body')) FROM documents
SELECT 1 + 2 * 3 / 4 % 5 ^ 2, -1, +1, - 1, |/ 4, @ -1, 5 & 3 | 2 # 1, ~1, 1 << 2
SELECT 1=-1, 1<>-1, 2*-3, 1+-1
SELECT 1 OPERATOR(pg_catalog.+) 2
SELECT 1 OPERATOR(pg_catalog.+) abs(2)
SELECT 'a' || 'b', 'a' < 'b', 'a' <= 'b'
SELECT '1.2.3.4'::inet << '1.2.3.0/24'
SELECT int4range(1, 5) && int4range(2, 3), '[1,2]'::int4range -|- '(2,3]'
SELECT point(1, 2) <-> point(2, 3), box '((0,0),(1,1))' @> point '(0.5,0.5)'
SELECT a.b.c FROM (SELECT ROW(1, 2) AS b) a
SELECT t.update, t.delete FROM update_log t
SELECT "update", "delete" FROM update_log
SELECT update_log.update FROM update_log
SELECT id AS update, id AS into, id AS select, id AS for FROM users
SELECT 1 AS delete, 2 AS insert, 3 AS set
SELECT name AS merge FROM users
SELECT "select" FROM (SELECT 1 AS "select") "from"
SELECT 'insert into users values (1)', 'for update'
SELECT 'a;b', ';'
SELECT "Mixed Case" FROM orders
SELECT o."Mixed Case" FROM orders AS o
SELECT * FROM users AS "update"
SELECT key, value, mood FROM app.settings
SELECT * FROM app.settings WHERE mood = 'calm'::app.mood
SELECT * FROM app.totals
SELECT * FROM active_users
SELECT * FROM daily
SELECT * FROM sampled
SELECT * FROM measures WHERE at < now()
SELECT * FROM measures_1
SELECT * FROM documents WHERE title = $$it's$$
SELECT $tag$ text with $$ and 'quotes' $tag$
SELECT U&'d\0061t\+000061', U&'d!0061t' UESCAPE '!'
SELECT X'1F', B'01', N'national'
SELECT E'line\nbreak', E'it\'s', E'\\', E'\x41\u0041'
SELECT 'it''s', 'a''''b'
SELECT 'first'⏎ 'second'
SELECT E'a'⏎'\'b', 1
SELECT E'a' -- comment⏎ '\'; select nextval(''ticket'')'
SELECT 1 -- trailing
SELECT /* inside */ 1 /* after */
/* nested /* comment */ still */ SELECT 1
-- leading⏎SELECT 1
SELECT/**/1
SELECT 1--⏎
SELECT 1 /* ; */
/* a */ /* b */ SELECT 2
SELECT 5/*x*/+/*y*/6
SELECT $1
SELECT * FROM users WHERE id = $1 AND name = $2
SELECT $1::int + $2::bigint
SELECT * FROM users WHERE id = ANY($1) LIMIT $2 OFFSET $3
SELECT json_object('{a,1}'), json_array_length('[1]')
SELECT * FROM users FOR READ ONLY
SELECT count(*) FROM users u WHERE u.score > (SELECT avg(score) FROM users)
SELECT (SELECT max(id) FROM users), (SELECT min(id) FROM orders)
SELECT sum(CASE WHEN active THEN 1 ELSE 0 END) FROM users
SELECT (users.*)::text FROM users
SELECT users FROM users
SELECT full_name(u), u.full_name FROM users u
SELECT app.add_tax(amount), app.user_name(user_id) FROM orders
SELECT atomic_total(1), plain_sum(id::int) FROM users
SELECT app.log('x')
SELECT 1::positive, CAST(2 AS positive)
select  id,name   from users	where	id=1
SELECT é FROM (SELECT 1 AS é) t
SELECT 'ünïcode', "naïve" FROM (SELECT 1 AS "naïve") t
SELECT 1 WHERE false
SELECT FROM users
SELECT date_trunc('day', placed_at), count(*) FROM orders GROUP BY 1 ORDER BY 1
SELECT (now() - interval '1 day')::date
SELECT length(name), left(name, 1), right(name, 1), substr(name, 2), replace(name, 'a', 'b') FROM users
SELECT overlaps(now(), now(), now(), now()), (now(), now()) OVERLAPS (now(), interval '1 day')
SELECT like('a', 'b'), "lower"('A'), pg_catalog.lower('A'), pg_catalog."upper"('a')
SELECT format('%s', 1), concat_ws(',', 1, 2), md5('a'), sha256('a'), encode('a', 'hex')
SELECT array_agg(id ORDER BY id) FILTER (WHERE id > 1) OVER () FROM users
SELECT regexp_replace('a', 'b', 'c', 'g'), regexp_matches('a', 'a'), regexp_split_to_table('a b', ' ')
SELECT width_bucket(5, 1, 10, 3), round(1.5, 0), trunc(2.5), ceil(1.1), power(2, 3), sqrt(4)
SELECT make_date(2020, 1, 1), make_interval(days => 1), age(now()), to_char(now(), 'YYYY'), to_date('2020', 'YYYY')
SELECT nullif(id, 0), num_nulls(1, NULL), greatest(1, 2) FROM users
SELECT bool_and(active), every(active), bit_or(id::int), stddev(score), corr(id, id), covar_pop(id, id) FROM users
SELECT generate_subscripts(tags, 1), array_length(tags, 1), array_to_string(tags, ','), tags || 'x'::text FROM users
SELECT cume_dist() OVER (ORDER BY id), ntile(4) OVER (ORDER BY id), nth_value(id, 2) OVER () FROM users
SELECT * FROM users WHERE tags && ARRAY['a'] AND tags @> '{b}' AND 'a' = ANY(tags)
SELECT id, VARIADIC_TEST FROM (SELECT 1 AS id, 2 AS variadic_test) s
SELECT concat(VARIADIC ARRAY['a', 'b'])
SELECT make_interval(hours := 1)
