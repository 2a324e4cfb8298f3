// SPDX-License-Identifier: Apache-2.0

/// Where the work of a session goes unless its statements say otherwise.
package enum Route: String, Equatable, Sendable, CaseIterable {
    case auto, primary, replica
}

/// What a read must see.
package enum Consistency: String, Equatable, Sendable, CaseIterable {
    /// Own writes, and never an older state than before.
    case session
    /// Whatever the lag limits let through.
    case eventual
    /// Every write acknowledged by the cluster before the read began.
    case strong
}

/// How the node for a unit of work is chosen.
package struct RoutingPolicy: Equatable, Sendable {
    package var route = Route.auto
    package var consistency = Consistency.session
    /// Whether reads may go to the primary when no replica is eligible.
    package var primaryReads = true
    /// A replica further behind gets no reads.
    package var maximumLagBytes: UInt64 = 16 << 20
    package var maximumLagTime = Instant.Span.seconds(10)
    /// How long a unit waits while there is no node for it (57P03 after that).
    package var holdTimeout = Instant.Span.seconds(30)
    /// Patroni tag (0 to 100) that scales a replica's share, or nil.
    package var weightTag: String? = "weight"
    /// Functions that are reads whatever the catalogue says; `schema.name` or `name`, lower case.
    package var readFunctions: [String] = []
    /// Functions that are writes whatever the catalogue says.
    package var writeFunctions: [String] = []
    /// Relations whose every use goes to the primary.
    package var primaryRelations: [String] = []
    /// How often the catalogue snapshot of a database is refreshed.
    package var catalogueInterval = Instant.Span.seconds(60)

    package init() {}
}
