// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// What a client has sent and martlet still has, and where the client is in its stream.
package struct ClientInbox: ~Copyable {
    /// A message whose bytes are dealt with as they come.
    private enum Passing {
        case no
        /// The rest goes to the client's server.
        case forwarding(remaining: Int)
        /// The rest goes nowhere.
        case dropping(remaining: Int)
    }

    private var bytes: ByteQueue
    private var passing = Passing.no
    /// An error was reported in the extended protocol: everything up to the next Sync is ignored.
    package private(set) var skipsUntilSync = false

    package init(pool: BytePool) { bytes = ByteQueue(pool: pool) }

    // MARK: Bytes that are kept

    package var count: Int { bytes.count }
    package var isEmpty: Bool { bytes.isEmpty }

    /// The bytes that are kept; valid until the inbox is changed.
    package var unread: RawSpan {
        @_lifetime(borrow self)
        borrowing get { bytes.unread }
    }

    package mutating func append(_ more: RawSpan) { bytes.append(more) }
    package mutating func consume(_ count: Int) { bytes.consume(count) }
    package mutating func removeAll() { bytes.removeAll() }

    // MARK: Messages that are not kept

    /// Bytes still to come of a message that is forwarded or dropped as it comes.
    package var remaining: Int {
        switch passing {
        case .no: 0
        case .forwarding(let remaining), .dropping(let remaining): remaining
        }
    }

    /// Part of a message is with the server, and the rest is to come.
    package var isAmidForwarded: Bool {
        if case .forwarding = passing { return true }
        return false
    }

    /// The rest of a message that has been forwarded in part is to be forwarded.
    package mutating func forwardNext(_ remaining: Int) {
        passing = remaining > 0 ? .forwarding(remaining: remaining) : .no
    }

    /// The rest of a message is to be dropped.
    package mutating func dropNext(_ remaining: Int) {
        passing = remaining > 0 ? .dropping(remaining: remaining) : .no
    }

    /// More of the message came.
    package mutating func passed(_ count: Int) {
        switch passing {
        case .no: break
        case .forwarding(let remaining): forwardNext(remaining - count)
        case .dropping(let remaining): dropNext(remaining - count)
        }
    }

    // MARK: Skipping

    /// An error was reported: the client's messages up to its Sync are ignored.
    package mutating func skipUntilSync() { skipsUntilSync = true }

    /// The Sync arrived.
    package mutating func syncArrived() { skipsUntilSync = false }
}
