// SPDX-License-Identifier: Apache-2.0

/// What a shard's driver counts: system calls, bytes, and what went wrong below the core.
package struct LoopCounters: Sendable, Equatable {
    /// Times that the loop was woken.
    package var wakeups = 0
    /// Calls that read from a socket.
    package var reads = 0
    /// Reads that found nothing.
    package var emptyReads = 0
    /// Calls that sent on a socket.
    package var sends = 0
    package var bytesReceived = 0
    package var bytesSent = 0
    /// Times that a socket was left unread, because its receiver is slow or enough of it is held.
    package var blocks = 0
    /// Clients taken from the listeners.
    package var accepted = 0
    /// Messages between shards that found the mailbox full.
    package var refusedMail = 0

    package init() {}

    /// Adds another shard's figures.
    package mutating func add(_ other: LoopCounters) {
        wakeups &+= other.wakeups
        reads &+= other.reads
        emptyReads &+= other.emptyReads
        sends &+= other.sends
        bytesReceived &+= other.bytesReceived
        bytesSent &+= other.bytesSent
        blocks &+= other.blocks
        accepted &+= other.accepted
        refusedMail &+= other.refusedMail
    }
}
