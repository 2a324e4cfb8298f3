// SPDX-License-Identifier: Apache-2.0

/// The protocol-level statements that a server connection has prepared, by the index of their text.
///
/// Bounded: the least recently used one is closed when there is no room for one more.
struct ServerStatements {
    private struct Entry {
        var lastUse: UInt64
        /// Columns of the result, once they were described.
        var columns = ResultColumns.unknown
    }

    /// A portal and the statement that it was made of, by hashes of the client's names.
    struct BoundPortal {
        let portal: UInt64
        let name: UInt64
        let statement: Int
    }

    private var entries: [Int: Entry] = [:]
    private var useCount: UInt64 = 0
    /// Use count when the present unit began; statements used since stay.
    private var unitMark: UInt64 = 0
    /// The portal bound last, where a Describe of it would tell columns that are not known.
    private(set) var boundPortal: BoundPortal?

    var isEmpty: Bool { entries.isEmpty }

    /// Whether it has the statement.
    func contains(_ index: Int) -> Bool { entries[index] != nil }

    /// The columns of a statement, as far as they are known.
    func columns(of index: Int) -> ResultColumns { entries[index]?.columns ?? .unknown }

    /// A unit begins.
    mutating func unitBegan() {
        boundPortal = nil
        unitMark = useCount
    }

    /// A statement is used; returns its columns, or nil when it has to be parsed first.
    mutating func use(_ index: Int) -> ResultColumns? {
        useCount += 1
        guard let place = entries.index(forKey: index) else { return nil }
        entries.values[place].lastUse = useCount
        return entries.values[place].columns
    }

    /// A Parse of the statement was sent.
    mutating func parsed(_ index: Int) { entries[index] = Entry(lastUse: useCount) }

    /// A portal was bound to a statement.
    mutating func bound(_ portal: BoundPortal?) { boundPortal = portal }

    /// The columns of a statement were described.
    mutating func described(_ index: Int, _ columns: ResultColumns) {
        entries[index]?.columns = columns
    }

    /// A statement turned out not to be there, or was closed.
    mutating func forget(_ index: Int) { entries[index] = nil }

    /// All but these are gone.
    mutating func keepOnly(_ isKept: (Int) -> Bool) {
        entries = entries.filter { isKept($0.key) }
    }

    /// All are gone.
    mutating func removeAll() { entries.removeAll() }

    /// Takes out the least recently used statement where there is no room for one more. One that was
    /// used in the present unit belongs to messages on their way and stays.
    mutating func evict(limit: Int) -> Int? {
        guard entries.count >= max(limit, 1) else { return nil }
        var oldest: (index: Int, use: UInt64)?
        for (index, entry) in entries where entry.lastUse <= unitMark {
            let isOlder = oldest.map {
                entry.lastUse < $0.use || (entry.lastUse == $0.use && index < $0.index)
            }
            if isOlder ?? true { oldest = (index, entry.lastUse) }
        }
        guard let index = oldest?.index else { return nil }
        entries[index] = nil
        return index
    }
}
