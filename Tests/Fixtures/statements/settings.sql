--# SET, RESET, SHOW and DISCARD.
SET search_path TO app, public
SET search_path = 'app'
SET search_path TO "$user", public
SET search_path TO DEFAULT
SET search_path TO pg_temp, public
SET search_path TO public, pg_temp
SET SESSION work_mem = '2MB'
SET LOCAL work_mem = '2MB'
SET LOCAL work_mem TO DEFAULT
SET work_mem = 1024
SET work_mem TO -1
SET work_mem TO - 1
SET statement_timeout=0
SET enable_seqscan TO off
SET enable_seqscan = on
SET enable_seqscan = true
SET DateStyle = ISO, DMY
SET datestyle TO 'ISO, MDY'
SET client_encoding TO 'UTF8'
SET NAMES 'UTF8'
SET NAMES
SET NAMES DEFAULT
SET client_min_messages = warning
SET extra_float_digits = 3
SET application_name = 'it''s'
SET application_name = E'tab\t'
SET "application_name" = 'x'
SET TIME ZONE 'UTC'
SET TIME ZONE UTC
SET TIME ZONE -5
SET TIME ZONE LOCAL
SET TIME ZONE DEFAULT
SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE
SET LOCAL TIME ZONE 'UTC'
SET SESSION TIME ZONE 'UTC'
SET timezone = 'UTC'
SET SCHEMA 'app'
SET ROLE reader
SET ROLE 'reader'
SET ROLE NONE
SET LOCAL ROLE reader
SET SESSION ROLE reader
SET role = reader
SET SESSION AUTHORIZATION reader
SET SESSION AUTHORIZATION DEFAULT
SET LOCAL SESSION AUTHORIZATION reader
SET session_authorization = reader
SET XML OPTION DOCUMENT
SET xmloption = content
SET CONSTRAINTS ALL DEFERRED
SET CONSTRAINTS app.c IMMEDIATE
SET seed TO 0.5
SET transaction_read_only = off
SET transaction_read_only = on
SET transaction_isolation = 'serializable'
SET default_transaction_read_only = on
SET default_transaction_read_only TO off
SET default_transaction_isolation = 'serializable'
SET default_transaction_isolation TO serializable
SET default_transaction_isolation = 'repeatable read'
SET standard_conforming_strings = off
SET martlet.route = 'primary'
SET martlet.consistency TO eventual
SET martlet.position = '0/0'
SET "martlet"."route" TO replica
SET app.user_id = '7'
SET LOCAL app.user_id TO 7
SET work_mem
SET work_mem TO
SET work_mem = '1MB' '2MB'
SET work_mem FROM CURRENT
SET = 1
SET
SET search_path TO a,
RESET work_mem
RESET search_path
RESET ALL
RESET ROLE
RESET SESSION AUTHORIZATION
RESET TIME ZONE
RESET app.user_id
RESET martlet.route
RESET TRANSACTION ISOLATION LEVEL
RESET
SHOW work_mem
SHOW search_path
SHOW server_version
SHOW TIME ZONE
SHOW TRANSACTION ISOLATION LEVEL
SHOW SESSION AUTHORIZATION
SHOW transaction_isolation
SHOW standard_conforming_strings
SHOW transaction_read_only
SHOW TRANSACTION_READ_ONLY
SHOW "transaction_read_only"
SHOW in_hot_standby
SHOW default_transaction_read_only
SHOW ALL
SHOW martlet.route
SHOW app.user_id
SHOW
SHOW work_mem extra
DISCARD ALL
DISCARD PLANS
DISCARD SEQUENCES
DISCARD TEMP
DISCARD TEMPORARY
DISCARD
DISCARD EVERYTHING
