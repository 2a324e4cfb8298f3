// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A unit of work: everything from idle to the ReadyForQuery that is idle again, or one step of it
/// inside a transaction. It is what is routed and what may be sent again.
///
///     gathering ──▶ routing ──▶ queued ──▶ preparing ──▶ running ──▶ (answered ──▶ inspecting)
///         ▲          ▲  ▲ └──────────────────▲ │               │                       │
///         │          │  └─▶ held             │ │               │                       │
///         │          └───────────────────────┴─┴── (again) ────┤                       │
///         └────────────────────────────────────────────────────┴───────────────────────┘
///
/// A phase holds what only it needs. The machines beside it own the rest: what the statements need,
/// the messages, whether they may be sent again, what sending them changed.
package struct Unit {
    /// A node, and whether the unit runs there as on a replica.
    package struct Place: Equatable, Sendable {
        package let node: NodeID
        package let asReplica: Bool
    }

    package enum Phase {
        /// Its messages arrive; nothing has been decided.
        case gathering
        /// A node is chosen; it has left the queue that it may have been in.
        case routing(Waited)
        /// There is no node for it at the moment.
        case held(HoldReason, since: Instant)
        /// It waits for a server connection in this pool's queue.
        case queued(Place, ServerPool, since: Instant)
        /// Its server connection gets the session's state.
        case preparing(Place, since: Instant)
        case running(Place, since: Instant)
        /// It is answered but for the ReadyForQuery: what it left behind must be read first.
        case answered(Place)
        /// The server is asked what the unit left behind.
        case inspecting(Place)
    }

    /// The wait that routing may go on with.
    package enum Waited: Equatable, Sendable {
        case notYet
        case held(since: Instant)
        case queued(since: Instant)

        /// When the wait began.
        var since: Instant? {
            switch self {
            case .notYet: nil
            case .held(let since), .queued(let since): since
            }
        }
    }

    /// Whose time was over, and when the server was asked to cancel last.
    package struct Overdue: Equatable, Sendable {
        package enum Subject: String, Sendable { case query, transaction }
        package let subject: Subject
        package let cancelledAt: Instant
    }

    package private(set) var phase = Phase.gathering
    package var needs = UnitNeeds()
    package var messages = UnitMessages()
    package var replay = UnitReplay()
    package var sending = UnitSending()
    package var load = UnitLoad()
    /// When its messages were complete and it was dispatched.
    package private(set) var startedAt = Instant(0)
    /// Its time, or its transaction's, was over, and its server was asked to cancel it.
    package private(set) var overdue: Overdue?

    /// A cancel request came before it was sent.
    private var isCancelRequested = false

    package init() {}

    // MARK: State

    package var isGathering: Bool {
        if case .gathering = phase { return true }
        return false
    }

    /// It waits for a server connection or a node.
    package var isWaiting: Bool { waitingSince != nil }

    package var isRunning: Bool {
        switch phase {
        case .running, .answered: true
        case .gathering, .routing, .held, .queued, .preparing, .inspecting: false
        }
    }

    /// Since when it waits for a server connection or a node.
    package var waitingSince: Instant? {
        switch phase {
        case .held(_, let since), .queued(_, _, let since): since
        case .gathering, .routing, .preparing, .running, .answered, .inspecting: nil
        }
    }

    /// Since when it has had a server connection.
    package var runningSince: Instant? {
        switch phase {
        case .preparing(_, let since), .running(_, let since): since
        case .gathering, .routing, .held, .queued, .answered, .inspecting: nil
        }
    }

    /// Where it waits or runs.
    package var place: Place? {
        switch phase {
        case .queued(let place, _, _), .preparing(let place, _), .running(let place, _),
            .answered(let place), .inspecting(let place):
            place
        case .gathering, .routing, .held: nil
        }
    }

    package var runsOnReplica: Bool { place?.asReplica == true }

    /// It changes nothing, as far as can be known.
    package var isRead: Bool {
        !needs.mayCommit && (load.isRead || needs.destination == .replica)
    }

    /// It parses, describes and closes statements, and is wholly there.
    package var onlyPrepares: Bool {
        needs.usesStatement && !needs.executes && messages.isComplete
    }

    // MARK: Transitions

    /// Its messages are decided on.
    package mutating func dispatched(now: Instant) { startedAt = now }

    /// A node is to be chosen, or another one.
    package mutating func routed() {
        switch phase {
        case .held(_, let since): phase = .routing(.held(since: since))
        case .queued(_, _, let since): phase = .routing(.queued(since: since))
        case .routing: break
        case .gathering, .preparing, .running, .answered, .inspecting: phase = .routing(.notYet)
        }
    }

    /// There is no node for it at the moment. The time that it has waited counts on.
    package mutating func held(_ reason: HoldReason, now: Instant) {
        var since = now
        if case .routing(let waited) = phase { since = waited.since ?? now }
        phase = .held(reason, since: since)
    }

    /// It waits for a server connection. The time that it has waited in a queue counts on.
    package mutating func queued(_ place: Place, in pool: ServerPool, now: Instant) {
        var since = now
        if case .routing(.queued(let before)) = phase { since = before }
        phase = .queued(place, pool, since: since)
    }

    /// It has a server connection.
    package mutating func leased(_ place: Place, now: Instant) {
        phase = .preparing(place, since: now)
    }

    /// Its messages, or an error in their place, go to the server.
    package mutating func started(on place: Place, now: Instant) {
        phase = .running(place, since: runningSince ?? now)
    }

    /// All but its last ReadyForQuery is answered, which waits for an inspection.
    package mutating func answered() {
        if let place { phase = .answered(place) }
    }

    /// The inspection began.
    package mutating func inspected() {
        if let place { phase = .inspecting(place) }
    }

    /// A cancel request came before it was sent.
    mutating func cancelRequested() { isCancelRequested = true }

    /// Returns true when a cancel request came, once.
    mutating func takeCancelRequest() -> Bool {
        defer { isCancelRequested = false }
        return isCancelRequested
    }

    /// Its server was asked to cancel it.
    package mutating func cancelled(_ overdue: Overdue) { self.overdue = overdue }

    /// A message was gathered; returns whether the unit, or its part up to a Flush, can be sent.
    mutating func end(after content: UnitMessage.Content, mayEndInFlush: Bool) -> Bool {
        switch content {
        case .query, .functionCall, .sync: return true
        case .flush:
            if mayEndInFlush && !needs.executes && isGathering { messages.endsInFlush() }
            return true
        case .execute:
            // The client may wait for the server to be ready for a COPY, which the server says
            // without being asked to by a Flush.
            return needs.copiesIn
        case .parse, .bind, .describeStatement, .describePortal, .closeStatement, .closePortal:
            return false
        }
    }

    // MARK: Storage

    /// The next unit begins; arrays keep their room.
    package mutating func reset() {
        phase = .gathering
        needs = UnitNeeds()
        messages.reset()
        replay = UnitReplay()
        sending.reset()
        load = UnitLoad()
        startedAt = Instant(0)
        overdue = nil
        isCancelRequested = false
    }

    /// Its arrays have had far more in them than units usually have.
    package var isLarge: Bool { messages.isLarge || sending.capacity > 256 }
}

/// What a unit counts as in the load of its node and in the demand for reads.
package struct UnitLoad {
    private enum Demand { case none, waiting, executing }

    /// The node in whose load it is counted.
    package private(set) var node: NodeID?
    private var demand = Demand.none

    package init() {}

    /// It counts as a read, executing or not.
    package var isRead: Bool { demand != .none }
    /// It counts as a read that has a server connection.
    package var isExecutingRead: Bool { demand == .executing }

    /// It is counted in the load of a node, or in none.
    package mutating func counted(on node: NodeID?) { self.node = node }

    /// It counts as a read or not; returns whether that is a change.
    package mutating func became(read: Bool) -> Bool {
        guard read != isRead else { return false }
        demand = read ? .waiting : .none
        return true
    }

    /// A read has a server connection or not; returns whether that is a change.
    package mutating func became(executing: Bool) -> Bool {
        guard isRead, executing != isExecutingRead else { return false }
        demand = executing ? .executing : .waiting
        return true
    }
}
