// SPDX-License-Identifier: Apache-2.0

/// The load of reads and who takes it, as JSON: `/autoscale`.
package struct AutoscaleDocument: Equatable, Sendable {
    /// The media type of the document.
    package static let contentType = "application/json"

    /// Patroni's scope, or what the operator calls it; nil while nobody has said.
    package var cluster: String?
    /// Read units that had a server, averaged over the last minute.
    package var executing: Double
    /// Those that waited for one.
    package var queued: Double
    /// Replicas that may get reads.
    package var ready: Int
    /// Replicas that get none because they are behind, or because nobody knows how far.
    package var lagging: Int

    package init(statistics: ShardStatistics, topology: Topology, cluster: String?) {
        self.cluster = cluster ?? topology.scope
        executing = min(statistics.executingReads, statistics.readDemand)
        // Both are integrals of the same time, up to the last digit.
        queued = max(statistics.readDemand - executing, 0)
        ready = topology.eligibleReplicaCount
        lagging = topology.nodes.count {
            $0.role == .replica && ($0.exclusion == .lagging || $0.exclusion == .unknownLag)
        }
    }

    /// The metric `martlet_read_demand` of this instance.
    package var demand: Double { executing + queued }

    package var text: String {
        var json = JSONText()
        json.beginObject()
        json.member("cluster", cluster)
        json.beginObject("readers")
        json.member("executing", Self.rounded(executing))
        json.member("queued", Self.rounded(queued))
        json.member("demand", Self.rounded(demand))
        json.member("ready", UInt64(ready))
        json.member("lagging", UInt64(lagging))
        json.endObject()
        json.endObject()
        return json.text + "\n"
    }

    /// Finer than anybody scales by, and never with an exponent.
    private static func rounded(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }
}
