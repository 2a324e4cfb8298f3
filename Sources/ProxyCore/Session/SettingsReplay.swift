// SPDX-License-Identifier: Apache-2.0

/// The SQL that takes a server from the settings it has to those a session needs.
package enum SettingsReplay {
    /// Prefix of martlet's own settings, which are never replayed.
    package static let martletPrefix = "martlet."

    /// Settings by which the constants and characters of a statement are read when it is parsed; who
    /// may log in may set them. PostgreSQL reads a statement again when `search_path` or the role is
    /// another one, but not for these.
    package static let constants = [
        "array_nulls", "client_encoding", "datestyle", "intervalstyle", "lc_monetary",
        "standard_conforming_strings", "timezone", "timezone_abbreviations",
        "transform_null_equals", "xmloption",
    ]

    /// A query for those of these settings that the session has set: one text, or NULL.
    package static let literalSettingsQuery = """
        SELECT pg_catalog.string_agg(pg_catalog.lower(name) || '=' || setting, E'\\n' \
        ORDER BY pg_catalog.lower(name)) FROM pg_catalog.pg_settings \
        WHERE source = 'session' AND pg_catalog.lower(name) = ANY (ARRAY[\
        \(constants.map(SQLText.escapeLiteral).joined(separator: ","))])
        """

    /// What `literalSettingsQuery` was answered with.
    package static func constants(answer: String?) -> [ParameterSet.Entry] {
        (answer ?? "").split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            return ParameterSet.Entry(name: String(parts[0]), value: String(parts[1]))
        }
    }

    private static let keptPrefix = martletPrefix + "kept_"

    /// A SELECT that keeps what these settings are and gives them the values of `wanted`, and one that
    /// gives them back; both for the present transaction only, so that no more than the value of a
    /// setting matters to what its end makes of it.
    package static func switching(
        _ names: [String], to wanted: [ParameterSet.Entry]
    ) -> (there: String, back: String) {
        let there = names.map { name in
            let kept = "pg_catalog.current_setting(\(SQLText.escapeLiteral(name)))"
            let value = wanted.first { $0.name == name }.map { anyEncoding($0.value) } ?? "NULL"
            return local(keptPrefix + name, kept) + "," + local(name, value)
        }
        let back = names.map { name in
            local(name, "pg_catalog.current_setting(\(SQLText.escapeLiteral(keptPrefix + name)))")
        }
        return ("SELECT " + there.joined(separator: ","), "SELECT " + back.joined(separator: ","))
    }

    private static func local(_ name: String, _ value: String) -> String {
        "pg_catalog.set_config(\(SQLText.escapeLiteral(name)),\(value),true) IS NULL"
    }

    /// A simple query, or nil when there is nothing to change.
    ///
    /// The role is given back first and taken last, so that everything between is done with the
    /// rights of the login.
    package static func text(from applied: ParameterSet, to wanted: ParameterSet) -> String? {
        if applied.isSame(as: wanted) { return nil }
        let have = applied.dictionary
        let want = wanted.dictionary
        var statements: [String] = []
        if have["role"] != nil && have["role"] != want["role"] { statements.append("RESET ROLE") }
        for entry in applied.entries where want[entry.name] == nil && entry.name != "role" {
            statements.append("RESET \(SQLText.qualifiedName(entry.name))")
        }
        for entry in wanted.entries where have[entry.name] != entry.value && entry.name != "role" {
            statements.append(assignment(entry.name, entry.value))
        }
        if let role = want["role"], role != have["role"] {
            statements.append(assignment("role", role))
        }
        if statements.isEmpty { return nil }
        // The statements are one transaction, begun with what the server has.
        if applied.isSerializable {
            statements.insert("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", at: 0)
        }
        return statements.joined(separator: ";")
    }

    // The value is not asked back: the encoding that was just set may not have its characters.
    private static func assignment(_ name: String, _ value: String) -> String {
        "SELECT pg_catalog.set_config(\(anyEncoding(name)),\(anyEncoding(value)),false) IS NULL"
    }

    /// An expression for a text that means the same in every client encoding.
    private static func anyEncoding(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return SQLText.escapeLiteral(text) }
        let digits = Array("0123456789abcdef".utf8)
        let hex = text.utf8.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return "pg_catalog.convert_from(pg_catalog.decode("
            + "'\(String(decoding: hex, as: UTF8.self))','hex'),'UTF8')"
    }
}
