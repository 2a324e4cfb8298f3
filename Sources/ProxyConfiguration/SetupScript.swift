// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// The SQL that prepares a cluster for martlet: its role, and a function that looks up secrets.
///
/// It may be run again; it changes nothing that is as it should be.
package struct SetupScript: Sendable {
    /// The service account.
    package var user = "martlet"
    /// Where the function is made, and the service account connects.
    package var database = "postgres"
    /// `schema.name`; a name alone is in the schema `public`.
    package var function = "martlet.user_secret"
    /// As for `CREATE ROLE ... PASSWORD`, best a SCRAM secret; nil leaves the password alone.
    package var password: String?
    /// Whether superusers may log in through martlet.
    package var includesSuperusers = true

    /// With the names that the configuration has by default.
    package init() {}

    /// The whole script, for psql or any other client.
    package var text: String {
        [header, role, lookup, "COMMIT;", footer].joined(separator: "\n\n") + "\n"
    }

    private var schema: String {
        function.contains(".") ? String(function.prefix { $0 != "." }) : "public"
    }

    /// In double quotes, schema and name.
    package var quotedFunction: String {
        let name = function.split(separator: ".").last.map(String.init) ?? function
        return "\(SQLText.identifier(schema)).\(SQLText.identifier(name))"
    }

    private var header: String {
        """
        -- What martlet needs in the cluster. Run it once, as a superuser, on the primary, in the
        -- database \(Self.comment(database)); replicas get it by replication. Running it again \
        is harmless.
        -- With psql:
        --
        --   martlet setup | psql -h PRIMARY -U postgres -d \(Self.comment(database)) \
        -v ON_ERROR_STOP=1

        BEGIN;
        -- A second run need not tell what is there already.
        SET LOCAL client_min_messages = warning;
        """
    }

    private var role: String {
        let name = SQLText.identifier(user)
        let secret =
            password.map { "ALTER ROLE \(name) PASSWORD \(SQLText.literal($0));" }
            ?? "-- Its password is still to be set; in psql: \\password \(Self.comment(user))"
        return """
            -- The service account. It reads positions of the log, the catalogue of functions and
            -- relations, and, through the function below, secrets; it writes nothing.
            DO $do$
            BEGIN
                IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = \
            \(SQLText.literal(user))) THEN
                    CREATE ROLE \(name) LOGIN;
                END IF;
            END
            $do$;
            ALTER ROLE \(name) LOGIN;
            \(secret)

            -- The state of replication is shown only to members of pg_monitor.
            GRANT pg_monitor TO \(name);
            """
    }

    private var lookup: String {
        let name = SQLText.identifier(user)
        let superusers =
            includesSuperusers ? "" : "\n          AND NOT rolsuper"
        var lines: [String] = []
        if schema != "public" {
            lines.append(
                """
                CREATE SCHEMA IF NOT EXISTS \(SQLText.identifier(schema));
                ALTER SCHEMA \(SQLText.identifier(schema)) OWNER TO CURRENT_USER;
                REVOKE ALL ON SCHEMA \(SQLText.identifier(schema)) FROM PUBLIC;
                GRANT USAGE ON SCHEMA \(SQLText.identifier(schema)) TO \(name);
                """)
        }
        lines.append(
            """
            -- Clients log in with their own passwords, which martlet does not know: it compares
            -- them with the secret (not the password) that PostgreSQL keeps of each role, and this
            -- function is the only way to that. It runs with the rights of its owner, so its
            -- search_path is fixed, and nobody else may call it. Roles that may not log in are not
            -- shown\(includesSuperusers ? "" : ", nor are superusers"); valid_until is passed on, \
            so that an expired password is refused.
            CREATE OR REPLACE FUNCTION \(quotedFunction)(
                role_name text, OUT secret text, OUT valid_until timestamptz)
                RETURNS SETOF record
                LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 1 SECURITY DEFINER
                SET search_path = pg_catalog, pg_temp
                AS $function$
                    SELECT rolpassword, rolvaliduntil
                    FROM pg_catalog.pg_authid
                    WHERE rolname = role_name AND rolcanlogin\(superusers)
                $function$;
            ALTER FUNCTION \(quotedFunction)(text) OWNER TO CURRENT_USER;
            REVOKE ALL ON FUNCTION \(quotedFunction)(text) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION \(quotedFunction)(text) TO \(name);
            """)
        return lines.joined(separator: "\n\n")
    }

    private var footer: String {
        """
        -- Every member's pg_hba.conf must let martlet in, both as this role and as the users of the
        -- applications; under Patroni it is in postgresql.pg_hba:
        --
        --   host  all  all  ADDRESS-OF-MARTLET/32  scram-sha-256
        --
        -- Then `martlet check` says whether all is well.
        """
    }

    /// On one line, so that it cannot end the comment that it stands in.
    private static func comment(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}
