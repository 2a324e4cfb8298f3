// SPDX-License-Identifier: Apache-2.0

package import DequeModule

/// The server connections of one shard for one node, database and user, and the clients that wait
/// for one.
///
/// Idle server connections are reused last in, first out, so that few back ends stay hot; clients
/// wait first in, first out. A connection counts from the moment its slot is taken.
package final class ServerPool {
    private static let longestPause = Instant.Span.seconds(5)

    package let key: PoolKey
    package private(set) var policy: PoolPolicy
    private var idle: [ServerConnection] = []
    private var waiting: Deque<ClientSession> = []
    /// Connections being opened.
    package private(set) var opening = 0
    /// All connections of this shard, whatever they do.
    package private(set) var total = 0
    /// After a failure no new connection is tried before this.
    package private(set) var retryAt: Instant?
    private var failures = 0
    /// It had no connections and no waiting clients, and another pool may have taken its place.
    package private(set) var isRetired = false
    /// The ledger knows that a client waits here.
    package private(set) var isAnnounced = false

    package init(key: PoolKey, policy: PoolPolicy) {
        self.key = key
        self.policy = policy
    }

    // MARK: State

    package var idleCount: Int { idle.count }
    package var waitingCount: Int { waiting.count }
    package var oldestWaiter: ClientSession? { waiting.first }
    package var idleServers: [ServerConnection] { idle }
    package var waiters: Deque<ClientSession> { waiting }

    /// Nothing is left in it.
    package var isEmpty: Bool { total == 0 && waiting.isEmpty }

    /// A client waits for whom no connection is being opened, and one may be tried now. After a
    /// failure one connection at a time finds out whether it is over.
    package func mayOpen(now: Instant) -> Bool {
        if let retryAt, now < retryAt { return false }
        return opening < waiting.count && (failures == 0 || opening == 0)
    }

    // MARK: Idle server connections

    package func takeIdle() -> ServerConnection? { idle.popLast() }
    package func addIdle(_ server: ServerConnection) { idle.append(server) }
    package func removeIdle(_ server: ServerConnection) { idle.removeAll { $0 === server } }

    // MARK: Waiting clients

    package func enqueue(_ client: ClientSession) { waiting.append(client) }

    /// Takes the client that has waited longest among those that can be served.
    package func dequeue(where canServe: (ClientSession) -> Bool) -> ClientSession? {
        guard let place = waiting.firstIndex(where: canServe) else { return nil }
        return waiting.remove(at: place)
    }

    package func remove(_ client: ClientSession) {
        guard let place = waiting.firstIndex(where: { $0 === client }) else { return }
        waiting.remove(at: place)
    }

    /// The ledger was told that a client waits here, or that none does.
    package func announced(_ waits: Bool) { isAnnounced = waits }

    // MARK: Opening and closing

    /// A connection is being opened.
    package func openingBegan() {
        opening += 1
        total += 1
    }

    /// A connection that was being opened is usable.
    package func openingSucceeded() {
        opening -= 1
        failures = 0
        retryAt = nil
    }

    /// A connection that was being opened is given up. It still counts until it is closed.
    package func openingEnded() { opening -= 1 }

    /// Opening failed; the next try waits longer each time.
    package func openingFailed(now: Instant) {
        failures += 1
        let pause = Instant.Span.milliseconds(100 << UInt64(min(failures, 6)))
        retryAt = now + min(pause, Self.longestPause)
    }

    /// A connection came from another shard.
    package func joined() { total += 1 }

    /// A connection is closed, or goes to another shard.
    package func left() { total -= 1 }

    // MARK: Configuration and the end

    package func reconfigured(_ policy: PoolPolicy) { self.policy = policy }

    /// The shard forgets it; clients that remember it look for its successor.
    package func retired() { isRetired = true }
}
