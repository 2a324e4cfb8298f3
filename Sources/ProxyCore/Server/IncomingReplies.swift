// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Where a server connection is in the bytes that it sends: between messages, in one that must be
/// read whole, or in one that is passed on by count.
struct IncomingReplies: ~Copyable {
    private enum Phase {
        case betweenMessages
        /// Bytes of a message's body are still to come; they are the client's, or dropped.
        case passing(remaining: Int, forwards: Bool)
    }

    private var phase = Phase.betweenMessages
    /// The beginning of a message that has not wholly arrived and must be read whole.
    private var partial: ByteQueue
    /// A ReadyForQuery arrived after which nothing is owed; acted on at the end of the read.
    private(set) var isSettled = false

    init(bytes: BytePool) { partial = ByteQueue(pool: bytes) }

    /// Bytes of the body that are still to come of a message that is passed on.
    var remaining: Int {
        if case .passing(let remaining, _) = phase { return remaining }
        return 0
    }

    /// Part of a message is with the client.
    var isAmidForwarded: Bool {
        if case .passing(_, let forwards) = phase { return forwards }
        return false
    }

    /// Bytes that are kept of a message to be read whole.
    var partialCount: Int { partial.count }

    /// The header of the message that is kept, once it is there.
    func partialHeader() throws(WireError) -> MessageHeader? {
        try MessageHeader(in: partial.unread, at: 0)
    }

    /// Keeps bytes of a message that must be read whole.
    mutating func keep(_ bytes: RawSpan) { partial.append(bytes) }

    /// Takes the message that was kept.
    mutating func takePartial(_ spare: consuming ByteQueue) -> ByteQueue {
        var message = spare
        swap(&message, &partial)
        return message
    }

    /// A message began whose body arrives later.
    mutating func began(remaining: Int, forwards: Bool) {
        phase = remaining > 0 ? .passing(remaining: remaining, forwards: forwards) : .betweenMessages
    }

    /// More of the body arrived.
    mutating func passed(_ count: Int) {
        guard case .passing(let remaining, let forwards) = phase else { return }
        began(remaining: remaining - count, forwards: forwards)
    }

    /// Nobody gets the rest.
    mutating func clientLeft() {
        guard case .passing(let remaining, _) = phase else { return }
        phase = .passing(remaining: remaining, forwards: false)
    }

    /// A ReadyForQuery arrived; nothing is owed after it, or something is.
    mutating func ready(owesNothing: Bool) { isSettled = owesNothing }

    /// The ReadyForQuery was acted on, or something new was asked.
    mutating func settled() { isSettled = false }

    /// The connection belongs to another shard now, with that shard's storage.
    mutating func moved(to bytes: BytePool) { partial = ByteQueue(pool: bytes) }
}
