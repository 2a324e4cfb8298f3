// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// The columns of a statement's result, in a hash: their names, types and type modifiers.
///
/// PostgreSQL compares these, too, before it runs a statement whose tables have changed ("cached plan
/// must not change result type"); the table that a column comes from and its format do not count.
package struct ResultColumns: Equatable, Sendable {
    private let value: UInt64

    private init(value: UInt64) { self.value = value }

    package static let unknown = ResultColumns(value: 0)
    /// It returns no rows.
    package static let none = ResultColumns(value: 1)

    /// What a client expects that was told of these: nothing, where there are no rows to be read.
    var expected: ResultColumns { self == .none ? .unknown : self }

    /// Of a RowDescription; nil where it is malformed.
    package init?(rowDescription body: RawSpan, hashing: ByteHash) {
        var described: [UInt8] = []
        do {
            var reader = WireReader(body)
            let count = try reader.int16()
            guard count >= 0 else { return nil }
            for _ in 0..<count {
                described += body.copy(try reader.terminated())
                described.append(0)
                try reader.skip(6)  // table, attribute
                let type = reader.offset
                try reader.skip(10)  // object id, size, modifier
                described += body.copy(type..<reader.offset)
                try reader.skip(2)  // format
            }
        } catch {
            return nil
        }
        value = max(hashing(described), 2)
    }
}
