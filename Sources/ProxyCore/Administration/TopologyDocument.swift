// SPDX-License-Identifier: Apache-2.0

/// The topology as JSON, for `/topology` and for people.
package enum TopologyDocument {
    /// The media type of the document.
    package static let contentType = "application/json"

    /// One object; members in the order of their first sight.
    package static func text(of topology: Topology) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("version", topology.version)
        json.member("timeline", UInt64(topology.timeline))
        json.member("primary", topology.primary.flatMap { topology[$0]?.name })
        json.beginArray("nodes")
        for node in topology.nodes { write(node, to: &json) }
        json.endArray()
        json.endObject()
        return json.text + "\n"
    }

    private static func write(_ node: Topology.Node, to json: inout JSONText) {
        json.beginObject()
        json.member("name", node.name)
        json.member("host", node.host)
        json.member("port", UInt64(node.port))
        json.member("role", node.role.rawValue)
        json.member("state", node.state)
        json.member("timeline", node.timeline.map(UInt64.init))
        json.member("eligible", node.exclusion == nil)
        json.member("exclusion", node.exclusion?.rawValue)
        json.member("weight", node.weight)
        json.member("lag_bytes", node.lagBytes)
        json.member("lag_seconds", node.lagTime?.seconds)
        json.endObject()
    }
}

extension Topology {
    /// Replicas that may get reads, whatever a session has seen.
    package var eligibleReplicaCount: Int {
        nodes.count { $0.role == .replica && $0.exclusion == nil }
    }
}
