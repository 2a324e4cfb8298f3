// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import ProxyRuntime
import Testing

@Suite(.timeLimit(.minutes(1))) struct AdministrationEndpointsTests {
    private static func endpoints(
        ready: Bool = true, silentShards: [Int] = []
    ) -> AdministrationEndpoints {
        var seen = Topology()
        seen.nodes = [
            Topology.Node(id: NodeID(0), name: "pg1", host: "h", port: 5432, role: .primary)
        ]
        seen.primary = NodeID(0)
        let topology = seen
        return AdministrationEndpoints(
            metrics: {
                guard silentShards.isEmpty else { return nil }
                var page = MetricsPage()
                page.topology = topology
                return page
            },
            topology: { topology },
            readiness: { Readiness(listening: ready, draining: false, topology: topology) },
            health: { Health(silentShards: silentShards) },
            autoscale: {
                guard silentShards.isEmpty else { return nil }
                return AutoscaleDocument(
                    statistics: ShardStatistics(), topology: topology, cluster: "demo")
            })
    }

    private static func get(_ path: String, _ endpoints: AdministrationEndpoints) async
        -> HTTPResponse
    {
        await endpoints.respond(
            to: HTTPRequest(method: .get, path: path, query: "", keepsAlive: true))
    }

    @Test func `each path gives its document in its format`() async {
        let endpoints = Self.endpoints()
        let metrics = await Self.get("/metrics", endpoints)
        #expect(metrics.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(metrics.body.contains("\nmartlet_topology_primary 1\n"))
        let topology = await Self.get("/topology", endpoints)
        #expect(topology.contentType == "application/json")
        #expect(topology.body.hasPrefix(#"{"version":0,"timeline":0,"primary":"pg1","#))
        let autoscale = await Self.get("/autoscale", endpoints)
        #expect(autoscale.contentType == "application/json")
        #expect(autoscale.body.hasPrefix(#"{"cluster":"demo","readers":{"executing":0.0,"#))
        #expect(await Self.get("/nothing", endpoints).status == .notFound)
    }

    @Test func `health and readiness say 200 or why not`() async {
        #expect(await Self.get("/readyz", Self.endpoints()) == HTTPResponse(.ok, "ready\n"))
        #expect(
            await Self.get("/readyz", Self.endpoints(ready: false))
                == HTTPResponse(.serviceUnavailable, "not ready: not listening yet\n"))
        #expect(await Self.get("/healthz", Self.endpoints()) == HTTPResponse(.ok, "healthy\n"))
        let sick = Self.endpoints(silentShards: [1])
        let stuck = await Self.get("/healthz", sick)
        #expect(stuck.status == .serviceUnavailable)
        #expect(stuck.body == "not healthy: shard 1 has not answered for 3 s\n")
        #expect(await Self.get("/metrics", sick).status == .serviceUnavailable)
        #expect(await Self.get("/autoscale", sick).status == .serviceUnavailable)
    }
}
