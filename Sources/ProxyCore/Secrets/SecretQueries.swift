// SPDX-License-Identifier: Apache-2.0

/// The SQL that reads the secret of a role, `$1`, and what its row means.
package enum SecretQueries {
    /// Whether the service account may read `pg_authid` itself; one row, one boolean.
    package static let rights = """
        SELECT pg_catalog.bool_and(
          pg_catalog.has_column_privilege('pg_catalog.pg_authid', name, 'SELECT'))
        FROM (VALUES ('rolpassword'), ('rolvaliduntil'), ('rolname'), ('rolcanlogin'))
          AS wanted(name)
        """

    /// From `pg_authid`.
    package static let table = """
        SELECT \(columns("rolpassword", "rolvaliduntil"))
        FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin
        """

    /// From the function that `martlet setup` makes; without a schema it is one of `public`.
    package static func function(_ name: String) -> String {
        let qualified = name.contains(".") ? name : "public." + name
        return "SELECT \(columns("secret", "valid_until")) "
            + "FROM \(SQLText.qualifiedName(qualified))($1)"
    }

    /// The secret, and the seconds for which it is valid; nothing where it is valid for ever.
    ///
    /// Seconds, because the clocks of both machines need not agree; and infinity can be told from
    /// other times only in that way before PostgreSQL 17.
    private static func columns(_ secret: String, _ validUntil: String) -> String {
        """
        \(secret), CASE
            WHEN \(validUntil) = 'infinity' THEN NULL
            WHEN \(validUntil) < pg_catalog.clock_timestamp() THEN -1
            ELSE extract(epoch FROM \(validUntil) - pg_catalog.clock_timestamp()) END
        """
    }
}

extension RoleSecret {
    /// A row of these queries, asked for at that time; nil where it is not one.
    package init?(row: [String?], askedAt: Instant) {
        guard row.count == 2 else { return nil }
        self.init(
            text: row[0], validUntil: row[1].map { Self.end(of: $0, askedAt: askedAt) },
            fetchedAt: askedAt)
    }

    /// Counted from the query, not from the reply, it is never too late.
    private static func end(of seconds: String, askedAt: Instant) -> Instant {
        // What cannot be read is over; thirty years are for ever.
        guard let seconds = Double(seconds), seconds > 0 else { return Instant(0) }
        return askedAt + .milliseconds(UInt64(min(seconds, 1e9) * 1000))
    }
}
