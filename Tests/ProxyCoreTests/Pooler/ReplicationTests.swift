// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Replication connections: a server each, and every byte as it comes.
struct ReplicationTests {
    private func connect(
        _ world: World, _ mode: String = "true", _ more: [String] = []
    ) -> PlayedClient {
        let client = world.connect()
        client.send(
            bytes: World.startupPacket(
                ["user", "app", "database", "shop", "replication", mode] + more))
        world.run()
        return client
    }

    private func primary(_ world: World) throws -> ModelServer {
        world.run()
        return try #require(world.servers.last)
    }

    @Test(arguments: ["true", "on", "YES", "1", "t", "database"])
    func `it gets a server of the primary, begun by its own packet`(mode: String) throws {
        let world = World()
        let more = ["application_name", "walreceiver", "options", "-c wal_sender_timeout=5s"]
        let client = connect(world, mode, more)
        #expect(client.messages().kinds.hasSuffix("KZ"))
        let server = try primary(world)
        #expect(server.name == "a1")
        let pairs = ["user", "app", "database", "shop", "replication", mode] + more
        #expect(server.startup == World.startupPacket(pairs))
    }

    @Test func `no replication means none`() {
        let world = World()
        let client = connect(world, "off")
        _ = client.messages()
        #expect(client.ask("SELECT 1").kinds == "TDCZ")
        #expect(world.servers.allSatisfy { $0.startup.count < 60 })
    }

    @Test func `bytes go both ways at once, whatever they say`() throws {
        let world = World(chunking: Chunking(.random, seed: 4))
        let client = connect(world)
        _ = client.messages()
        let server = try primary(world)
        server.isMute = true
        client.send(.query("START_REPLICATION 0/0"))
        server.say(Message("W", [0, 0, 0]), .copyData("some log"))
        client.send(.copyData("a status"))
        server.say(.copyData("more"))
        #expect(client.messages().kinds == "Wdd")
        client.send(.copyDone)
        world.run()
        #expect(server.kinds == "Qdc")
    }

    @Test func `nobody else gets its server, and it ends with its client`() throws {
        let world = World()
        let client = connect(world)
        let server = try primary(world)
        let other = world.client()
        _ = other.ask("INSERT INTO t VALUES (1)")
        #expect(server.heard.isEmpty)
        client.send(.terminate)
        world.run()
        #expect(client.hasEnded)
        #expect(server.kinds == "X")
        #expect(!world.isOpen(server))
        #expect(world.ledger.servers[PoolKey(node: NodeID(0), database: "", user: "app")] == 0)
        #expect(!world.log.contains { if case .serverFailed = $0 { true } else { false } })
    }

    @Test func `one that leaves without a word takes its server with it`() throws {
        let world = World()
        let client = connect(world)
        let server = try primary(world)
        client.leave()
        #expect(!world.isOpen(server))
    }

    @Test func `a lost server is told between messages`() throws {
        let world = World()
        let client = connect(world)
        _ = client.messages()
        world.cut(try primary(world))
        #expect(client.messages().first?.sqlState == "57P01")
        #expect(client.hasEnded)
    }

    @Test func `in the middle of a message nothing is said`() throws {
        let world = World()
        let client = connect(world)
        _ = client.messages()
        let server = try primary(world)
        let whole = Message.copyData("twelve bytes").bytes
        server.output += whole.dropLast(5)
        world.run()
        world.cut(server)
        world.run()
        #expect(client.transcript.suffix(whole.count - 5) == whole.dropLast(5))
        #expect(client.hasEnded)
    }

    @Test func `the server's last word is the last`() throws {
        let world = World()
        let client = connect(world)
        _ = client.messages()
        try primary(world).die("57P01")
        #expect(client.messages().kinds == "E")
        #expect(client.hasEnded)
    }

    @Test func `a switchover ends it`() throws {
        let world = World()
        let client = connect(world)
        _ = client.messages()
        world.change(.test(primary: 1, timeline: 2))
        #expect(client.messages().first?.sqlState == "57P01")
        #expect(client.hasEnded)
        // The next one goes to the new primary.
        #expect(connect(world).messages().kinds.hasSuffix("Z"))
        #expect(try primary(world).name == "b1")
    }

    @Test func `what the server refuses is refused in its words`() {
        let world = World()
        world.nodes[0].refusal = .error(
            "42501", "must be superuser or replication role to start walsender",
            severity: "FATAL")
        let client = connect(world)
        #expect(client.messages().last?.sqlState == "42501")
        #expect(client.hasEnded)
    }

    @Test func `without a primary it waits for one`() {
        let world = World()
        world.change(.test(primary: nil))
        let client = connect(world)
        world.pass(.seconds(1))
        #expect(client.messages().kinds == "R")
        world.change(.test(primary: 1, timeline: 2))
        world.pass(.seconds(1))
        #expect(client.messages().kinds.hasSuffix("KZ"))
    }

    @Test func `a primary that starts up is waited for`() {
        let world = World()
        world.nodes[0].refusal = .error("57P03", "starting up", severity: "FATAL")
        let client = connect(world)
        world.pass(.seconds(1))
        #expect(client.messages().kinds == "R")
        world.nodes[0].refusal = nil
        world.pass(.seconds(1))
        #expect(client.messages().kinds.hasSuffix("KZ"))
    }

    @Test func `one user has as many as a pool is large`() {
        let world = World(.test(poolSize: 2))
        let two = [connect(world), connect(world)]
        let third = connect(world)
        #expect(third.messages().last?.sqlState == "53300")
        two[0].leave()
        #expect(connect(world).messages().kinds.hasSuffix("Z"))
    }

    @Test func `a cancel request reaches its server`() throws {
        let world = World()
        let client = connect(world)
        client.key = client.messages().first { $0.kind == "K" }?.body ?? []
        world.requestCancel(of: client)
        #expect(world.cancels.count == 1)
    }

    @Test func `at a shutdown it ends at once`() {
        let world = World()
        let client = connect(world)
        _ = client.messages()
        world.pooler.drain(now: world.now)
        #expect(client.messages().first?.sqlState == "57P01")
        #expect(client.hasEnded)
    }

    @Test func `who has not sent a replication packet waits for a node as well`() {
        let world = World()
        world.change(.test(primary: nil))
        var none = Topology.test(primary: nil)
        for index in none.nodes.indices { none.nodes[index].exclusion = .notRunning }
        world.change(none)
        let client = world.connect()
        client.send(bytes: World.startupPacket(["user", "app", "database", "shop"]))
        world.pass(.seconds(1))
        #expect(client.messages().kinds == "R")
        world.change(.test)
        world.pass(.seconds(1))
        #expect(client.messages().kinds.hasSuffix("KZ"))
    }
}
