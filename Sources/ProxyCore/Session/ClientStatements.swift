// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// The prepared statements of one client, by the names it gave them.
package struct ClientStatements {
    package struct Entry {
        package let name: [UInt8]
        package var text: PreparedText
        /// The columns of its result as the client was told; none where it was not, or there are none.
        package var columns = ResultColumns.unknown

        /// Whether a server that has these columns gives the client others than it expects.
        func isChanged(on server: ResultColumns) -> Bool {
            columns != .unknown && server != .unknown && server != columns
        }

        /// Whether a Describe would tell the client or martlet what they do not know.
        func isNews(on server: ResultColumns) -> Bool {
            server == .unknown || columns != server.expected
        }
    }

    /// A name, by its hash, and what it stands for, if anything.
    package struct Definition {
        package let hash: UInt64
        package let entry: Entry?
    }

    private var entries: [UInt64: Entry] = [:]

    package init() {}

    package var count: Int { entries.count }
    /// What their texts take, those that are shared with others included.
    package private(set) var byteCount = 0

    package func find(_ name: RawSpan, hash: UInt64) -> Entry? {
        guard let entry = entries[hash], name.equals(entry.name, in: 0..<name.byteCount) else {
            return nil
        }
        return entry
    }

    /// What a name of this hash stands for, if it is this text.
    package func entry(of index: Int, hash: UInt64) -> Entry? {
        guard let entry = entries[hash], entry.text.index == index else { return nil }
        return entry
    }

    /// The client is told what columns the statement has.
    package mutating func told(_ columns: ResultColumns, hash: UInt64) {
        entries[hash]?.columns = columns.expected
    }

    /// All names of a text stand for the same text with another context.
    package mutating func replace(_ text: PreparedText, with other: PreparedText) {
        for (hash, entry) in entries where entry.text === text { entries[hash]?.text = other }
    }

    package mutating func define(_ name: [UInt8], hash: UInt64, _ text: PreparedText) {
        remove(hash: hash)
        entries[hash] = Entry(name: name, text: text)
        byteCount += text.definition.count
    }

    package mutating func remove(hash: UInt64) {
        guard let removed = entries.removeValue(forKey: hash) else { return }
        byteCount -= removed.text.definition.count
    }

    /// What a name stands for now, to be put back if the server does not come to change it.
    package func definition(hash: UInt64) -> Definition {
        Definition(hash: hash, entry: entries[hash])
    }

    package mutating func restore(_ definition: Definition) {
        remove(hash: definition.hash)
        guard let entry = definition.entry else { return }
        entries[definition.hash] = entry
        byteCount += entry.text.definition.count
    }

    package mutating func removeAll(but kept: Set<UInt64> = []) {
        entries = entries.filter { kept.contains($0.key) }
        byteCount = entries.values.reduce(0) { $0 + $1.text.definition.count }
    }
}
