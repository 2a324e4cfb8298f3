// SPDX-License-Identifier: Apache-2.0

import Logging
import ProxyCore
import Testing

@testable import ProxyRuntime

struct TopologyNarratorTests {
    /// The story of a sequence of topologies, as the operator reads it, without times.
    private func story(_ steps: [(milliseconds: UInt64, topology: Topology)]) -> [String] {
        let pipe = Pipe()
        let log = Log(descriptor: pipe.input)
        var narrator = TopologyNarrator()
        for (index, step) in steps.enumerated() {
            var topology = step.topology
            topology.version = UInt64(index + 1)
            narrator.narrate(
                topology, now: Instant(step.milliseconds * 1_000_000), to: log.logger())
        }
        log.flush()
        return pipe.readAll().split(separator: "\n").map { line in
            line.split(separator: " ").dropFirst().joined(separator: " ")
        }
    }

    /// Two members, one of which may be the primary.
    private func cluster(
        primary: Int?, timeline: UInt32 = 1, _ exclusions: [Topology.Exclusion?] = [nil, nil]
    ) -> Topology {
        var topology = Topology()
        topology.timeline = timeline
        topology.nodes = exclusions.indices.map { index in
            let isGone = exclusions[index] == .notReplica
            var node = Topology.Node(
                id: NodeID(index), name: "pg\(index)", host: "h", port: 5432,
                role: index == primary ? .primary : isGone ? .unknown : .replica)
            node.exclusion = index == primary ? .notReplica : exclusions[index]
            node.state = isGone ? "stopped" : "running"
            return node
        }
        topology.primary = primary.map { NodeID($0) }
        topology.primaryAbsence = primary == nil ? .noCandidate : nil
        return topology
    }

    @Test func `a failover is told by who lost and who got the writes, and for how long`() {
        let told = story([
            (0, cluster(primary: 0)),
            (1000, cluster(primary: nil, [.notReplica, nil])),
            (2000, cluster(primary: nil, [.notReplica, .notStreaming])),
            (4500, cluster(primary: 1, timeline: 2, [.notReplica, nil])),
            (9000, cluster(primary: 1, timeline: 2)),
            (9100, cluster(primary: 1, timeline: 2)),
            (10_100, cluster(primary: 1, timeline: 2)),
        ])
        #expect(
            told == [
                "info member found address=h:5432 member=pg0",
                "info member found address=h:5432 member=pg1",
                "notice new primary member=pg0 timeline=1",
                "info replica eligible for reads member=pg1",
                "warning no writable primary lost=pg0 reason=no_candidate",
                "notice new primary member=pg1 timeline=2 writes_waited_ms=3500",
                "info replica eligible for reads member=pg0",
            ])
    }

    @Test func `what lasts less than a second is no news`() {
        let lagging = cluster(primary: 0, [nil, .lagging])
        let well = cluster(primary: 0)
        let told = story([
            (0, well), (100, lagging), (200, well), (300, lagging), (1200, lagging),
            (1250, well), (5000, lagging), (6000, lagging), (6100, well), (7100, well),
        ])
        #expect(
            told.dropFirst(4) == [
                "notice replica excluded from reads member=pg1 reason=lagging state=running",
                "info replica eligible for reads member=pg1",
            ])
    }

    @Test func `a member that stops and one that leaves are told`() {
        var smaller = cluster(primary: 0)
        smaller.nodes.removeLast()
        let gone = cluster(primary: 0, [nil, .notReplica])
        let told = story([(0, cluster(primary: 0)), (10, gone), (1010, gone), (1020, smaller)])
        #expect(
            told.dropFirst(4) == [
                "notice member is neither primary nor replica member=pg1 state=stopped",
                "info member left member=pg1",
            ])
    }
}
