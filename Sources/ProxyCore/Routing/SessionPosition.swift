// SPDX-License-Identifier: Apache-2.0

/// The log position that a session's reads must reach: its own writes, and all that it has seen
/// before.
///
///     wrote, or read on the primary ──▶ pending on the primary ──▶ floor
///     read on a replica             ──▶ pending on that replica ─▶ floor
///
/// No query asks for positions; the samples of the topology do. What happened at a moment is in
/// the first position *asked for* after it, so the floor is that position once it is there. Until
/// then the session's reads stay where they were.
///
/// **The moments given to `wrote` and `read` must come from a clock read after the server's answer
/// was received.** One that is earlier, such as the start of the wake-up that received it, could
/// lie before a sample that does not hold the write.
package struct SessionPosition: Equatable, Sendable {
    private var floor: PositionToken = .none
    /// When the floor was known; a later and lower position of the primary means that it crashed.
    private var floorSince = Instant(0)
    /// The timeline that the pending events belong to; 0 before the first snapshot is seen.
    private var timeline: UInt32 = 0
    private var pending = Pending.nothing
    /// When reads began to go to one node only because earlier ones did.
    private var stuckSince: Instant?

    private enum Pending: Equatable, Sendable {
        case nothing
        case primary(Instant)
        case replica(NodeID, Instant)
    }

    package init() {}

    // MARK: What the session did

    /// A unit that may have written was answered.
    package mutating func wrote(acknowledgedAt moment: Instant) {
        pending = .primary(moment)
        stuckSince = moment
    }

    /// A read was answered, by a replica or by the primary.
    package mutating func read(on node: NodeID, isPrimary: Bool, endedAt moment: Instant) {
        if isPrimary {
            if isOnReplica { stuckSince = nil }
            pending = .primary(moment)
            stuckSince = stuckSince ?? moment
            return
        }
        switch pending {
        // Whatever is pending on the primary is not settled by a replica's position.
        case .primary: return
        case .replica(node, _): break
        default: stuckSince = moment
        }
        pending = .replica(node, moment)
    }

    /// `SET martlet.position`: this session must see at least what that one did.
    package mutating func adopt(_ token: PositionToken, at now: Instant) {
        guard token != .none else { return }
        if token.timeline < timeline {
            // What it names has been left; what survived of it, the present primary has.
            if case .primary(let moment) = pending, moment > now { return }
            pending = .primary(now)
            return
        }
        if token.timeline > floor.timeline || token.position > floor.position { floor = token }
        floorSince = now
        timeline = token.timeline
    }

    /// `DISCARD ALL` and `RESET martlet.position`.
    package mutating func reset() { self = SessionPosition() }

    /// Turns what is pending into a floor, as far as the snapshot's samples allow.
    ///
    /// To be called with every new snapshot before `mayRead`; costs a few comparisons.
    package mutating func resolveFloor(with topology: borrowing Topology) {
        guard !isFree else { return }
        followTimeline(of: topology)
        // A token may come from a session that has seen a later timeline than this snapshot.
        guard timeline == topology.timeline else { return }
        switch pending {
        case .nothing: break
        case .primary(let moment):
            guard let primary = topology.primary else { break }
            raise(to: Self.sample(of: primary, askedAfter: moment, in: topology))
        case .replica(let id, let moment):
            if Self.isContinuous(id, since: moment, in: topology) {
                raise(to: Self.sample(of: id, askedAfter: moment, in: topology))
            } else {
                // It is gone or was restarted, perhaps with less than it had shown.
                pending = .primary(moment)
            }
        }
        lowerAfterCrash(of: topology)
    }

    // MARK: What it may do

    /// No read or write yet: any replica will do.
    package var isFree: Bool { floor == .none && pending == .nothing }

    /// Whether all that the session did is in the token.
    package var isSettled: Bool { pending == .nothing }

    /// Whether the last read was on a replica and its position is not known yet.
    package var isOnReplica: Bool {
        if case .replica = pending { true } else { false }
    }

    /// The floor as text for other sessions; complete only when `isSettled`.
    package var token: PositionToken { floor }

    /// Whether a read on that member shows all that the session has seen and done.
    package func mayRead(
        from node: borrowing Topology.Node, in topology: borrowing Topology
    ) -> Bool {
        if node.id == topology.primary || isFree { return true }
        // Positions of different timelines cannot be compared.
        guard timeline == topology.timeline, node.timeline == timeline else { return false }
        switch pending {
        case .nothing: break
        case .primary: return false
        case .replica(let id, let moment):
            guard id == node.id, node.positions.isContinuous(since: moment) else { return false }
        }
        guard let newest = node.positions.newest else { return false }
        return newest.position >= floor.position
    }

    /// Whether to wait for a sample rather than to read once more where the last reads were.
    ///
    /// A session that reads without a pause would stay there for ever: each read is a new event
    /// without a position. So for a part of that time its reads wait for samples, which are there in
    /// about ten milliseconds, and may then go elsewhere: after a write to a replica, for the last
    /// quarter of each fifth of a second; from one replica to another, which may be new or have less
    /// to do, for the last half second of five.
    package func shouldAwaitSample(_ now: Instant) -> Bool {
        guard let stuckSince else { return false }
        let stuck = (now - stuckSince).milliseconds
        return isOnReplica ? stuck % 5000 >= 4500 : stuck % 200 >= 150
    }

    // MARK: Details

    /// A new timeline makes the floor meaningless: it is replaced by the first position of the new
    /// primary, which has all that survived.
    private mutating func followTimeline(of topology: borrowing Topology) {
        guard topology.timeline > timeline else { return }
        if timeline != 0 || floor != .none {
            let since = topology.timelineSince
            switch pending {
            case .nothing, .replica: pending = .primary(since)
            case .primary(let moment): pending = .primary(max(moment, since))
            }
            floor = .none
        }
        timeline = topology.timeline
    }

    private mutating func raise(to sample: PositionHistory.Sample?) {
        guard let sample else { return }
        pending = .nothing
        // The position of one replica does not cover that of another.
        let position = max(floor.position, sample.position)
        floor = PositionToken(timeline: timeline, position: position)
        floorSince = sample.arrivedAt
    }

    /// A primary that restarted after a crash may have lost what it had not flushed; nothing above
    /// its present position can be seen any more.
    private mutating func lowerAfterCrash(of topology: borrowing Topology) {
        guard floor != .none, let primary = topology.primary,
            let sample = Self.sample(of: primary, askedAfter: floorSince, in: topology),
            sample.position < floor.position
        else { return }
        floor.position = sample.position
        floorSince = sample.arrivedAt
    }

    private static func sample(
        of id: NodeID, askedAfter moment: Instant, in topology: borrowing Topology
    ) -> PositionHistory.Sample? {
        for index in topology.nodes.indices where topology.nodes[index].id == id {
            return topology.nodes[index].positions.firstSample(askedAfter: moment)
        }
        return nil
    }

    private static func isContinuous(
        _ id: NodeID, since moment: Instant, in topology: borrowing Topology
    ) -> Bool {
        for index in topology.nodes.indices where topology.nodes[index].id == id {
            return topology.nodes[index].positions.isContinuous(since: moment)
        }
        return false
    }
}
