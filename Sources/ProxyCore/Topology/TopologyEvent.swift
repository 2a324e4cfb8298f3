// SPDX-License-Identifier: Apache-2.0

/// What the topology monitor is told.
package enum TopologyEvent: Equatable, Sendable {
    /// A member listed the members.
    case discovered(ClusterReport)
    /// The one asked for the list did not give it.
    case discoveryFailed
    /// A member's Patroni answered.
    case reported(NodeID, MemberReport)
    /// It did not, or not in time.
    case probeFailed(NodeID)
    /// A member's server answered the lag query.
    case sampled(NodeID, NodeSample)
    case sampleFailed(NodeID, SampleFailure)
    /// The data path met something that contradicts what is known of a member.
    case doubted(NodeID)
    /// Sessions wait for positions that are newer than the last ones.
    case positionsWanted
    /// What Kubernetes told gives reason to look, or to stop giving reads to somebody.
    case hinted(ClusterHint)
}

/// What the topology monitor wants done.
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
