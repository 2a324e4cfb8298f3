// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Grants everything: there is one shard, one client, and no limit to reach.
final class OpenLedger: ServerLedger {
    let isShared = false

    func acquire(_ pool: PoolKey, _ limits: ServerLimits) -> SlotVerdict { .granted }
    func release(_ pool: PoolKey) {}
    func setWaiting(_ pool: PoolKey, shard: ShardID, since: Instant?) {}
    func longerWaiting(_ pool: PoolKey, than since: Instant?, shard: ShardID) -> ShardID? { nil }
    func acquireClient(in group: ClientGroup, maximum: Int) -> Bool { true }
    func releaseClient(in group: ClientGroup) {}
}
