// SPDX-License-Identifier: Apache-2.0

/// How often the cluster is looked at, and how long what was seen counts.
package struct TopologyPolicy: Equatable, Sendable {
    package var probeInterval = Instant.Span.seconds(1)
    /// Between probes while anything is in doubt.
    package var doubtInterval = Instant.Span.milliseconds(150)
    package var probeTimeout = Instant.Span.milliseconds(800)
    /// Between lag samples by SQL.
    package var lagInterval = Instant.Span.milliseconds(100)
    /// How long after a failover a replica may be one timeline behind.
    package var timelineGrace = Instant.Span.seconds(5)

    package init() {}
}
