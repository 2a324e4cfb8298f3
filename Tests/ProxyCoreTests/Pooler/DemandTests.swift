// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// What counts as demand of reads, and which part of it executes.
struct DemandTests {
    private func counts(_ world: World) -> [Int] {
        world.pooler.readLevels
    }

    @Test func `who has a server executes, who waits for one is queued`() {
        let world = World(.test(poolSize: 1))
        let clients = (0..<5).map { _ in world.client() }
        #expect(counts(world) == [0, 0])
        for client in clients { client.send(.query("SELECT sleep")) }
        world.run()
        // One server on each of two replicas.
        #expect(counts(world) == [5, 2])
        for server in world.servers { server.release() }
        world.run()
        #expect(counts(world) == [3, 2])
        for client in clients { client.leave() }
        world.run()
        world.pass(.seconds(1))
        for server in world.servers { server.release() }
        world.run()
        #expect(counts(world) == [0, 0])
    }

    @Test func `writes do not count, reads without a replica do`() {
        let world = World()
        let (writer, reader) = (world.client(), world.client())
        writer.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        world.run()
        #expect(counts(world) == [0, 0])
        var topology = Topology.test
        topology.version = 2
        for index in 1...2 { topology.nodes[index].exclusion = .lagging }
        world.change(topology)
        reader.send(.query("SELECT sleep"))
        world.run()
        #expect(counts(world) == [1, 1])
        for server in world.servers { server.release() }
        #expect(reader.messages().kinds == "TDCZ")
        #expect(counts(world) == [0, 0])
    }

    @Test func `a read that runs again is queued in between`() {
        let world = World()
        let client = world.client()
        client.send(.query("SELECT sleep"))
        world.run()
        #expect(counts(world) == [1, 1])
        let busy = world.servers.first { $0.isBusy }
        var topology = Topology.test
        topology.version = 2
        for index in 1...2 { topology.nodes[index].exclusion = .unreachable }
        topology.primary = nil
        world.change(topology)
        if let busy { world.cut(busy) }
        world.run()
        #expect(counts(world) == [1, 0])
        topology.version = 3
        topology.primary = NodeID(0)
        world.change(topology)
        #expect(counts(world) == [1, 1])
        client.leave()
        world.run()
    }

    @Test func `the document says what both are, and who may take reads`() {
        var topology = Topology.test
        topology.scope = "postgres-cluster"
        topology.nodes[2].exclusion = .lagging
        let statistics = ShardStatistics(
            counters: ShardCounters(), readDemand: 37.5, executingReads: 31.2)
        let sum = ShardStatistics.sum([statistics])
        var document = AutoscaleDocument(statistics: sum, topology: topology, cluster: nil)
        #expect(
            document.text == #"{"cluster":"postgres-cluster","readers":{"executing":31.2,"#
                + #""queued":6.3,"demand":37.5,"ready":1,"lagging":1}}"# + "\n")
        document = AutoscaleDocument(
            statistics: ShardStatistics(), topology: Topology(), cluster: "a")
        #expect(
            document.text == #"{"cluster":"a","readers":{"executing":0.0,"queued":0.0,"#
                + #""demand":0.0,"ready":0,"lagging":0}}"# + "\n")
    }
}
