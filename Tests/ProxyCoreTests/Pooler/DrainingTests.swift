// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// A member is told to leave: what has begun there ends there, and nothing new begins.
struct DrainingTests {
    private func draining(_ names: [String], version: UInt64 = 2) -> Topology {
        var topology = Topology.test
        topology.version = version
        for index in topology.nodes.indices where names.contains(topology.nodes[index].name) {
            topology.nodes[index].exclusion = .draining
        }
        return topology
    }

    private func servers(_ world: World, _ index: Int) -> [ModelServer] {
        world.servers.filter { $0.node === world.nodes[index] && world.isOpen($0) }
    }

    @Test func `idle servers are closed and reads go to the others`() {
        let world = World()
        let clients = (0..<6).map { _ in world.client(settings: ["options", "-c martlet.consistency=eventual"]) }
        for client in clients { client.send(.query("SELECT sleep")) }
        for server in world.servers { server.release() }
        world.run()
        #expect(!servers(world, 1).isEmpty && !servers(world, 2).isEmpty)
        world.change(draining(["b"]))
        #expect(servers(world, 1).isEmpty)
        #expect(!servers(world, 2).isEmpty)
        for client in clients {
            _ = client.messages()
            #expect(client.ask("SELECT 1").kinds == "TDCZ")
        }
        #expect(servers(world, 1).isEmpty)
    }

    @Test func `a transaction that is open there ends there, and then its server is closed`() {
        let world = World()
        world.change(draining(["c"]))
        let client = world.client()
        #expect(client.ask("BEGIN READ ONLY").kinds == "CZ")
        #expect(client.ask("SELECT 1").kinds == "TDCZ")
        #expect(servers(world, 1).count == 1)
        world.change(draining(["b", "c"], version: 3))
        #expect(client.ask("SELECT 2").kinds == "TDCZ")
        #expect(servers(world, 1).first?.heard.contains(.query("SELECT 2")) == true)
        #expect(client.ask("COMMIT").kinds == "CZ")
        #expect(servers(world, 1).isEmpty)
        // Nobody is left but the primary.
        #expect(client.ask("SELECT 3").kinds == "TDCZ")
        #expect(servers(world, 1).isEmpty && servers(world, 2).isEmpty)
        #expect(servers(world, 0).contains { $0.heard.contains(.query("SELECT 3")) })
    }

    @Test func `who waits for a server there waits no longer`() {
        let world = World(.test(poolSize: 1))
        world.change(draining(["c"]))
        let holder = world.client()
        _ = holder.ask("SELECT 0")
        holder.send(.query("SELECT sleep"))
        let waiter = world.client()
        waiter.send(.query("SELECT 1"))
        #expect(waiter.takeMessages().isEmpty)
        world.change(draining(["b", "c"], version: 3))
        #expect(waiter.messages().kinds == "TDCZ")
        for server in world.servers { server.release() }
        #expect(holder.messages().kinds == "TDCZ")
        #expect(servers(world, 1).isEmpty)
    }
}
