// SPDX-License-Identifier: Apache-2.0

import PostgresWire

extension ByteQueue {
    /// A copy of the bytes that wait.
    func copy() -> [UInt8] { unread.copy(0..<count) }
}

/// The bytes that wait in a queue.
func contents(_ queue: borrowing ByteQueue) -> [UInt8] { queue.copy() }

/// What is written to an empty queue.
func written(_ write: (inout ByteQueue) -> Void) -> [UInt8] {
    var queue = ByteQueue(pool: BytePool())
    write(&queue)
    return contents(queue)
}

/// The type of the one message that is written, and its body; nil where its length is not its own.
func message(_ write: (inout ByteQueue) -> Void) -> (kind: UInt8, body: [UInt8])? {
    let bytes = written(write)
    guard let header = try? MessageHeader(in: bytes.rawSpan, at: 0),
        header.totalCount == bytes.count
    else { return nil }
    return (header.kind, Array(bytes[MessageHeader.size...]))
}

/// Strings as the protocol has them, each with the zero that ends it.
func terminated(_ strings: String...) -> [UInt8] { strings.flatMap { Array($0.utf8) + [0] } }

/// What is wrong with bytes; nil where nothing is.
func fault(_ read: () throws -> Void) -> WireError? {
    do {
        try read()
        return nil
    } catch {
        return error as? WireError
    }
}
