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
    /// `standard_conforming_strings` is on, or not set here.
    package let hasStandardStrings: Bool
    /// `client_encoding` has no multibyte character that contains an ASCII byte, or is not set here.
    package let encodingIsSafe: Bool
    let fingerprint: Int
    /// Of the settings by which a statement is read when it is parsed: how names are looked up
    /// (`$user` is the role), which characters its bytes are, what a constant means. 0 is the
    /// server's own.
    package let parseSettingsHash: Int
    /// Settings by which the literals and characters of a statement are read.
    package let literalSettings: [Entry]

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
        parseSettingsHash = Self.parseSettingsHash(entries)
        literalSettings = entries.filter { SettingsReplay.constants.contains($0.name) }
    }

    /// Of all but those that certainly do not matter to it: a new version may have others.
    private static func parseSettingsHash(_ entries: [Entry]) -> Int {
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
