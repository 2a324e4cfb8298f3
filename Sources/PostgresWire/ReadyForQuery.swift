// SPDX-License-Identifier: Apache-2.0

/// The transaction status that ReadyForQuery reports.
package enum TransactionStatus: UInt8, Equatable, Sendable {
    case idle = 0x49
    case inTransaction = 0x54
    case failed = 0x45

    // Written out, because other modules call what the compiler makes through a table of functions.
    package static func == (a: TransactionStatus, b: TransactionStatus) -> Bool {
        a.rawValue == b.rawValue
    }
    package static func != (a: TransactionStatus, b: TransactionStatus) -> Bool { !(a == b) }
}

/// ReadyForQuery: the server has answered everything up to a Sync or a Query.
package enum ReadyForQuery {
    package static func write(_ status: TransactionStatus, to queue: inout ByteQueue) {
        queue.append(byte: BackendKind.readyForQuery)
        queue.append(int32: 5)
        queue.append(byte: status.rawValue)
    }

    package static func parse(body: RawSpan) throws(WireError) -> TransactionStatus {
        guard body.byteCount == 1, let status = TransactionStatus(rawValue: body.byte(at: 0)) else {
            throw .invalid
        }
        return status
    }
}
