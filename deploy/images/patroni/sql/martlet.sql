-- SPDX-License-Identifier: Apache-2.0
-- What `martlet setup` prints; a test compares the two.
-- What martlet needs in the cluster. Run it once, as a superuser, on the primary, in the
-- database postgres; replicas get it by replication. Running it again is harmless.
-- With psql:
--
--   martlet setup | psql -h PRIMARY -U postgres -d postgres -v ON_ERROR_STOP=1

BEGIN;
-- A second run need not tell what is there already.
SET LOCAL client_min_messages = warning;

-- The service account. It reads positions of the log, the catalogue of functions and
-- relations, and, through the function below, secrets; it writes nothing.
DO $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'martlet') THEN
        CREATE ROLE "martlet" LOGIN;
    END IF;
END
$do$;
ALTER ROLE "martlet" LOGIN;
-- Its password is still to be set; in psql: \password martlet

-- The state of replication is shown only to members of pg_monitor.
GRANT pg_monitor TO "martlet";

CREATE SCHEMA IF NOT EXISTS "martlet";
ALTER SCHEMA "martlet" OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA "martlet" FROM PUBLIC;
GRANT USAGE ON SCHEMA "martlet" TO "martlet";

-- Clients log in with their own passwords, which martlet does not know: it compares
-- them with the secret (not the password) that PostgreSQL keeps of each role, and this
-- function is the only way to that. It runs with the rights of its owner, so its
-- search_path is fixed, and nobody else may call it. Roles that may not log in are not
-- shown; valid_until is passed on, so that an expired password is refused.
CREATE OR REPLACE FUNCTION "martlet"."user_secret"(
    role_name text, OUT secret text, OUT valid_until timestamptz)
    RETURNS SETOF record
    LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $function$
        SELECT rolpassword, rolvaliduntil
        FROM pg_catalog.pg_authid
        WHERE rolname = role_name AND rolcanlogin
    $function$;
ALTER FUNCTION "martlet"."user_secret"(text) OWNER TO CURRENT_USER;
REVOKE ALL ON FUNCTION "martlet"."user_secret"(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "martlet"."user_secret"(text) TO "martlet";

COMMIT;

-- Every member's pg_hba.conf must let martlet in, both as this role and as the users of the
-- applications; under Patroni it is in postgresql.pg_hba:
--
--   host  all  all  ADDRESS-OF-MARTLET/32  scram-sha-256
--
-- Then `martlet check` says whether all is well.
