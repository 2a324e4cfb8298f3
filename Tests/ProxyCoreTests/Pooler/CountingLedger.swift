// SPDX-License-Identifier: Apache-2.0

import ProxyCore

/// Slots for servers, counted; one shard, so that nobody else waits.
///
// One test's world owns it and is confined to that test.
final class CountingLedger: ServerLedger, @unchecked Sendable {
    private(set) var servers: [PoolKey: Int] = [:]
    private(set) var clients = 0
    /// The most that one node had.
    private(set) var highest = 0

    func acquire(_ pool: PoolKey, size: Int, perNode: Int) -> SlotVerdict {
        if servers[pool, default: 0] >= size { return .poolFull }
        let onNode = servers.filter { $0.key.node == pool.node }.values.reduce(0, +)
        if onNode >= perNode { return .nodeFull }
        servers[pool, default: 0] += 1
        highest = max(highest, onNode + 1)
        return .granted
    }

    func release(_ pool: PoolKey) { servers[pool, default: 0] -= 1 }
    func setWaiting(_ pool: PoolKey, shard: ShardID, since: Instant?) {}
    func longerWaiting(_ pool: PoolKey, than since: Instant?, shard: ShardID) -> ShardID? { nil }

    func acquireClient(maximum: Int) -> Bool {
        guard clients < maximum else { return false }
        clients += 1
        return true
    }

    func releaseClient() { clients -= 1 }
    func acquireClient(ofUser user: String, maximum: Int) -> Bool { true }
    func releaseClient(ofUser user: String) {}
}
