// SPDX-License-Identifier: Apache-2.0

package import ProxyCore
internal import Synchronization

/// The limits that hold over all shards, counted exactly under a mutex.
///
/// It is asked when a server is opened or closed and when a queue of waiting clients changes its
/// head, not for each transaction; the one question asked at each release, whether another shard
/// waits longer, costs two atomic loads while nobody does.
package final class Ledger: ServerLedger {
    private struct Servers {
        var ofPool: [PoolKey: Int] = [:]
        var ofNode: [NodeID: Int] = [:]
    }

    private struct Waiter {
        let shard: ShardID
        var since: Instant
    }

    private let servers = Mutex(Servers())
    private let waiters = Mutex<[PoolKey: [Waiter]]>([:])
    private let users = Mutex<[String: Int]>([:])
    private let clients = Atomic<Int>(0)
    /// How many pools each shard waits for, and their sum: a hint that is right when nothing moves.
    private let waitingOfShard: [Count]
    private let waiting = Count()

    private final class Count: Sendable {
        let value = Atomic<Int>(0)
        func add(_ n: Int) { value.add(n, ordering: .sequentiallyConsistent) }
        var now: Int { value.load(ordering: .sequentiallyConsistent) }
    }

    package init(shards: Int) { waitingOfShard = (0..<shards).map { _ in Count() } }

    // MARK: Servers

    package func acquire(_ pool: PoolKey, size: Int, perNode: Int) -> SlotVerdict {
        servers.withLock { servers in
            if servers.ofPool[pool, default: 0] >= size { return .poolFull }
            if servers.ofNode[pool.node, default: 0] >= perNode { return .nodeFull }
            servers.ofPool[pool, default: 0] += 1
            servers.ofNode[pool.node, default: 0] += 1
            return .granted
        }
    }

    package func release(_ pool: PoolKey) {
        servers.withLock { servers in
            Self.countDown(&servers.ofPool, pool)
            Self.countDown(&servers.ofNode, pool.node)
        }
    }

    /// Servers open or being opened, on one node.
    package func serverCount(on node: NodeID) -> Int {
        servers.withLock { $0.ofNode[node, default: 0] }
    }

    // MARK: Who waits

    package func setWaiting(_ pool: PoolKey, shard: ShardID, since: Instant?) {
        let change = waiters.withLock { waiters -> Int in
            let place = waiters[pool]?.firstIndex { $0.shard == shard }
            switch (place, since) {
            case (let place?, let since?): waiters[pool]?[place].since = since
            case (nil, let since?):
                waiters[pool, default: []].append(Waiter(shard: shard, since: since))
                return 1
            case (let place?, nil):
                waiters[pool]?.remove(at: place)
                if waiters[pool]?.isEmpty == true { waiters[pool] = nil }
                return -1
            case (nil, nil): break
            }
            return 0
        }
        guard change != 0 else { return }
        waitingOfShard[shard.index].add(change)
        waiting.add(change)
    }

    package func longerWaiting(
        _ pool: PoolKey, than since: Instant?, shard: ShardID
    ) -> ShardID? {
        if waiting.now <= waitingOfShard[shard.index].now { return nil }
        return waiters.withLock { waiters in
            var oldest: Waiter?
            for waiter in waiters[pool] ?? [] where waiter.shard != shard {
                if waiter.since < oldest?.since ?? since ?? .distantFuture { oldest = waiter }
            }
            return oldest?.shard
        }
    }

    // MARK: Clients

    package func acquireClient(maximum: Int) -> Bool {
        var count = clients.load(ordering: .relaxed)
        while count < maximum {
            let (exchanged, original) = clients.weakCompareExchange(
                expected: count, desired: count + 1, ordering: .relaxed)
            if exchanged { return true }
            count = original
        }
        return false
    }

    package func releaseClient() {
        let before = clients.subtract(1, ordering: .relaxed).oldValue
        precondition(before > 0, "a client's place was given back twice")
    }

    package func acquireClient(ofUser user: String, maximum: Int) -> Bool {
        users.withLock { users in
            let count = users[user, default: 0]
            // Zero is no limit; counted all the same, since a reload may set one.
            if maximum > 0 && count >= maximum { return false }
            users[user] = count + 1
            return true
        }
    }

    package func releaseClient(ofUser user: String) {
        users.withLock { Self.countDown(&$0, user) }
    }

    private static func countDown<Key>(_ counts: inout [Key: Int], _ key: Key) {
        guard let count = counts[key] else { preconditionFailure("given back, but never taken") }
        counts[key] = count > 1 ? count - 1 : nil
    }
}
