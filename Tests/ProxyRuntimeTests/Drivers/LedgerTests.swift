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
        #expect(ledger.acquire(pool, ServerLimits(pool: 2, node: 10)) == .granted)
        #expect(ledger.acquire(pool, ServerLimits(pool: 2, node: 10)) == .granted)
        #expect(ledger.acquire(pool, ServerLimits(pool: 2, node: 10)) == .poolFull)
        ledger.release(pool)
        #expect(ledger.acquire(pool, ServerLimits(pool: 2, node: 10)) == .granted)
    }

    @Test func `the pools of a node share its limit`() {
        #expect(ledger.acquire(pool, ServerLimits(pool: 5, node: 2)) == .granted)
        #expect(ledger.acquire(sibling, ServerLimits(pool: 5, node: 2)) == .granted)
        #expect(ledger.acquire(sibling, ServerLimits(pool: 5, node: 2)) == .full(.node(pool.node)))
        let elsewhere = PoolKey(node: NodeID(1), database: "d", user: "u")
        #expect(ledger.acquire(elsewhere, ServerLimits(pool: 5, node: 2)) == .granted)
        #expect(ledger.serverCount(on: NodeID(0)) == 2)
        ledger.release(pool)
        #expect(ledger.acquire(sibling, ServerLimits(pool: 5, node: 2)) == .granted)
    }

    @Test func `a user's servers, and a database's, are counted over its pools of a node`() {
        let (ofUser, ofDatabase) = (
            ServerLimits(pool: 9, node: 9, user: 1), ServerLimits(pool: 9, node: 9, database: 1)
        )
        let otherDatabase = PoolKey(node: NodeID(0), database: "e", user: "u")
        let elsewhere = PoolKey(node: NodeID(1), database: "d", user: "u")
        #expect(ledger.acquire(pool, ofUser) == .granted)
        #expect(ledger.acquire(otherDatabase, ofUser) == .full(.user("u", on: NodeID(0))))
        #expect(ledger.acquire(sibling, ofDatabase) == .full(.database("d", on: NodeID(0))))
        #expect(ledger.acquire(sibling, ofUser) == .granted)
        #expect(ledger.acquire(otherDatabase, ofDatabase) == .granted)
        #expect(ledger.acquire(elsewhere, ofUser) == .granted)
        ledger.release(pool)
        ledger.release(otherDatabase)
        #expect(ledger.acquire(otherDatabase, ofUser) == .granted)
    }

    @Test func `many shards together are granted exactly the size`() {
        let granted = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 2000) { _ in
            if ledger.acquire(pool, ServerLimits(pool: 37, node: 100)) == .granted {
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
        #expect(ledger.acquireClient(in: .all, maximum: 1))
        #expect(!ledger.acquireClient(in: .all, maximum: 1))
        ledger.releaseClient(in: .all)
        #expect(ledger.acquireClient(in: .all, maximum: 1))

        #expect(ledger.acquireClient(in: .user("a"), maximum: 1))
        #expect(!ledger.acquireClient(in: .user("a"), maximum: 1))
        #expect(ledger.acquireClient(in: .user("b"), maximum: 1))
        #expect(ledger.acquireClient(in: .user("a"), maximum: 0), "zero is no limit")
        ledger.releaseClient(in: .user("a"))
        #expect(!ledger.acquireClient(in: .user("a"), maximum: 1))
        ledger.releaseClient(in: .user("a"))
        #expect(ledger.acquireClient(in: .user("a"), maximum: 1))
    }

    @Test func `many shards together admit exactly the maximum of clients`() {
        let admitted = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 2000) { _ in
            if ledger.acquireClient(in: .all, maximum: 91) { admitted.withLock { $0 += 1 } }
        }
        #expect(admitted.withLock { $0 } == 91)
    }
}
