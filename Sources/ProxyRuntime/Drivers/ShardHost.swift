// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// The control plane as the shards see it: what they hand over because it would block them.
///
/// Called on shard queues, so none of these may wait for anything.
package struct ShardHost: Sendable {
    /// Find a user's secret, and answer exactly once, from any thread.
    package var lookUpSecret:
        @Sendable (
            _ user: String, _ newerThan: Instant,
            _ answer: @escaping @Sendable (SecretLookup) -> Void
        ) -> Void
    package var needCatalogue: @Sendable (_ database: String) -> Void
    package var catalogueStale: @Sendable (_ database: String) -> Void
    /// What a connection saw contradicts the topology.
    package var doubt: @Sendable (NodeID) -> Void
    /// Sessions wait for newer log positions.
    package var wantPositions: @Sendable () -> Void
    package var log: @Sendable (ShardID, LogEvent) -> Void

    package init(
        lookUpSecret: @escaping @Sendable (
            _ user: String, _ newerThan: Instant,
            _ answer: @escaping @Sendable (SecretLookup) -> Void
        ) -> Void,
        needCatalogue: @escaping @Sendable (String) -> Void = { _ in },
        catalogueStale: @escaping @Sendable (String) -> Void = { _ in },
        doubt: @escaping @Sendable (NodeID) -> Void = { _ in },
        wantPositions: @escaping @Sendable () -> Void = {},
        log: @escaping @Sendable (ShardID, LogEvent) -> Void = { _, _ in }
    ) {
        self.lookUpSecret = lookUpSecret
        self.needCatalogue = needCatalogue
        self.catalogueStale = catalogueStale
        self.doubt = doubt
        self.wantPositions = wantPositions
        self.log = log
    }
}

/// What the loop of a shard has done since it began.
package struct LoopStatistics: Equatable, Sendable {
    package var wakeUps: UInt64 = 0
    package var events: UInt64 = 0
    package var reads: UInt64 = 0
    /// Reads that found nothing; few, or the readiness flags are wrong.
    package var emptyReads: UInt64 = 0
    package var bytesRead: UInt64 = 0
    package var sends: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Times that a socket was left unread: its receiver is slow, by the driver's measure or the
    /// core's, or the core holds enough of it.
    package var blocks: UInt64 = 0
    /// Clients taken from the acceptors.
    package var accepted: UInt64 = 0
    /// Connections to servers that failed before they were there.
    package var failedConnects: UInt64 = 0
    /// Messages of other shards that found this one's mailbox full.
    package var refusedMail: UInt64 = 0
    /// Sockets open now, clients and servers.
    package var openSockets = 0

    package init() {}

    /// Adds another shard's figures.
    package mutating func add(_ other: LoopStatistics) {
        wakeUps += other.wakeUps
        events += other.events
        reads += other.reads
        emptyReads += other.emptyReads
        bytesRead += other.bytesRead
        sends += other.sends
        bytesSent += other.bytesSent
        blocks += other.blocks
        accepted += other.accepted
        failedConnects += other.failedConnects
        refusedMail += other.refusedMail
        openSockets += other.openSockets
    }
}
