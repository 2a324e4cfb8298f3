// SPDX-License-Identifier: Apache-2.0

package import DequeModule

/// The servers of one shard for one member, database and user, and who waits for one.
///
/// Idle servers are reused last in, first out, so that few back ends stay hot; clients wait first
/// in, first out. A server is counted from the moment its slot is taken.
package final class ServerPool {
    package let key: PoolKey
    package var policy: PoolPolicy
    private var idle: [ServerConnection] = []
    private var waiting: Deque<ClientSession> = []
    /// Connections being opened.
    package var opening = 0
    /// All connections of this shard, whatever they do.
    package var total = 0
    /// After a failure no new connection is tried before this.
    package var retryAt: Instant?
    package var failures = 0
    /// It had no servers and nobody waiting, and another one may have taken its place.
    package var isRetired = false
    /// The ledger knows that somebody waits here.
    package var isAnnounced = false

    package init(key: PoolKey, policy: PoolPolicy) {
        self.key = key
        self.policy = policy
    }

    package var idleCount: Int { idle.count }
    package var waitingCount: Int { waiting.count }
    package var oldestWaiter: ClientSession? { waiting.first }
    package var idleServers: [ServerConnection] { idle }
    package var waiters: Deque<ClientSession> { waiting }

    package func takeIdle() -> ServerConnection? { idle.popLast() }
    package func addIdle(_ server: ServerConnection) { idle.append(server) }
    package func removeIdle(_ server: ServerConnection) { idle.removeAll { $0 === server } }

    package func enqueue(_ client: ClientSession) { waiting.append(client) }
    /// The one that has waited longest among those that something can be done for.
    package func dequeue(where canServe: (ClientSession) -> Bool) -> ClientSession? {
        guard let place = waiting.firstIndex(where: canServe) else { return nil }
        return waiting.remove(at: place)
    }
    package func remove(_ client: ClientSession) {
        guard let place = waiting.firstIndex(where: { $0 === client }) else { return }
        waiting.remove(at: place)
    }

    /// Opening failed; the next try waits longer each time, up to five seconds.
    package func openingFailed(now: Instant) {
        failures += 1
        retryAt = now + .milliseconds(min(100 << UInt64(min(failures, 6)), 5_000))
    }

    package func openingSucceeded() {
        failures = 0
        retryAt = nil
    }
}
