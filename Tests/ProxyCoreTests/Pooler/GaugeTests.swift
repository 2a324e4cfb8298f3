// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Gauges say what connections do at the moment of a scrape, and end at zero.
struct GaugeTests {
    private func counters(_ world: World) -> ShardCounters {
        world.run()
        return world.pooler.statistics(now: world.now).counters
    }

    private func servers(_ world: World) -> Tally<ServerActivity> {
        var sum = Tally<ServerActivity>()
        let counters = counters(world)
        for node in world.nodes.indices { sum.add(counters[node: NodeID(node)].servers) }
        return sum
    }

    private func expectNoClients(in world: World) {
        let counters = counters(world)
        #expect(counters.clients == Tally())
        #expect(counters.pins == Tally())
    }

    @Test func `clients count by what they do, and not at all after they left`() {
        let world = World(.test(poolSize: 1))
        let writer = world.client()
        writer.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        let waiter = world.client()
        waiter.send(.query("INSERT INTO t VALUES (2)"))
        let reader = world.client()
        reader.send(.query("SELECT sleep"))
        let idle = world.client()
        let newcomer = world.connect()
        var clients = counters(world).clients
        for activity in [.idleInTransaction, .waiting, .active, .idle, .login] as [ClientActivity] {
            #expect(clients[activity] == 1)
        }
        #expect(clients.total == 5)
        newcomer.leave()
        idle.leave()
        waiter.leave()
        clients = counters(world).clients
        #expect(clients[.idleInTransaction] == 1 && clients[.active] == 1 && clients.total == 2)
        // In the middle of a query, and of a transaction.
        reader.leave()
        writer.leave()
        expectNoClients(in: world)
    }

    @Test func `a client that no node is there for counts as held until it leaves`() {
        let world = World()
        let client = world.client()
        var topology = Topology.test(primary: nil)
        topology.version = 2
        world.change(topology)
        client.send(.query("INSERT INTO t VALUES (1)"))
        #expect(counters(world).clients[.held] == 1)
        client.leave()
        expectNoClients(in: world)
    }

    @Test func `a pin counts while its client is there, and once among those that began`() {
        let world = World()
        let client = world.client()
        #expect(client.ask("CREATE TEMP TABLE u (n int)").kinds == "CZ")
        #expect(counters(world).pins[.temporaryObject] == 1)
        #expect(servers(world)[.pinned] == 1)
        client.leave()
        expectNoClients(in: world)
        #expect(servers(world)[.pinned] == 0)
        #expect(counters(world).pinsBegun[.temporaryObject] == 1)
    }

    @Test func `servers count until they are closed for having been idle`() {
        let world = World(.test(poolSize: 2))
        let clients = (0..<4).map { _ in world.client() }
        for client in clients { client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)")) }
        #expect(servers(world)[.active] == 2)
        for client in clients { client.leave() }
        expectNoClients(in: world)
        let left = servers(world)
        #expect(left[.active] == 0 && left[.idle] == left.total && left.total > 0)
        world.pass(.seconds(601))
        world.pass(.seconds(1))
        #expect(servers(world) == Tally())
    }
}
