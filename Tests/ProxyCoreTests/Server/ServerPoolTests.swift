// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

@testable import ProxyCore

struct ServerPoolTests {
    private let pool = ServerPool(key: Self.key, policy: PoolPolicy())
    private let bytes = BytePool()
    private let units = UnitPool()

    private static let key = PoolKey(node: NodeID(0), database: "shop", user: "app")

    private func server(_ slot: UInt32) -> ServerConnection {
        ServerConnection(
            id: ConnectionID(slot: slot, generation: 1), key: Self.key, bytes: bytes,
            now: Instant(1))
    }

    private func client(_ slot: UInt32) -> ClientSession {
        ClientSession(
            id: ConnectionID(slot: slot, generation: 1), peer: "test", route: nil,
            database: DatabaseState(name: "shop"), bytes: bytes, units: units, now: Instant(1))
    }

    /// The slots of all that wait, taken out in their turn.
    private func drain() -> [UInt32] {
        var slots: [UInt32] = []
        while let client = pool.dequeue(where: { _ in true }) { slots.append(client.id.slot) }
        return slots
    }

    @Test func `the server that became idle last is taken first, so that few stay hot`() {
        #expect(pool.takeIdle() == nil)
        let servers = (1...3).map(server)
        servers.forEach(pool.addIdle)
        #expect(pool.idleCount == 3 && pool.idleServers.map(\.id.slot) == [1, 2, 3])
        #expect(pool.takeIdle() === servers[2])
        pool.addIdle(servers[2])
        #expect(pool.takeIdle() === servers[2] && pool.takeIdle() === servers[1])
        #expect(pool.takeIdle() === servers[0] && pool.takeIdle() == nil)
    }

    @Test func `an idle server that is lost is not taken any more`() {
        let servers = (1...3).map(server)
        servers.forEach(pool.addIdle)
        pool.removeIdle(servers[1])
        pool.removeIdle(server(2))
        #expect(pool.idleServers.map(\.id.slot) == [1, 3])
        #expect(pool.takeIdle() === servers[2] && pool.takeIdle() === servers[0])
    }

    @Test func `clients wait in the order of their coming`() {
        let clients = (1...4).map(client)
        clients.forEach(pool.enqueue)
        #expect(pool.waitingCount == 4 && pool.oldestWaiter === clients[0])
        #expect(pool.waiters.map(\.id.slot) == [1, 2, 3, 4])
        #expect(pool.dequeue(where: { _ in true }) === clients[0])
        pool.enqueue(clients[0])
        #expect(drain() == [2, 3, 4, 1] && pool.oldestWaiter == nil)
    }

    @Test func `one that cannot be served does not hold up those after it, nor lose its turn`() {
        for slot in 1...4 as ClosedRange<UInt32> { pool.enqueue(client(slot)) }
        #expect(pool.dequeue(where: { $0.id.slot > 2 })?.id.slot == 3)
        #expect(pool.dequeue(where: { $0.id.slot > 9 }) == nil)
        #expect(drain() == [1, 2, 4])
    }

    @Test func `one that leaves takes nobody along`() {
        let clients = (1...3).map(client)
        clients.forEach(pool.enqueue)
        pool.remove(clients[1])
        pool.remove(clients[1])
        pool.remove(client(1))
        #expect(drain() == [1, 3])
    }

    /// The wait doubles from 200 ms on, up to five seconds, until a connection opens.
    @Test func `each failure to open makes the next try wait longer, up to five seconds`() {
        let now = Instant(7_000_000_000)
        #expect(pool.retryAt == nil)
        for wait in [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000] as [UInt64] {
            pool.openingFailed(now: now)
            #expect(pool.retryAt == now + .milliseconds(wait))
        }
        for _ in 0..<200 { pool.openingFailed(now: now) }
        #expect(pool.retryAt == now + .seconds(5))
        pool.openingBegan()
        pool.openingSucceeded()
        #expect(pool.retryAt == nil)
        pool.openingFailed(now: now)
        #expect(pool.retryAt == now + .milliseconds(200))
    }

    @Test func `a connection is opened for each client that waits, one at a time after a failure`() {
        let now = Instant(7_000_000_000)
        #expect(!pool.mayOpen(now: now))
        for slot in 1...3 as ClosedRange<UInt32> { pool.enqueue(client(slot)) }
        for _ in 1...3 {
            #expect(pool.mayOpen(now: now))
            pool.openingBegan()
        }
        #expect(!pool.mayOpen(now: now) && pool.total == 3)
        for _ in 1...3 {
            pool.openingEnded()
            pool.left()
        }
        pool.openingFailed(now: now)
        #expect(!pool.mayOpen(now: now) && pool.total == 0)
        let later = now + .milliseconds(200)
        #expect(pool.mayOpen(now: later))
        pool.openingBegan()
        #expect(!pool.mayOpen(now: later))
        pool.openingSucceeded()
        #expect(pool.mayOpen(now: later))
    }

    @Test func `a pool is empty without connections and without clients that wait`() {
        #expect(pool.isEmpty)
        pool.joined()
        #expect(!pool.isEmpty)
        pool.left()
        let client = client(1)
        pool.enqueue(client)
        #expect(!pool.isEmpty)
        pool.remove(client)
        #expect(pool.isEmpty && !pool.isRetired)
        pool.retired()
        #expect(pool.isRetired)
    }
}
