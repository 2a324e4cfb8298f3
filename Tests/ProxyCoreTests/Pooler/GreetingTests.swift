// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// What a client is told when it has logged in, and where that comes from.
struct GreetingTests {
    private let login = World.startupPacket(["user", "app", "database", "shop"])

    /// A world whose members are all down, as far as reads and writes go.
    private func isolate(_ world: World) {
        var topology = Topology.test(primary: nil)
        for index in topology.nodes.indices { topology.nodes[index].exclusion = .unreachable }
        world.change(topology)
    }

    // Edge cases: 12
    @Test func `a login is greeted from memory while no server can be reached`() {
        let world = World()
        let before = world.connect()
        before.send(bytes: login)
        isolate(world)
        let client = world.connect()
        client.send(bytes: login)
        let parameters = client.messages().filter { $0.kind == "S" }
        #expect(!parameters.isEmpty)
        #expect(parameters == before.messages().filter { $0.kind == "S" })
        #expect(client.transcript.suffix(6).elementsEqual(Message.ready().bytes))
    }

    // Edge cases: 12
    @Test func `a login waits for a server, and for no longer than a statement would`() {
        let world = World()
        isolate(world)
        let (patient, late) = (world.connect(), world.connect())
        patient.send(bytes: login)
        world.pass(.seconds(20))
        late.send(bytes: login)
        world.pass(.seconds(11))
        #expect(patient.messages().errors == ["57P03"])
        #expect(patient.hasEnded)
        world.change(.test)
        #expect(late.messages().last == .ready())
    }

    @Test func `who answers the password request before it was made is heard`() {
        var policy = ProxyPolicy.test
        policy.authentication.method = .scramSHA256
        policy.authentication.users = [.init(name: "app", secret: "secret")]
        let client = World(policy).connect()
        let response = Array("n,,n=,r=client".utf8)
        let initial = Message(
            "p", Message.text("SCRAM-SHA-256") + Message.int32(response.count) + response)
        client.send(bytes: login + initial.bytes)
        // AuthenticationSASL and AuthenticationSASLContinue.
        #expect(client.messages().map { Array($0.body.prefix(4)) } == [[0, 0, 0, 10], [0, 0, 0, 11]])
    }

    @Test func `at a shutdown nobody logs in any more, however far the login has come`() {
        var policy = ProxyPolicy.test
        policy.authentication.method = .scramSHA256
        policy.authentication.users = [.init(name: "app", secret: "secret")]
        let world = World(policy)
        let (silent, asked) = (world.connect(), world.connect())
        asked.send(bytes: login)
        #expect(asked.messages().kinds == "R")
        world.pooler.drain(now: world.now)
        let late = world.connect()
        late.send(bytes: login)
        world.run()
        for client in [silent, asked, late] {
            #expect(client.messages().errors == ["57P03"])
            #expect(client.hasEnded)
        }
        #expect(world.pooler.numberOfClients == 0)
    }
}
