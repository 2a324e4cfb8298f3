// SPDX-License-Identifier: Apache-2.0

/// Everything that `/metrics` shows, gathered at one moment, and how it is written.
package struct MetricsPage: Sendable {
    /// The sum over all shards.
    package var statistics = ShardStatistics()
    /// Names the nodes; what was counted for a member that left is not shown.
    package var topology = Topology()
    package var process = ProcessFigures()
    /// Empty if Kubernetes is not watched.
    package var kubernetes: [KubernetesWatchFigures] = []
    /// Event loops.
    package var shards = 0
    package var logLinesDropped = 0
    /// The process finishes its work and then ends.
    package var draining = false
    /// martlet's own version.
    package var version = ""

    package init() {}

    /// The page in Prometheus' text format.
    package func text() -> String {
        var page = PrometheusText()
        writeClients(to: &page)
        writeWork(to: &page)
        writeServers(to: &page)
        writeTopology(to: &page)
        writeTraffic(to: &page)
        writeProcess(to: &page)
        return page.text
    }

    private var counters: ShardCounters { statistics.counters }

    private func writeClients(to page: inout PrometheusText) {
        write(counters.clients, as: .clients, by: "state", to: &page)
        write(.encryptedClients, counters.encryptedClients, to: &page)
        write(.waitingClients, counters.clients[.waiting], to: &page)
        write(.heldUnits, counters.clients[.held], to: &page)
        write(counters.logins, as: .logins, by: "result", to: &page)
        write(counters.errors, as: .errors, by: "cause", to: &page)
        write(counters.cancels, as: .cancels, by: "result", to: &page)
    }

    private func writeWork(to page: inout PrometheusText) {
        writeUnits(to: &page)
        page.begin(.unitDuration)
        page.histogram([("class", UnitClass.read.label)], counters.readDurations)
        page.histogram([("class", UnitClass.write.label)], counters.writeDurations)
        page.begin(.waitDuration)
        page.histogram([], counters.waits)
        page.begin(.holdDuration)
        page.histogram([], counters.holds)
        write(counters.retries, as: .retries, by: "reason", to: &page)
        write(counters.pins, as: .pins, by: "reason", to: &page)
        write(counters.pinsBegun, as: .pinsTotal, by: "reason", to: &page)
        write(counters.prepared, as: .prepared, by: "result", to: &page)
        page.begin(.readDemand)
        page.sample(statistics.readDemand)
    }

    private func writeUnits(to page: inout PrometheusText) {
        page.begin(.units)
        for node in topology.nodes {
            for unit in UnitClass.allCases {
                for target in UnitTarget.allCases {
                    // A write is never sent to a replica: a series of zeros would say it could be.
                    if unit == .write && target == .replica { continue }
                    page.sample(
                        [("class", unit.label), ("node", node.name), ("target", target.label)],
                        counters[node: node.id].units(unit, target))
                }
            }
        }
    }

    private func writeServers(to page: inout PrometheusText) {
        page.begin(.servers)
        for node in topology.nodes {
            for activity in ServerActivity.allCases {
                page.sample(
                    [("node", node.name), ("role", node.role.rawValue), ("state", activity.label)],
                    counters[node: node.id].servers[activity])
            }
        }
        writeNodes(.serverConnects, to: &page) { counters[node: $0.id].connects }
        writeNodes(.serverConnectErrors, to: &page) { counters[node: $0.id].connectErrors }
        page.begin(.serverEnds)
        for node in topology.nodes {
            for end in ServerEnd.allCases {
                page.sample(
                    [("node", node.name), ("reason", end.label)],
                    counters[node: node.id].ends[end])
            }
        }
    }

    private func writeTopology(to page: inout PrometheusText) {
        page.begin(.replicaLagBytes)
        for node in topology.nodes where node.role != .primary {
            if let lag = node.lagBytes { page.sample([("node", node.name)], lag) }
        }
        page.begin(.replicaLagSeconds)
        for node in topology.nodes where node.role != .primary {
            if let lag = node.lagTime { page.sample([("node", node.name)], lag.seconds) }
        }
        write(.topologyPrimary, topology.primary == nil ? 0 : 1, to: &page)
        write(.topologyTimeline, Int(topology.timeline), to: &page)
        write(.topologyVersion, Int(clamping: topology.version), to: &page)
        page.begin(.topologyNodes)
        for role in [Topology.Role.primary, .replica, .unknown] {
            let count = topology.nodes.count { $0.role == role }
            page.sample([("role", role.rawValue)], count)
        }
        write(.topologyEligible, topology.eligibleReplicaCount, to: &page)
        page.begin(.nodeEligible)
        for node in topology.nodes {
            let reason = node.exclusion?.rawValue ?? ""
            page.sample([("node", node.name), ("reason", reason)], reason.isEmpty ? 1 : 0)
        }
        page.begin(.nodeWeight)
        for node in topology.nodes { page.sample([("node", node.name)], node.weight) }
        writeWatches(.watchInSync, to: &page) { $0.isInSync ? 1 : 0 }
        writeWatches(.watchEvents, to: &page, \.events)
        writeWatches(.watchFailures, to: &page, \.failures)
    }

    private func writeTraffic(to page: inout PrometheusText) {
        let loop = statistics.loop
        page.begin(.bytes)
        page.sample([("direction", "received")], loop.bytesReceived)
        page.sample([("direction", "sent")], loop.bytesSent)
        write(.accepted, loop.accepted, to: &page)
        write(.blocks, loop.blocks, to: &page)
        write(.loopWakeups, loop.wakeups, to: &page)
        page.begin(.loopCalls)
        page.sample([("call", "read")], loop.reads)
        page.sample([("call", "empty_read")], loop.emptyReads)
        page.sample([("call", "send")], loop.sends)
        write(.refusedMail, loop.refusedMail, to: &page)
        write(.shards, shards, to: &page)
        write(.logLinesDropped, logLinesDropped, to: &page)
        write(.draining, draining ? 1 : 0, to: &page)
    }

    private func writeProcess(to page: inout PrometheusText) {
        page.begin(.buildInfo)
        page.sample([("version", version)], 1)
        write(.residentMemory, process.residentBytes, to: &page)
        write(.virtualMemory, process.virtualBytes, to: &page)
        write(.openDescriptors, process.openDescriptors, to: &page)
        write(.maximumDescriptors, process.maximumDescriptors, to: &page)
        page.begin(.cpu)
        page.sample(process.cpuSeconds)
        page.begin(.startTime)
        page.sample(process.startTime)
    }

    // MARK: Shapes

    private func write(_ family: MetricFamily, _ value: Int, to page: inout PrometheusText) {
        page.begin(family)
        page.sample(value)
    }

    private func write<Label>(
        _ tally: Tally<Label>, as family: MetricFamily, by label: String,
        to page: inout PrometheusText
    ) {
        page.begin(family)
        for value in Label.allCases { page.sample([(label, value.label)], tally[value]) }
    }

    private func writeWatches(
        _ family: MetricFamily, to page: inout PrometheusText,
        _ value: (KubernetesWatchFigures) -> Int
    ) {
        page.begin(family)
        for watch in kubernetes { page.sample([("resource", watch.resource)], value(watch)) }
    }

    private func writeNodes(
        _ family: MetricFamily, to page: inout PrometheusText, _ value: (Topology.Node) -> Int
    ) {
        page.begin(family)
        for node in topology.nodes { page.sample([("node", node.name)], value(node)) }
    }
}

/// Figures of the operating system about this process.
package struct ProcessFigures: Equatable, Sendable {
    /// Memory that is in RAM.
    package var residentBytes = 0
    /// Memory that has addresses.
    package var virtualBytes = 0
    /// Files and sockets.
    package var openDescriptors = 0
    /// The soft limit.
    package var maximumDescriptors = 0
    /// User and system time.
    package var cpuSeconds = 0.0
    /// Seconds since 1970.
    package var startTime = 0.0

    package init() {}
}
