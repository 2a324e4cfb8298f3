// SPDX-License-Identifier: Apache-2.0

internal import ProxyConfiguration

/// The query of `martlet check`, and how its result is read.
enum CheckQuery {
    /// One row about the server and the rights of the service account; $1 and $2 are schema and
    /// name of the look-up function. Works on primaries and standbys from version 13.
    static let text = """
        SELECT pg_catalog.current_setting('server_version'),
            pg_catalog.current_setting('server_version_num'),
            pg_catalog.pg_is_in_recovery(),
            (SELECT system_identifier FROM pg_catalog.pg_control_system()),
            pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
            pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT'),
            (SELECT pg_catalog.bool_or(
                    pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                    AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
                FROM pg_catalog.pg_proc p
                JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname = $1 AND p.proname = $2
                    AND p.pronargs = 1 AND p.proargtypes[0] = 'pg_catalog.text'::regtype),
            pg_catalog.current_setting('max_connections')::int
                - pg_catalog.current_setting('superuser_reserved_connections')::int
                - coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int,
            extract(epoch FROM pg_catalog.clock_timestamp())
        """

    /// Calls the look-up function; the account's own name is as good as any.
    static func call(_ function: String) -> String {
        var script = SetupScript()
        script.function = function
        return "SELECT secret, valid_until FROM \(script.quotedFunction)(current_user)"
    }

    /// The two parameters of `text`.
    static func parameters(_ function: String) -> [String] {
        function.split(separator: ".", maxSplits: 1).map(String.init)
    }

    /// Nil where the row is not one of `text`. The times, in seconds since 1970 by this machine's
    /// clock, are those of the question and of the answer.
    static func facts(
        _ row: [String?], askedAt: Double, answeredAt: Double
    ) -> ClusterFacts.ServerFacts? {
        guard row.count == 9, let version = row[0], let number = row[1].flatMap({ Int($0) }),
            let limit = row[7].flatMap({ Int($0) }), let clock = row[8].flatMap({ Double($0) })
        else { return nil }
        var facts = ClusterFacts.ServerFacts()
        facts.version = version.split(separator: " ").first.map(String.init) ?? version
        facts.versionNumber = number
        facts.isInRecovery = row[2] == "t"
        facts.systemIdentifier = row[3]
        facts.maySeeReplication = row[4] == "t"
        facts.mayReadSecrets = row[5] == "t"
        facts.lookup = row[6] == nil ? .missing : row[6] == "t" ? .callable : .forbidden
        facts.connectionLimit = limit
        // The server read its clock somewhere between question and answer.
        facts.clockOffset = clock - (askedAt + answeredAt) / 2
        facts.clockUncertainty = (answeredAt - askedAt) / 2
        return facts
    }
}
