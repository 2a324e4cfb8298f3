// SPDX-License-Identifier: Apache-2.0

import Dispatch
import ProxyCore
import Synchronization
import Testing
@testable import ProxyRuntime

struct LedgerTests {
    private let ledger = Ledger(shards: 3)
    private let pool = PoolKey(node: NodeID(0), database: "d", user: "u")
    private let sibling = PoolKey(node: NodeID(0), database: "d", user: "v")

    @Test func `a pool gets its size and not one more`() {
        #expect(ledger.acquire(pool, size: 2, perNode: 10) == .granted)
        #expect(ledger.acquire(pool, size: 2, perNode: 10) == .granted)
        #expect(ledger.acquire(pool, size: 2, perNode: 10) == .poolFull)
        ledger.release(pool)
        #expect(ledger.acquire(pool, size: 2, perNode: 10) == .granted)
    }

    @Test func `the pools of a node share its limit`() {
        #expect(ledger.acquire(pool, size: 5, perNode: 2) == .granted)
        #expect(ledger.acquire(sibling, size: 5, perNode: 2) == .granted)
        #expect(ledger.acquire(sibling, size: 5, perNode: 2) == .nodeFull)
        let elsewhere = PoolKey(node: NodeID(1), database: "d", user: "u")
        #expect(ledger.acquire(elsewhere, size: 5, perNode: 2) == .granted)
        #expect(ledger.serverCount(on: NodeID(0)) == 2)
        ledger.release(pool)
        #expect(ledger.acquire(sibling, size: 5, perNode: 2) == .granted)
    }

    @Test func `many shards together are granted exactly the size`() {
        let granted = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 2000) { _ in
            if ledger.acquire(pool, size: 37, perNode: 100) == .granted {
                granted.withLock { $0 += 1 }
            }
        }
        #expect(granted.withLock { $0 } == 37)
    }

    @Test func `nobody waits longer when nobody waits, or only one's own shard does`() {
        #expect(ledger.longerWaiting(pool, than: nil, shard: ShardID(0)) == nil)
        ledger.setWaiting(pool, shard: ShardID(0), since: Instant(1))
        #expect(ledger.longerWaiting(pool, than: nil, shard: ShardID(0)) == nil)
    }

    @Test func `the shard with the oldest waiter is named, if it is older`() {
        ledger.setWaiting(pool, shard: ShardID(1), since: Instant(20))
        ledger.setWaiting(pool, shard: ShardID(2), since: Instant(10))
        #expect(ledger.longerWaiting(pool, than: nil, shard: ShardID(0)) == ShardID(2))
        #expect(ledger.longerWaiting(pool, than: Instant(15), shard: ShardID(0)) == ShardID(2))
        #expect(ledger.longerWaiting(pool, than: Instant(10), shard: ShardID(0)) == nil)
        #expect(ledger.longerWaiting(pool, than: nil, shard: ShardID(2)) == ShardID(1))
        #expect(ledger.longerWaiting(sibling, than: nil, shard: ShardID(0)) == nil)
    }

    @Test func `who has been served is forgotten`() {
        ledger.setWaiting(pool, shard: ShardID(1), since: Instant(20))
        ledger.setWaiting(pool, shard: ShardID(1), since: Instant(30))
        #expect(ledger.longerWaiting(pool, than: Instant(25), shard: ShardID(0)) == nil)
        ledger.setWaiting(pool, shard: ShardID(1), since: nil)
        ledger.setWaiting(pool, shard: ShardID(1), since: nil)
        #expect(ledger.longerWaiting(pool, than: nil, shard: ShardID(0)) == nil)
    }

    @Test func `clients are counted in all and by user`() {
        #expect(ledger.acquireClient(maximum: 1))
        #expect(!ledger.acquireClient(maximum: 1))
        ledger.releaseClient()
        #expect(ledger.acquireClient(maximum: 1))

        #expect(ledger.acquireClient(ofUser: "a", maximum: 1))
        #expect(!ledger.acquireClient(ofUser: "a", maximum: 1))
        #expect(ledger.acquireClient(ofUser: "b", maximum: 1))
        #expect(ledger.acquireClient(ofUser: "a", maximum: 0), "zero is no limit")
        ledger.releaseClient(ofUser: "a")
        #expect(!ledger.acquireClient(ofUser: "a", maximum: 1))
        ledger.releaseClient(ofUser: "a")
        #expect(ledger.acquireClient(ofUser: "a", maximum: 1))
    }

    @Test func `many shards together admit exactly the maximum of clients`() {
        let admitted = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 2000) { _ in
            if ledger.acquireClient(maximum: 91) { admitted.withLock { $0 += 1 } }
        }
        #expect(admitted.withLock { $0 } == 91)
    }
}
