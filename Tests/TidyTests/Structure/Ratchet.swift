// SPDX-License-Identifier: Apache-2.0

/// Compares how often a rule is broken with how often it may be, place by place. The table may only
/// shrink: what is more is an error, what is less asks to lower the number.
struct Ratchet {
    struct Verdict: Equatable {
        var isError: Bool
        var message: String
    }

    let name: String
    let allowed: [String: Int]

    /// Findings by the places of the table: paths of files, or of folders.
    func verdicts(_ counts: [String: Int], details: [String: [String]] = [:]) -> [Verdict] {
        Set(counts.keys).union(allowed.keys).sorted().compactMap { place in
            let (count, most) = (counts[place] ?? 0, allowed[place] ?? 0)
            if count > most {
                let list = (details[place] ?? []).map { "\n    " + $0 }.joined()
                return Verdict(
                    isError: true,
                    message: "\(place): \(count) where \(name) has \(most)\(list)")
            }
            return count < most
                ? Verdict(
                    isError: false,
                    message: "\(place): \(count) where \(name) has \(most); lower the number")
                : nil
        }
    }

    func verdicts(_ findings: [Finding]) -> [Verdict] {
        let groups = Dictionary(grouping: findings, by: \.path)
        return verdicts(
            groups.mapValues(\.count), details: groups.mapValues { $0.map(\.description) })
    }
}
