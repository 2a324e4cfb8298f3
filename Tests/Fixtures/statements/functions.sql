--# Functions of PostgreSQL: harmless ones, and those whose answer or effect is the primary's.
SELECT random()
SELECT random(), gen_random_uuid(), clock_timestamp(), timeofday()
SELECT statement_timestamp(), transaction_timestamp(), now()
SELECT pg_sleep(0)
SELECT pg_sleep_for('0 s'), pg_sleep_until(now())
SELECT * FROM users ORDER BY random() LIMIT 1
SELECT version()
SELECT current_database(), current_schema(), current_schemas(true), pg_backend_pid()
SELECT inet_server_addr(), inet_server_port(), inet_client_addr(), inet_client_port()
SELECT pg_size_pretty(pg_database_size(current_database()))
SELECT pg_relation_size('users'), pg_total_relation_size('users'::regclass), pg_table_size('users'), pg_indexes_size('users')
SELECT pg_get_viewdef('active_users'::regclass), pg_get_functiondef('app.add_tax'::regproc), pg_get_indexdef(0), pg_get_constraintdef(0), pg_get_expr('', 0)
SELECT has_table_privilege('users', 'SELECT'), has_schema_privilege('app', 'USAGE')
SELECT obj_description(0), col_description(0, 1), shobj_description(0, 'pg_database')
SELECT to_regclass('users'), 'users'::regclass::oid, format_type(23, NULL)
SELECT pg_encoding_to_char(6), pg_client_encoding(), getdatabaseencoding()
SELECT pg_typeof(1), pg_column_size('a'::text), pg_my_temp_schema()
SELECT pg_partition_root('measures'), * FROM pg_partition_tree('measures')
SELECT current_setting('server_version_num')::int
SELECT current_setting('app.user', true)
SELECT current_setting('search_path'), current_setting('work_mem')
SELECT current_setting('transaction_read_only')
SELECT current_setting('in_hot_standby')
SELECT current_setting('default_transaction_read_only', false)
SELECT current_setting(E'transaction_read_only')
SELECT current_setting(lower('X'), true)
SELECT current_setting($1)
SELECT set_config('app.user', '7', true)
SELECT set_config('app.user', '7', false)
SELECT pg_catalog.set_config('search_path', '', false)
SELECT set_config('app.user', name, false) FROM users
SELECT set_config('app.user', '7', id > 1) FROM users
SELECT set_config('transaction_read_only', 'off', false)
SELECT set_config('role', 'reader', false)
SELECT set_config('default_transaction_isolation', 'serializable', false)
SELECT pg_is_in_recovery()
SELECT pg_catalog.pg_is_in_recovery()
SELECT NOT pg_is_in_recovery() AS is_primary
select case when pg_is_in_recovery() then 'standby' else 'primary' end
SELECT "pg_is_in_recovery"()
SELECT pg_is_in_recovery ()
SELECT pg_is_in_recovery/* x */()
SELECT * FROM pg_is_in_recovery()
SELECT * FROM pg_is_in_recovery() AS r(x)
SELECT txid_current()
SELECT txid_current_if_assigned(), pg_current_xact_id_if_assigned()
SELECT pg_current_xact_id()
SELECT txid_current_snapshot(), pg_current_snapshot()
SELECT txid_status(1)
SELECT pg_xact_commit_timestamp('3')
SELECT pg_current_wal_lsn()
SELECT pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn()
SELECT pg_walfile_name('0/1000000')
SELECT pg_wal_lsn_diff('0/2', '0/1')
SELECT pg_last_wal_replay_lsn(), pg_last_wal_receive_lsn(), pg_last_xact_replay_timestamp()
SELECT pg_is_wal_replay_paused()
SELECT pg_switch_wal()
SELECT pg_create_restore_point('x')
SELECT pg_export_snapshot()
SELECT pg_reload_conf()
SELECT pg_cancel_backend(0), pg_terminate_backend(0)
SELECT pg_rotate_logfile()
SELECT pg_log_backend_memory_contexts(0)
SELECT pg_promote()
SELECT nextval('ticket')
SELECT nextval('public.ticket'::regclass)
SELECT setval('ticket', 5)
SELECT setval('ticket', 5, false)
SELECT currval('ticket')
SELECT lastval()
SELECT pg_sequence_last_value('ticket')
SELECT pg_get_serial_sequence('users', 'id')
SELECT * FROM pg_sequence_parameters('ticket'::regclass)
SELECT last_value FROM ticket
SELECT * FROM ticket
SELECT * FROM pg_sequences
SELECT * FROM nextval('ticket')
SELECT id, nextval('ticket') FROM users
SELECT * FROM users WHERE id = nextval('ticket')
SELECT (SELECT nextval('ticket'))
SELECT * FROM (SELECT nextval('ticket') AS n) s
WITH n AS (SELECT nextval('ticket')) SELECT * FROM n
VALUES (nextval('ticket'))
SELECT ARRAY[nextval('ticket')]
SELECT CASE WHEN true THEN nextval('ticket') END
SELECT COALESCE(NULL, nextval('ticket'))
SELECT 1 LIMIT nextval('ticket')
SELECT pg_catalog.nextval('ticket')
SELECT "nextval"('ticket')
SELECT NEXTVAL ('ticket')
SELECT nextval⏎('ticket')
SELECT nextval -- x⏎ ('ticket')
SELECT DISTINCT ON (1) nextval('ticket')
SELECT 1 OPERATOR(pg_catalog.+) nextval('ticket')
SELECT sum(nextval('ticket')) OVER () FROM users
SELECT count(*) FILTER (WHERE nextval('ticket') > 0) FROM users
SELECT * FROM users u, LATERAL nextval('ticket') n
SELECT * FROM users u JOIN LATERAL (SELECT nextval('ticket') + u.id) s(x) ON true
SELECT * FROM ROWS FROM (nextval('ticket'), generate_series(1, 2)) r
SELECT * FROM generate_series(1, nextval('ticket')) g(i)
SELECT pg_advisory_lock(1)
SELECT pg_advisory_lock(1, 2), pg_advisory_lock_shared(3)
SELECT pg_try_advisory_lock(1)
SELECT pg_advisory_unlock(1)
SELECT pg_advisory_unlock_all()
SELECT pg_advisory_xact_lock(1)
SELECT pg_try_advisory_xact_lock(1)
SELECT pg_try_advisory_xact_lock_shared($1)
SELECT pg_catalog.pg_advisory_lock(hashtext('job'))
SELECT id FROM users WHERE pg_try_advisory_lock(id)
SELECT pg_notify('channel', 'payload')
SELECT pg_listening_channels()
SELECT pg_notification_queue_usage()
SELECT lo_creat(-1)
SELECT lo_create(0)
SELECT lo_open(1, 262144)
SELECT lo_get(1)
SELECT lo_unlink(1)
SELECT loread(0, 10)
SELECT lo_import('/etc/passwd')
SELECT lo_from_bytea(0, 'x')
SELECT setseed(0.5)
SELECT setseed(0.5), random()
SELECT pg_stat_reset()
SELECT pg_stat_reset_shared('bgwriter')
SELECT pg_stat_clear_snapshot()
SELECT pg_stat_get_live_tuples('users'::regclass)
SELECT pg_stat_file('base')
SELECT pg_read_file('PG_VERSION')
SELECT * FROM pg_ls_dir('base')
SELECT pg_blocking_pids(1)
SELECT * FROM pg_locks
SELECT * FROM pg_stat_activity
SELECT pid, state FROM pg_catalog.pg_stat_activity WHERE datname = current_database()
SELECT * FROM pg_stat_replication
SELECT * FROM pg_replication_slots
SELECT * FROM pg_stat_user_tables
SELECT * FROM pg_statio_user_tables
SELECT * FROM pg_stat_database
SELECT * FROM pg_prepared_xacts
SELECT * FROM pg_prepared_statements
SELECT * FROM pg_cursors
SELECT * FROM pg_statistic LIMIT 1
SELECT * FROM pg_stats WHERE tablename = 'users'
SELECT * FROM pg_statistic_ext
SELECT name, setting FROM pg_settings
SELECT setting FROM pg_settings WHERE name = 'transaction_read_only'
SELECT setting FROM pg_settings WHERE name = 'work_mem'
SELECT query_to_xml('select 1', true, true, '')
SELECT query_to_xml('select nextval(''ticket'')', true, true, '')
SELECT * FROM ts_stat('SELECT tsv FROM documents')
SELECT ts_rewrite('a'::tsquery, 'select ''a''::tsquery, ''b''::tsquery')
SELECT table_to_xml('users', true, true, '')
SELECT pg_create_logical_replication_slot('s', 'pgoutput')
SELECT pg_drop_replication_slot('s')
SELECT pg_logical_emit_message(false, 'a', 'b')
SELECT pg_backup_start('x')
SELECT brin_summarize_new_values('users_pkey'::regclass)
SELECT pg_import_system_collations('pg_catalog')
SELECT audit.log('x')
SELECT touch(u) FROM users u
SELECT u.touch FROM users u
SELECT (u).touch FROM users u
SELECT harmless_volatile(1)
SELECT next_ticket()
SELECT ticket_text()
SELECT read_cache('k')
SELECT app.remember('x')
SELECT app.remember_all('x')
SELECT volatile_sum(id::int) FROM users
SELECT name ~~! 'x' FROM users
SELECT log('x')
SELECT log(10), log(2, 8)
SELECT undefined_function(1)
SELECT nowhere.undefined(1)
SELECT "Undefined"(1)
SELECT lower(undefined_function(1))
SELECT 1 FROM undefined_function(2) u(x)
SELECT 5::watched
SELECT CAST(5 AS watched)
SELECT pg_temp.f()
SELECT query FROM (SELECT 1 AS query) q
SELECT nextval FROM (SELECT 1 AS nextval) s
SELECT s.random FROM (SELECT 1 AS random) s
SELECT pg_conf_load_time(), pg_postmaster_start_time()
SELECT pg_control_checkpoint()
SELECT pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')
SELECT binary_upgrade_set_next_pg_type_oid(1)
SELECT currtid2('users', '(0,1)')
SELECT pg_collation_actual_version(100)
SELECT pg_jit_available()
SELECT pg_get_keywords()
SELECT pg_show_all_settings()
SELECT pg_timezone_names()
SELECT * FROM pg_available_extensions
SELECT * FROM pg_hba_file_rules
SELECT * FROM pg_get_publication_tables('p')
SELECT gin_clean_pending_list('users_pkey'::regclass)
SELECT * FROM information_schema._pg_expandarray(ARRAY[1, 2])
