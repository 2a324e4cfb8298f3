// SPDX-License-Identifier: Apache-2.0

/// Whether this proxy should be sent clients, and if not, why.
///
/// Not ready is no failure: an orchestrator stops sending new clients and leaves the process be.
package struct Readiness: Equatable, Sendable {
    /// Every reason against, in words; empty means ready.
    package let reasons: [String]

    /// Ready is: it listens, has seen the cluster, could run at least reads, and is to stay.
    package init(listening: Bool, draining: Bool, topology: Topology) {
        var reasons: [String] = []
        if !listening { reasons.append("not listening yet") }
        if draining { reasons.append("draining") }
        if topology.nodes.isEmpty {
            reasons.append("the cluster has not been seen yet")
        } else if topology.primary == nil && topology.eligibleReplicaCount == 0 {
            reasons.append("neither a primary nor an eligible replica")
        }
        self.reasons = reasons
    }
}

/// Whether this process works at all; if not, an orchestrator should replace it.
///
/// Only its own event loops count. A cluster that is down must not restart its proxies.
package struct Health: Equatable, Sendable {
    /// A loop that has not answered for so long is stuck. Whoever asks for `/healthz` should wait
    /// a little longer.
    package static let patience = Instant.Span.seconds(3)

    /// Every reason against, in words; empty means healthy.
    package let reasons: [String]

    /// Judges by the shards, by number, that have not answered in time.
    package init(silentShards: [Int]) {
        reasons = silentShards.map {
            "shard \($0) has not answered for \(Self.patience.milliseconds / 1000) s"
        }
    }
}
