// SPDX-License-Identifier: Apache-2.0

/// Settings and their values, as one immutable object that sessions and servers share.
///
/// A server that has applied the very object that a session asks for needs nothing replayed; that
/// is one comparison of addresses, the steady state. Equal sets in two objects are found equal by
/// content, once, and then become one object again.
package final class ParameterSet: Sendable {
    package struct Entry: Hashable, Sendable {
        /// Lower case: names of settings are not case-sensitive.
        package let name: String
        package let value: String
    }

    package static let empty = ParameterSet([:])

    /// In the order of their names.
    package let entries: [Entry]
    /// Transactions are serializable unless they say otherwise, which no standby can do.
    package let isSerializable: Bool
    /// As far as it says: a backslash in a plain string constant is no escape.
    package let hasStandardStrings: Bool
    /// As far as it says: no byte of a character looks like another one.
    package let encodingIsSafe: Bool
    fileprivate let fingerprint: Int
    /// Of the settings by which a statement is read when it is parsed: how names are looked up
    /// (`$user` is the role), which characters its bytes are, what a constant means. 0 is the
    /// server's own.
    package let reading: Int
    /// Those by which the constants and characters of a statement are read.
    package let ofConstants: [Entry]

    package init(_ values: [String: String]) {
        entries = values.sorted { $0.key < $1.key }.map { Entry(name: $0.key, value: $0.value) }
        isSerializable = values["default_transaction_isolation"] == "serializable"
        hasStandardStrings = values["standard_conforming_strings"] != "off"
        encodingIsSafe = ClientEncoding.isSafe(values["client_encoding"])
        var hasher = Hasher()
        for entry in entries {
            hasher.combine(entry.name)
            hasher.combine(entry.value)
        }
        fingerprint = hasher.finalize()
        reading = Self.reading(entries)
        ofConstants = entries.filter { SettingsReplay.constants.contains($0.name) }
    }

    /// Of all but those that certainly do not matter to it: a new version may have others.
    private static func reading(_ entries: [Entry]) -> Int {
        var hasher = Hasher()
        var isStandard = true
        for entry in entries where !entry.name.contains(".") && !indifferent.contains(entry.name) {
            isStandard = false
            hasher.combine(entry)
        }
        return isStandard ? 0 : hasher.finalize()
    }

    /// Settings by which no statement is read otherwise; those that drivers and poolers set.
    private static let indifferent: Set<String> = [
        "application_name", "bytea_output", "client_min_messages", "default_transaction_deferrable",
        "default_transaction_isolation", "default_transaction_read_only", "extra_float_digits",
        "idle_in_transaction_session_timeout", "idle_session_timeout", "jit", "lock_timeout",
        "maintenance_work_mem", "plan_cache_mode", "statement_timeout", "synchronous_commit",
        "transaction_timeout", "work_mem",
    ]

    package subscript(name: String) -> String? { entries.first { $0.name == name }?.value }

    package var dictionary: [String: String] {
        Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.value) })
    }

    package func isSame(as other: ParameterSet) -> Bool {
        self === other || (fingerprint == other.fingerprint && entries == other.entries)
    }

    /// A set with one value changed; nil takes it out.
    package func with(_ name: String, _ value: String?) -> ParameterSet {
        if self[name] == value { return self }
        var values = dictionary
        values[name] = value
        return ParameterSet(values)
    }
}

/// One object for all sets of a shard that say the same, so that they are found equal by address.
package struct ParameterSets {
    /// So many different ones are not expected; beyond them it begins anew.
    private static let limit = 1024

    private var known: [Int: ParameterSet] = [:]

    package init() {}

    /// The one that says the same.
    package mutating func one(for set: ParameterSet) -> ParameterSet {
        if let same = known[set.fingerprint], same.isSame(as: set) { return same }
        if known.count >= Self.limit { known.removeAll() }
        known[set.fingerprint] = set
        return set
    }
}

/// The SQL that takes a server from the settings it has to those a session needs.
package enum SettingsReplay {
    /// Never replayed: they belong to martlet, not to the server.
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
    package static let constantsQuery = """
        SELECT pg_catalog.string_agg(pg_catalog.lower(name) || '=' || setting, E'\\n' \
        ORDER BY pg_catalog.lower(name)) FROM pg_catalog.pg_settings \
        WHERE source = 'session' AND pg_catalog.lower(name) = ANY (ARRAY[\
        \(constants.map(SQLText.escapeLiteral).joined(separator: ","))])
        """

    /// What `constantsQuery` was answered with.
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
