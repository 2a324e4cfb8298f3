// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// The node that a unit is sent to, or why it waits.
package enum RouteVerdict: Equatable, Sendable {
    /// Send it to this replica.
    case node(NodeID)
    /// Send it to the primary, which is this node.
    case primary(NodeID)
    /// Hold it: choose again with every new snapshot, up to `holdTimeout`.
    case hold(HoldReason)
    /// There can be no node for it.
    case refuse(sqlState: SQLState, message: String)
}

/// The condition that a held unit waits for.
package enum HoldReason: String, Equatable, Sendable {
    case noPrimary
    case noReplica
    /// The primary has as many servers as it may have, none of them idle.
    case nodeFull
    /// A replica that has what the session must see, or the sample that says so.
    case position

    /// SQLSTATE, message and hint for a unit that has waited for too long.
    package var timeoutError: (sqlState: SQLState, message: String, hint: String) {
        switch self {
        case .noPrimary:
            (
                .cannotConnectNow, "no member of the cluster accepts writes at the moment",
                "A failover may be in progress. The statement was not sent; try again."
            )
        case .noReplica:
            (
                .cannotConnectNow, "no replica is available for reading at the moment",
                "Every replica is down, excluded or lags too far behind."
            )
        case .nodeFull:
            (
                .tooManyConnections, "no server connection became free in time",
                "Raise pools.servers_per_node, or use fewer servers."
            )
        case .position:
            (
                .cannotConnectNow, "no replica has yet replayed what this session must see",
                "Wait for replication, or use SET martlet.consistency = 'eventual'."
            )
        }
    }
}

/// The settings of a read's session, and the node it failed on.
package struct ReadRequest: Equatable, Sendable {
    package var route: Route
    package var consistency: Consistency
    /// Whether the primary serves it when no replica can.
    package var mayUsePrimary: Bool
    /// A node where the read just failed; chosen again only if there is no other.
    package var avoided: NodeID?

    /// `route: replica` never falls back to the primary: who asks for it means it.
    package init(route: Route, consistency: Consistency, policy: borrowing RoutingPolicy) {
        self.route = route
        self.consistency = consistency
        mayUsePrimary = route == .auto && policy.primaryReads
    }
}

/// Chooses the member for one unit; allocates nothing and costs a few hundred nanoseconds.
package enum ReplicaChoice {
    /// Chooses for units that write, or that must see the newest state.
    package static func primary(_ topology: borrowing Topology) -> RouteVerdict {
        if let primary = topology.primary { return .primary(primary) }
        if topology.isStandbyCluster {
            return .refuse(
                sqlState: .readOnlyTransaction,
                message: "this is a standby cluster: none of its members accepts writes")
        }
        return .hold(.noPrimary)
    }

    /// Chooses for units that only read. The position must be resolved with this snapshot.
    package static func choose(
        _ topology: borrowing Topology, loads: borrowing NodeLoads,
        position: borrowing SessionPosition, request: ReadRequest, now: Instant,
        using generator: inout SplitMix64
    ) -> RouteVerdict {
        if request.route == .primary || request.consistency == .strong { return primary(topology) }
        let field = survey(topology, loads, position, request, now, offset: generator.next())
        if field.count > 0 {
            if field.isWaitedFor, position.isOnReplica, position.shouldAwaitSample(now),
                hasCaughtUpReplica(topology) {
                return .hold(.position)
            }
            return .node(pick(field, topology, loads, now, using: &generator))
        }
        let verdict = withoutReplica(field, topology, position, request, now)
        if case .hold = verdict, field.hasAvoided, let avoided = request.avoided {
            return .node(avoided)
        }
        return verdict
    }

    /// The replicas that may serve it.
    private static func survey(
        _ topology: borrowing Topology, _ loads: borrowing NodeLoads,
        _ position: borrowing SessionPosition, _ request: ReadRequest, _ now: Instant,
        offset: UInt64
    ) -> Field {
        let count = topology.nodes.count
        // More than 64 are looked at in turns.
        var field = Field(start: count > 64 ? Int(offset % UInt64(count)) : 0, total: count)
        let needsPosition = request.consistency != .eventual
        for offset in 0..<min(count, 64) {
            let index = field.index(offset)
            guard topology.nodes[index].exclusion == nil,
                topology.nodes[index].id != topology.primary,
                !loads.isCircuitOpen(topology.nodes[index].id, now)
            else { continue }
            if needsPosition, !position.mayRead(from: topology.nodes[index], in: topology) {
                field.isWaitedFor = true
                continue
            }
            if topology.nodes[index].id == request.avoided {
                field.hasAvoided = true
                continue
            }
            field.insert(offset, weight: topology.nodes[index].weight)
        }
        return field
    }

    /// Two at random by weight; the one with the lower cost.
    private static func pick(
        _ field: Field, _ topology: borrowing Topology, _ loads: borrowing NodeLoads,
        _ now: Instant, using generator: inout SplitMix64
    ) -> NodeID {
        var field = field
        let first = topology.nodes[field.draw(topology, using: &generator)].id
        guard field.count > 0 else { return first }
        let second = topology.nodes[field.draw(topology, using: &generator)].id
        return loads.isCheaper(second, than: first, now) ? second : first
    }

    private static func withoutReplica(
        _ field: Field, _ topology: borrowing Topology, _ position: borrowing SessionPosition,
        _ request: ReadRequest, _ now: Instant
    ) -> RouteVerdict {
        let reason: HoldReason = field.isWaitedFor ? .position : .noReplica
        guard request.mayUsePrimary, let primary = topology.primary else { return .hold(reason) }
        if field.isWaitedFor, position.shouldAwaitSample(now), hasCaughtUpReplica(topology) {
            return .hold(.position)
        }
        return .primary(primary)
    }

    /// Whether a replica lags so little that the next sample may make it eligible.
    private static func hasCaughtUpReplica(_ topology: borrowing Topology) -> Bool {
        for index in topology.nodes.indices
        where topology.nodes[index].exclusion == nil
            && topology.nodes[index].timeline == topology.timeline
        {
            guard let time = topology.nodes[index].lagTime else { continue }
            if time < .milliseconds(150) { return true }
        }
        return false
    }
}

/// A set of at most 64 members, with the sum of their weights.
private struct Field {
    let start: Int
    let total: Int
    private var bits: UInt64 = 0
    private var weight = 0.0
    /// A replica is eligible except for the session's floor.
    var isWaitedFor = false
    /// The one that it failed on would be eligible.
    var hasAvoided = false

    init(start: Int, total: Int) {
        self.start = start
        self.total = total
    }

    var count: Int { bits.nonzeroBitCount }

    func index(_ offset: Int) -> Int {
        let index = start + offset
        return index < total ? index : index - total
    }

    mutating func insert(_ offset: Int, weight: Double) {
        guard weight > 0 else { return }
        bits |= 1 << UInt64(offset)
        self.weight += weight
    }

    /// Removes one at random by weight and returns its place among the nodes.
    mutating func draw(
        _ topology: borrowing Topology, using generator: inout SplitMix64
    ) -> Int {
        var point = generator.unit() * weight
        var left = bits
        var offset = left.trailingZeroBitCount
        while left != 0 {
            offset = left.trailingZeroBitCount
            left &= left - 1
            point -= topology.nodes[index(offset)].weight
            if point < 0 { break }
        }
        take(offset, topology.nodes[index(offset)].weight)
        return index(offset)
    }

    private mutating func take(_ offset: Int, _ itsWeight: Double) {
        bits &= ~(1 << UInt64(offset))
        weight = max(weight - itsWeight, 0)
    }
}
