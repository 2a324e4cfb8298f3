// SPDX-License-Identifier: Apache-2.0

/// Whether this proxy should be sent clients, and if not, why.
///
/// Not ready is no failure: an orchestrator stops sending new clients and leaves the process be.
package struct Readiness: Equatable, Sendable {
    /// Every reason against, in words; empty means ready.
    package let reasons: [String]

    package var isReady: Bool { reasons.isEmpty }

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
    /// A loop that has not answered for so long is stuck.
    package static let longestSilence = Instant.Span.seconds(10)

    /// Every reason against, in words; empty means healthy.
    package let reasons: [String]

    package var isHealthy: Bool { reasons.isEmpty }

    /// Judges by how long each shard has not answered.
    package init(silences: [Instant.Span]) {
        reasons = silences.enumerated().compactMap { index, silence in
            guard silence > Self.longestSilence else { return nil }
            return "shard \(index) has not answered for \(silence.milliseconds / 1000) s"
        }
    }
}
