// SPDX-License-Identifier: Apache-2.0

import ProxyCore

/// Slots for servers, counted; one shard, so that nobody else waits.
///
// One test's world owns it and is confined to that test.
final class CountingLedger: ServerLedger, @unchecked Sendable {
    let isShared = true
    private(set) var servers: [PoolKey: Int] = [:]
    private(set) var clients: [ClientGroup: Int] = [:]
    /// The most that one node had.
    private(set) var highest = 0

    func acquire(_ pool: PoolKey, _ limits: ServerLimits) -> SlotVerdict {
        if servers[pool, default: 0] >= limits.pool { return .poolFull }
        for (scope, limit) in [
            (ServerScope.user(pool.user, on: pool.node), limits.user),
            (.database(pool.database, on: pool.node), limits.database),
        ] where limit > 0 && count(in: scope) >= limit {
            return .full(scope)
        }
        let onNode = count(in: .node(pool.node))
        if onNode >= limits.node { return .full(.node(pool.node)) }
        servers[pool, default: 0] += 1
        highest = max(highest, onNode + 1)
        return .granted
    }

    private func count(in scope: ServerScope) -> Int {
        servers.filter { scope.contains($0.key) }.values.reduce(0, +)
    }

    func release(_ pool: PoolKey) { servers[pool, default: 0] -= 1 }
    func setWaiting(_ pool: PoolKey, shard: ShardID, since: Instant?) {}
    func longerWaiting(_ pool: PoolKey, than since: Instant?, shard: ShardID) -> ShardID? { nil }

    func acquireClient(in group: ClientGroup, maximum: Int) -> Bool {
        guard maximum == 0 || clients[group, default: 0] < maximum else { return false }
        clients[group, default: 0] += 1
        return true
    }

    func releaseClient(in group: ClientGroup) { clients[group, default: 0] -= 1 }
}
