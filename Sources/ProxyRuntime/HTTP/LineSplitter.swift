// SPDX-License-Identifier: Apache-2.0

/// Cuts a stream of bytes into lines, wherever its pieces begin and end; keeps no more than one.
package struct LineSplitter: Sendable {
    private let limit: Int
    private var partial: [UInt8] = []

    package init(limit: Int) { self.limit = limit }

    /// The lines that are complete now, without their ends and without empty ones; nil where one
    /// is longer than the limit.
    package mutating func append(_ bytes: some Collection<UInt8>) -> [[UInt8]]? {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while let newline = rest.firstIndex(of: 10) {
            guard partial.count + rest.distance(from: rest.startIndex, to: newline) <= limit else {
                return nil
            }
            partial += rest[..<newline]
            if !partial.isEmpty { lines.append(partial) }
            partial = []
            rest = rest[rest.index(after: newline)...]
        }
        guard partial.count + rest.count <= limit else { return nil }
        partial += rest
        return lines
    }

    /// Returns the bytes after the last line end, which a server may omit for the last line.
    package mutating func takeRest() -> [UInt8]? {
        defer { partial = [] }
        return partial.isEmpty ? nil : partial
    }
}
