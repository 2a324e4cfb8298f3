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
        var ofUser: [Share: Int] = [:]
        var ofDatabase: [Share: Int] = [:]
    }

    /// The servers of one node for one user, or for one database.
    private struct Share: Hashable {
        let node: NodeID
        let name: String
    }

    private struct Waiter {
        let shard: ShardID
        var since: Instant
    }

    private let servers = Mutex(Servers())
    private let waiters = Mutex<[PoolKey: [Waiter]]>([:])
    private let groups = Mutex<[ClientGroup: Int]>([:])
    /// How many pools each shard waits for, and their sum: a hint that is right when nothing moves.
    private let waitingOfShard: [Count]
    private let waiting = Count()

    private final class Count: Sendable {
        let value = Atomic<Int>(0)
        func add(_ n: Int) { value.add(n, ordering: .sequentiallyConsistent) }
        var now: Int { value.load(ordering: .sequentiallyConsistent) }
    }

    package var isShared: Bool { waitingOfShard.count > 1 }

    package init(shards: Int) { waitingOfShard = (0..<shards).map { _ in Count() } }

    // MARK: Servers

    package func acquire(_ pool: PoolKey, _ limits: ServerLimits) -> SlotVerdict {
        let user = Share(node: pool.node, name: pool.user)
        let database = Share(node: pool.node, name: pool.database)
        return servers.withLock { servers in
            if servers.ofPool[pool, default: 0] >= limits.pool { return .poolFull }
            if Self.isFull(servers.ofUser[user], limits.user) {
                return .full(.user(pool.user, on: pool.node))
            }
            if Self.isFull(servers.ofDatabase[database], limits.database) {
                return .full(.database(pool.database, on: pool.node))
            }
            if servers.ofNode[pool.node, default: 0] >= limits.node {
                return .full(.node(pool.node))
            }
            servers.ofPool[pool, default: 0] += 1
            servers.ofNode[pool.node, default: 0] += 1
            servers.ofUser[user, default: 0] += 1
            servers.ofDatabase[database, default: 0] += 1
            return .granted
        }
    }

    /// Zero is no limit; it is counted all the same, since a reload may set one.
    private static func isFull(_ count: Int?, _ limit: Int) -> Bool {
        limit > 0 && count ?? 0 >= limit
    }

    package func release(_ pool: PoolKey) {
        servers.withLock { servers in
            Self.countDown(&servers.ofPool, pool)
            Self.countDown(&servers.ofNode, pool.node)
            Self.countDown(&servers.ofUser, Share(node: pool.node, name: pool.user))
            Self.countDown(&servers.ofDatabase, Share(node: pool.node, name: pool.database))
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

    package func acquireClient(in group: ClientGroup, maximum: Int) -> Bool {
        groups.withLock { groups in
            if Self.isFull(groups[group], maximum) { return false }
            groups[group, default: 0] += 1
            return true
        }
    }

    package func releaseClient(in group: ClientGroup) {
        groups.withLock { Self.countDown(&$0, group) }
    }

    private static func countDown<Key>(_ counts: inout [Key: Int], _ key: Key) {
        guard let count = counts[key] else { preconditionFailure("given back, but never taken") }
        counts[key] = count > 1 ? count - 1 : nil
    }
}
