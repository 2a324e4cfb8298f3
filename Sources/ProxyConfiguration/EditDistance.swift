// SPDX-License-Identifier: Apache-2.0

/// Finds what was probably meant by a word that nobody knows.
enum EditDistance {
    /// The candidate that was probably meant; nil when none is close.
    static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        let limit = max(1, min(4, name.utf8.count / 3))
        let scored = candidates.map { ($0, between(name.lowercased(), $0.lowercased())) }
        guard let best = scored.min(by: { $0.1 < $1.1 }), best.1 <= limit else { return nil }
        return best.0
    }

    /// How many letters must be added, removed, changed or swapped with their neighbour.
    ///
    /// The matrix of Damerau's optimal string alignment, of which three rows are kept.
    static func between(_ a: String, _ b: String) -> Int {
        let a = Array(a.utf8)
        let b = Array(b.utf8)
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
