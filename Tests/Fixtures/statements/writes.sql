--# Data modification, locking clauses and SELECT INTO, wherever they can hide.
INSERT INTO users (name) VALUES ('x')
INSERT INTO users DEFAULT VALUES
INSERT INTO users (id, name) SELECT id + 1000, name FROM users
INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT (id) DO NOTHING
INSERT INTO users AS u (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE u.active RETURNING *
INSERT INTO users (name) VALUES ('x') RETURNING id
INSERT INTO orders (id, user_id) VALUES (nextval('ticket'), 1)
INSERT INTO app.settings VALUES ('a', 'b')
INSERT INTO users OVERRIDING SYSTEM VALUE VALUES (1, 'x')
insert into users(name) values($1)
  INSERT INTO users (name) VALUES ('x');
/* comment */ INSERT INTO users (name) VALUES ('x')
-- comment⏎INSERT INTO users (name) VALUES ('x')
WITH a AS (SELECT 1 AS id) INSERT INTO users (id, name) SELECT id, 'x' FROM a
UPDATE users SET name = 'x'
UPDATE users SET (name, email) = ('a', 'b') WHERE id = 1
UPDATE users u SET name = o.note FROM orders o WHERE o.user_id = u.id RETURNING u.id
UPDATE ONLY users SET active = false
UPDATE users SET name = DEFAULT WHERE CURRENT OF c
WITH a AS (SELECT 1 AS id) UPDATE users SET active = true FROM a WHERE a.id = users.id
DELETE FROM users WHERE id = 1
DELETE FROM users USING orders WHERE orders.user_id = users.id
DELETE FROM ONLY users RETURNING *
WITH a AS (SELECT 1 AS id) DELETE FROM users USING a WHERE a.id = users.id
MERGE INTO users u USING orders o ON o.user_id = u.id WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN DO NOTHING
WITH a AS (SELECT 1 AS id) MERGE INTO users u USING a ON a.id = u.id WHEN MATCHED THEN DELETE
WITH d AS (DELETE FROM users RETURNING *) SELECT * FROM d
WITH i AS (INSERT INTO users (name) VALUES ('x') RETURNING id) SELECT id FROM i
WITH u AS (UPDATE users SET name = 'x' RETURNING id) SELECT id FROM u
WITH a AS (SELECT 1), d AS (DELETE FROM users RETURNING *) SELECT * FROM a, d
WITH d AS MATERIALIZED (DELETE FROM users RETURNING id) SELECT 1
WITH a AS (SELECT 1), b AS (SELECT 2), i(x) AS (INSERT INTO users (name) VALUES ('x') RETURNING id) TABLE i
WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a WHERE n < 3), d AS (DELETE FROM users RETURNING id) SELECT * FROM a
WITH d AS (WITH e AS (SELECT 1) DELETE FROM users RETURNING id) SELECT 1
WITH d AS (/* hidden */ DELETE FROM users RETURNING id) SELECT 1
WITH d AS (⏎-- hidden⏎DELETE FROM users RETURNING id) SELECT 1
WITH d AS(delete from users returning id)select 1
SELECT * INTO archive FROM users
SELECT id INTO TABLE archive FROM users
SELECT id INTO TEMP archive FROM users
SELECT id INTO TEMPORARY TABLE archive FROM users
SELECT id INTO UNLOGGED archive FROM users
SELECT id INTO LOCAL TEMP archive FROM users
SELECT id INTO pg_temp.archive FROM users
SELECT 1 INTO x
WITH a AS (SELECT 1 AS id) SELECT id INTO archive FROM a
(SELECT 1 INTO x)
SELECT 1 INTO x UNION SELECT 2
SELECT * FROM users FOR UPDATE
SELECT * FROM users FOR NO KEY UPDATE
SELECT * FROM users FOR SHARE
SELECT * FROM users FOR KEY SHARE
SELECT * FROM users FOR UPDATE NOWAIT
SELECT * FROM users FOR UPDATE SKIP LOCKED
SELECT * FROM users u, orders o FOR UPDATE OF u FOR SHARE OF o
SELECT * FROM users LIMIT 1 FOR UPDATE
SELECT * FROM users FOR UPDATE LIMIT 1
SELECT * FROM users WHERE id = 1 for⏎update
SELECT * FROM users FOR/**/UPDATE
SELECT * FROM (SELECT * FROM users FOR UPDATE) s
SELECT * FROM users WHERE id IN (SELECT user_id FROM orders FOR SHARE)
WITH a AS (SELECT * FROM users FOR UPDATE) SELECT * FROM a
(SELECT * FROM users FOR UPDATE)
TABLE users FOR UPDATE
SELECT (SELECT id FROM users LIMIT 1 FOR KEY SHARE)
SELECT 'not this' FROM users FOR UPDATE OF users
TRUNCATE users
TRUNCATE TABLE ONLY users, orders RESTART IDENTITY CASCADE
LOCK TABLE users
LOCK users IN ACCESS SHARE MODE
LOCK TABLE users IN ROW EXCLUSIVE MODE NOWAIT
CALL app.archive(1)
DO $$BEGIN PERFORM 1; END$$
DO LANGUAGE plpgsql 'BEGIN NULL; END'
SELECT * FROM cache
SELECT value FROM public.cache WHERE key = 'a'
SELECT * FROM app.queue
SELECT * FROM "cache"
SELECT * FROM parted
SELECT * FROM parted_hot
SELECT u.id FROM users u JOIN cache c ON c.key = u.name
SELECT * FROM users WHERE EXISTS (SELECT FROM cache)
TABLE cache
SELECT * FROM cached
SELECT * FROM numbered
SELECT * FROM app.over_numbered
SELECT * FROM locked
SELECT * FROM logged
SELECT * FROM tickets
SELECT * FROM sessions
SELECT * FROM guarded
SELECT queue FROM (SELECT 1 AS queue) s
SELECT * FROM pg_temp.anything
SELECT * FROM pg_temp_3.anything
