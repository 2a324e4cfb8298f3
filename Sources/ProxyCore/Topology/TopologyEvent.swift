// SPDX-License-Identifier: Apache-2.0

/// An event for the topology monitor.
package enum TopologyEvent: Equatable, Sendable {
    /// A member listed the members.
    case discovered(ClusterReport)
    /// The one asked for the list did not give it.
    case discoveryFailed
    /// A member's Patroni answered.
    case reported(NodeID, MemberReport)
    /// The probe failed, or timed out.
    case probeFailed(NodeID)
    /// A member's server answered the lag query.
    case sampled(NodeID, NodeSample)
    case sampleFailed(NodeID, SampleFailure)
    /// The data path met something that contradicts what is known of a member.
    case doubted(NodeID)
    /// Sessions wait for positions that are newer than the last ones.
    case positionsWanted
    /// Kubernetes gave a reason to probe, or to drain a node.
    case hinted(ClusterHint)
}

/// An action for the driver of the topology monitor.
package enum TopologyAction: Equatable, Sendable {
    /// `GET <url>/cluster`; then `discovered` or `discoveryFailed`.
    case discover(url: String)
    /// `GET <url>/primary`; then `reported` or `probeFailed`.
    case probe(NodeID, url: String)
    /// The lag query; then `sampled` or `sampleFailed`.
    case sample(NodeID, host: String, port: UInt16)
    /// A member has left: close what is kept for it.
    case forget(NodeID)
    /// Hand this snapshot to everybody.
    case publish(Topology)
}
