// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Keys of both protocol versions, and requests that come to another instance than the session's.
struct CancelTests {
    private let peers = (1...3).map { HostAndPort(host: "10.0.0.\($0)", port: 6432) }

    private func request(_ key: [UInt8]) -> [UInt8] {
        Message.int32(8 + key.count) + Message.int32(80_877_102) + key
    }

    /// The key with other bytes in the places of some.
    private func key(_ key: [UInt8], _ change: (inout [UInt8]) -> Void) -> [UInt8] {
        var key = key
        change(&key)
        return key
    }

    // Edge cases: 3
    @Test(arguments: [(0, 4), (1, 4), (2, 32), (9999, 32)])
    func `keys are as long as the protocol version has them`(minor: Int, count: Int) {
        let world = World()
        let client = world.connect()
        client.send(bytes: World.startupPacket(["user", "app", "database", "shop"], minor: minor))
        let messages = client.messages()
        #expect(messages.contains { $0.kind == "v" } == (minor > 2))
        let key = messages.first { $0.kind == "K" }?.body ?? []
        #expect(key.count == 4 + count)
        #expect(Set(key.dropFirst(4)).count > 2)
    }

    // Edge cases: 49
    @Test(arguments: [0, 2])
    func `only the whole key cancels`(minor: Int) throws {
        let world = World()
        let client = world.client(minor: minor)
        client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        client.send(.query("SELECT pg_sleep(60)"))
        for wrong in [
            key(client.key) { $0[$0.count - 1] ^= 1 }, key(client.key) { $0[4] ^= 0x80 },
            key(client.key) { $0.removeLast() }, key(client.key) { $0.append(0) },
            key(client.key) { $0[3] ^= 1 }, Array(client.key.prefix(5)),
        ] {
            world.connect().send(bytes: request(wrong))
            world.run()
            #expect(world.cancels.isEmpty)
        }
        world.requestCancel(of: client)
        #expect(world.cancels.count == 1)
    }

    @Test func `a key that is nobody's here goes to the peer that it names, marked and once`() {
        let (here, there) = (World(), World())
        let all = Set(peers)
        here.pooler.replace(Peers(found: all) { $0 == peers[0] })
        there.pooler.replace(Peers(found: all) { $0 == peers[1] })
        let client = there.client(minor: 2)
        client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        client.send(.query("SELECT pg_sleep(60)"))
        here.connect().send(bytes: request(client.key))
        here.run()
        #expect(here.asked.map(\.peer) == [peers[1]])
        #expect(here.cancels.isEmpty)
        let packet = here.asked.first?.packet ?? []
        there.connect().send(bytes: packet)
        there.run()
        #expect(there.cancels.count == 1)
        // Whoever gets it by mistake does not pass it on.
        here.connect().send(bytes: packet)
        here.run()
        #expect(here.asked.count == 1)
    }

    // Edge cases: 48
    @Test func `a key leads to known peers only, and to few`() {
        let world = World()
        world.pooler.replace(Peers(found: Set(peers)) { $0 == peers[0] })
        var random = SplitMix64(seed: 3)
        for _ in 0..<2000 {
            let key = (0..<8).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let before = world.asked.count
            let caller = world.connect()
            caller.send(bytes: request(key))
            world.run()
            #expect(caller.hasEnded)
            #expect(caller.messages().isEmpty)
            #expect(world.asked.count - before <= 2)
        }
        #expect(world.asked.count < 200)
        #expect(world.asked.allSatisfy { peers[1...].contains($0.peer) })
    }

    @Test func `without peers an unknown key is dropped`() {
        let world = World()
        world.connect().send(bytes: request([0, 0, 0, 9, 1, 2, 3, 4]))
        world.run()
        #expect(world.asked.isEmpty)
    }

    // Edge cases: 47
    @Test func `a cancel request never hits what martlet itself asks of a server`() {
        let world = World(.test(poolSize: 1))
        #expect(world.client().ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        let client = world.client()
        #expect(client.ask("SET application_name = 'x'").errors.isEmpty)
        let server = world["a1"]
        // It is given the settings of the session before the statement.
        server.isDelayed = true
        client.send(.query("INSERT INTO t VALUES (1)"))
        world.requestCancel(of: client)
        #expect(world.cancels.isEmpty)
        server.isDelayed = false
        #expect(client.messages().errors == ["57014"])
        #expect(world.nodes[0].journal == ["INSERT INTO t VALUES (0)"])
    }
}
