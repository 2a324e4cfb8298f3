// SPDX-License-Identifier: Apache-2.0

/// What is wrong with whom, so that the log says it once and not at every attempt.
struct StandingFaults {
    /// Subjects at a time; what is wrong with one more is told each time.
    private static let limit = 512

    /// The reason that was told, by subject.
    private var told: [String: String] = [:]

    /// Whether to tell that an attempt failed for this reason.
    mutating func failed(_ subject: String, _ reason: String) -> Bool {
        guard told[subject] != reason else { return false }
        if told[subject] != nil || told.count < Self.limit { told[subject] = reason }
        return true
    }

    /// Whether to tell that it works again.
    mutating func ended(_ subject: String) -> Bool { told.removeValue(forKey: subject) != nil }
}
