// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Servers are lent and given back.
struct PoolTests {
    private func busy(_ count: Int, in world: World) -> [PlayedClient] {
        (0..<count).map { index in
            let client = world.client()
            client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (\(index))"))
            return client
        }
    }

    private func primaries(_ world: World) -> [ModelServer] {
        world.servers.filter { $0.node === world.nodes[0] }
    }

    @Test func `the server that was used last is used next`() {
        let world = World()
        let clients = busy(3, in: world)
        for client in [clients[1], clients[2], clients[0]] { client.send(.query("COMMIT")) }
        for _ in 0..<4 {
            #expect(world.client().ask("INSERT INTO t VALUES (9)").kinds == "CZ")
        }
        let counts = primaries(world).map { server in
            server.heard.count { $0 == .query("INSERT INTO t VALUES (9)") }
        }
        #expect(counts == [4, 0, 0])
    }

    @Test func `those who wait are served in the order in which they came`() {
        let world = World(.test(poolSize: 1))
        let holder = busy(1, in: world)[0]
        let waiters = (0..<5).map { _ in world.client() }
        for (index, client) in waiters.enumerated() {
            client.send(.query("INSERT INTO t VALUES (w\(index))"))
        }
        holder.send(.query("COMMIT"))
        #expect(
            world.nodes[0].journal
                == ["INSERT INTO t VALUES (0)"] + (0..<5).map { "INSERT INTO t VALUES (w\($0))" })
        #expect(waiters.allSatisfy { $0.messages().kinds == "CZ" })
    }

    @Test func `a client that comes later does not overtake one who waits`() {
        let world = World(.test(poolSize: 1))
        let holder = busy(1, in: world)[0]
        let waiter = world.client()
        waiter.send(.query("INSERT INTO t VALUES (waiter)"))
        // Both arrive at once: the holder's next write comes after the one that waits.
        holder.send(.query("COMMIT"), .query("INSERT INTO t VALUES (again)"))
        #expect(world.nodes[0].journal.map { $0.suffix(8) } == ["LUES (0)", "(waiter)", " (again)"])
    }

    @Test func `a node gets no more servers than it may, and room is made for other pools`() {
        var policy = ProxyPolicy.test(poolSize: 3)
        policy.pools.serversPerNode = 4
        let world = World(policy)
        let mine = busy(5, in: world)
        #expect(primaries(world).count == 3)
        let others = (0..<2).map { _ in world.client(database: "other") }
        for other in others { other.send(.query("INSERT INTO t VALUES (other)")) }
        #expect(primaries(world).count == 4)
        mine.forEach { $0.send(.query("COMMIT")) }
        world.pass(.seconds(1))
        #expect(others.allSatisfy { $0.messages().kinds == "CZ" })
        #expect(mine.allSatisfy { $0.messages().kinds == "CZCZCZ" })
        #expect(world.ledger.highest <= 4)
        #expect(primaries(world).filter(world.isOpen).count <= 4)
    }

    // Edge cases: 106
    @Test func `who waits for too long is told so, and may try again`() {
        let world = World(.test(poolSize: 1))
        let holder = busy(1, in: world)[0]
        let waiter = world.client()
        waiter.send(.query("INSERT INTO t VALUES (1)"))
        world.pass(.seconds(119))
        #expect(waiter.messages().isEmpty)
        world.pass(.seconds(2))
        #expect(waiter.messages().errors == ["53300"])
        waiter.send(.query("INSERT INTO t VALUES (2)"))
        holder.send(.query("ROLLBACK"))
        #expect(waiter.messages().kinds == "CZ")
        #expect(world.nodes[0].journal == ["INSERT INTO t VALUES (2)"])
    }

    // Edge cases: 29
    @Test func `a server goes back only when nothing is owed`() {
        let world = World(.test(poolSize: 1))
        let client = world.client()
        #expect(client.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        let server = world["a1"]
        server.isMute = true
        let next = world.client()
        client.send(.query("INSERT INTO t VALUES (1)"))
        next.send(.query("INSERT INTO t VALUES (2)"))
        let before = server.heard.count
        server.say(.complete("INSERT 0 1"))
        world.run()
        #expect(server.heard.count == before)
        server.say(.ready("T"))
        world.run()
        #expect(server.heard.count == before)
        client.send(.query("COMMIT"))
        server.say(.complete("COMMIT"), .ready())
        world.run()
        #expect(server.heard.last == .query("INSERT INTO t VALUES (2)"))
    }

    @Test(arguments: [Message.ready(), .row(["stray"]), .complete("SELECT 1")])
    func `a server that says more than it was asked is closed, and nobody hears it`(
        extra: Message
    ) {
        let world = World(.test(poolSize: 1))
        let client = world.client()
        #expect(client.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        let server = world["a1"]
        server.isMute = true
        let next = world.client()
        client.send(.query("INSERT INTO t VALUES (1)"))
        next.send(.query("INSERT INTO t VALUES (2)"))
        server.say(.complete("INSERT 0 1"), .ready(), extra)
        world.run()
        #expect(!world.isOpen(server))
        world.pass(.milliseconds(100))
        #expect(next.messages().kinds == "CZ")
        #expect(world.nodes[0].journal.last == "INSERT INTO t VALUES (2)")
    }

    @Test func `nothing is held after the last client has left`() {
        let world = World(.test(poolSize: 2))
        let clients = busy(4, in: world)
        clients.forEach { $0.leave() }
        #expect(world.ledger.clients.values.allSatisfy { $0 == 0 })
        world.pass(.seconds(601))
        world.pass(.seconds(1))
        #expect(world.ledger.servers.values.allSatisfy { $0 == 0 })
        #expect(world.pooler.nextDeadline == nil)
    }

    @Test func `reads that a replica cannot serve yet ask for newer positions, once for all`() {
        let world = World()
        let clients = (0..<3).map { _ in world.client() }
        #expect(clients[0].ask("SELECT 1").kinds == "TDCZ")
        #expect(world.positionsWanted == 0)
        for client in clients { #expect(client.ask("INSERT INTO t VALUES (1)").kinds == "CZ") }
        for client in clients { #expect(client.ask("SELECT 1").kinds == "TDCZ") }
        #expect(world.positionsWanted == 1)
        clients[1].send(.query("SHOW martlet.position"))
        world.pass(.milliseconds(100))
        #expect(world.positionsWanted == 2)
    }

    @Test func `who has set something and written nothing reads from replicas`() {
        let world = World()
        for (statement, isWrite) in [("SET application_name = 'x'", false), ("INSERT 1", true)] {
            let client = world.client()
            for text in ["BEGIN", statement, "COMMIT"] {
                #expect(client.ask(text).errors.isEmpty)
            }
            let read = "SELECT after \(isWrite)"
            #expect(client.ask(read).kinds == "TDCZ")
            let heard = world["a1"].heard.contains { $0.kind == "Q" && $0.strings()[0] == read }
            #expect(heard == isWrite)
        }
    }
}
