// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProxyCore
import Testing

struct MetricsPageTests {
    private static func page() -> MetricsPage {
        var page = MetricsPage()
        var primary = Topology.Node(
            id: NodeID(0), name: "pg1", host: "10.0.0.1", port: 5432, role: .primary)
        primary.exclusion = .notReplica
        var replica = Topology.Node(
            id: NodeID(2), name: "pg\"3", host: "10.0.0.3", port: 5432, role: .replica)
        replica.exclusion = nil
        replica.lagBytes = 4096
        replica.lagTime = .milliseconds(250)
        replica.weight = 0.75
        page.topology.nodes = [primary, replica]
        page.topology.primary = NodeID(0)
        page.topology.timeline = 7
        page.version = "0.1.0"
        page.kubernetes = [
            KubernetesWatchFigures(resource: "pods", isInSync: true, events: 3, failures: 1)
        ]
        return page
    }

    private static func lines(_ page: MetricsPage) -> [String] {
        page.text().split(separator: "\n").map(String.init)
    }

    @Test func `the page holds every family, in the order of the registry`() {
        let types = Self.lines(Self.page()).filter { $0.hasPrefix("# TYPE ") }
        #expect(types == MetricFamily.all.map { "# TYPE \($0.name) \($0.kind.rawValue)" })
    }

    @Test func `every sample belongs to the family above it`() {
        var family = ""
        for line in Self.lines(Self.page()) {
            if line.hasPrefix("# TYPE ") {
                family = String(line.split(separator: " ")[2])
            } else if !line.hasPrefix("#") {
                let name = line.prefix { $0 != "{" && $0 != " " }
                let endings = ["", "_bucket", "_sum", "_count"].map { family + $0 }
                #expect(endings.contains(String(name)), "\(line)")
            }
        }
    }

    @Test func `no series is there twice`() {
        let series = Self.lines(Self.page()).filter { !$0.hasPrefix("#") }
            .map { $0[..<($0.lastIndex(of: " ") ?? $0.endIndex)] }
        #expect(Set(series).count == series.count)
    }

    @Test func `units are counted by class, node and target`() {
        var counters = ShardCounters()
        counters.unitRouted(.read, to: NodeID(2), as: .replica)
        counters.unitRouted(.read, to: NodeID(2), as: .replica)
        counters.unitRouted(.read, to: NodeID(0), as: .primary)
        counters.unitRouted(.write, to: NodeID(0), as: .primary)
        var page = Self.page()
        let shard = ShardStatistics(counters: counters, readDemand: 1.25)
        page.statistics = .sum([shard, shard])
        let lines = Self.lines(page)
        #expect(
            lines.contains(#"martlet_units_total{class="read",node="pg\"3",target="replica"} 4"#))
        #expect(lines.contains(#"martlet_units_total{class="read",node="pg1",target="primary"} 2"#))
        #expect(
            lines.contains(#"martlet_units_total{class="write",node="pg1",target="primary"} 2"#))
        #expect(lines.contains("martlet_read_demand 2.5"))
    }

    @Test func `gauges add up over shards`() {
        var first = ShardCounters()
        first.clients.count(.waiting)
        var second = ShardCounters()
        second.clients.count(.held)
        second[node: NodeID(2)].servers.count(.active)
        second.pins.count(.listen)
        var page = Self.page()
        page.statistics = .sum([
            ShardStatistics(counters: first, readDemand: 0),
            ShardStatistics(counters: second, readDemand: 0),
        ])
        let lines = Self.lines(page)
        #expect(lines.contains(#"martlet_clients{state="login"} 0"#))
        #expect(lines.contains(#"martlet_clients{state="waiting"} 1"#))
        #expect(lines.contains("martlet_waiting_clients 1"))
        #expect(lines.contains("martlet_held_units 1"))
        #expect(lines.contains(#"martlet_pins{reason="listen"} 1"#))
        #expect(lines.contains(#"martlet_servers{node="pg\"3",role="replica",state="active"} 1"#))
        #expect(
            lines.contains(#"martlet_servers{node="pg\"3",role="replica",state="connecting"} 0"#))
    }

    @Test func `topology and lag are shown by node`() {
        let lines = Self.lines(Self.page())
        #expect(lines.contains(#"martlet_replica_lag_bytes{node="pg\"3"} 4096"#))
        #expect(lines.contains(#"martlet_replica_lag_seconds{node="pg\"3"} 0.25"#))
        #expect(!lines.contains { $0.hasPrefix(#"martlet_replica_lag_bytes{node="pg1""#) })
        #expect(lines.contains("martlet_topology_primary 1"))
        #expect(lines.contains("martlet_topology_timeline 7"))
        #expect(lines.contains("martlet_topology_eligible_replicas 1"))
        #expect(lines.contains(#"martlet_node_eligible{node="pg1",reason="not_replica"} 0"#))
        #expect(lines.contains(#"martlet_node_eligible{node="pg\"3",reason=""} 1"#))
        #expect(lines.contains(#"martlet_kubernetes_watch_in_sync{resource="pods"} 1"#))
        #expect(lines.contains(#"martlet_kubernetes_watch_events_total{resource="pods"} 3"#))
    }

    @Test func `the manual names every metric and no other, with the type it has`() throws {
        var manual: [String: String] = [:]
        let url = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Sources/martlet/Documentation.docc/Metrics.md")
        for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard line.hasPrefix("| `"), cells.count >= 3 else { continue }
            manual[cells[0].trimmingCharacters(in: ["`"])] = cells[1]
        }
        let code = Dictionary(
            uniqueKeysWithValues: MetricFamily.all.map { ($0.name, $0.kind.rawValue) })
        #expect(manual == code)
    }
}
