// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
package import StatementClassifier

/// Everything from idle to the ReadyForQuery that is idle again, or one step of it inside a
/// transaction: what is routed, what may be run again, what it may leave behind.
///
///     gathering ──▶ waiting ──▶ preparing ──▶ running ──▶ (inspecting) ──▶ gathering
package struct UnitOfWork {
    package enum Phase: Equatable, Sendable {
        /// Its messages arrive; nothing has been decided.
        case gathering
        /// It waits for a server in a pool's queue.
        case waiting
        /// There is no node for it at the moment.
        case held
        /// Its server gets the session's settings.
        case preparing
        case running
        /// It is answered but for the ReadyForQuery; the server is asked what it left behind.
        case inspecting
    }

    package var phase = Phase.gathering
    package var destination = Destination.replica
    package var reason = Reason.none
    package var hint: Destination?
    package var effects = SessionEffects()
    package var containsTransactionControl = false
    /// A COMMIT, END or PREPARE TRANSACTION is among its statements.
    package var mayCommit = false
    package var changesSchema = false
    /// It may read or write data; settings and transaction control do neither.
    package var touchesData = false
    /// A statement was parsed, bound or described; one of these is a transaction or session command.
    package var usesStatement = false
    package var hasCommand = false
    /// The most that any of its statements sets back.
    package var resets = Resets.nothing
    /// The last command tag was ROLLBACK.
    package var wasRolledBack = false
    /// Anything but Parse, Describe and Close of statements was asked.
    package var executes = false
    /// A COPY FROM STDIN is among its statements.
    package var copiesIn = false
    /// It binds the unnamed portal.
    package var bindsUnnamed = false
    /// What the unnamed portal was last bound to, as far as the unit has been sent.
    package var bound: PreparedText?
    /// The hashes of the names given since it gave up all statements, if it did.
    package var namesSinceForgotten: Set<UInt64>?
    /// Its last message (Sync, Query, FunctionCall) has been seen.
    package var isComplete = false
    /// It ends in a Flush and executes nothing: martlet puts a Sync in the Flush's place.
    package var endsInFlush = false
    /// The shape of its first statement, for what a replica refused.
    package var shape: UInt64 = 0
    /// Bytes at the front of `inbound` that belong to it and have been looked at.
    package var gathered = 0
    /// The statements that its Parse messages define, in their order.
    package var parses: [PreparedText] = []
    /// The hashes of the client's names for them.
    package var parsedNames: [UInt64] = []
    /// The statements that its messages use and do not define, in their order, as far as they had come
    /// before it was sent.
    package var uses: [StatementUse] = []
    /// What the names stood for that its Parse and Close messages changed, in their order.
    package var redefined: [ClientStatements.Definition] = []
    /// What its DEALLOCATEs name, in their order: the hashes of the client's names, 0 for others'.
    package var deallocates: [UInt64] = []
    /// One simple query of exactly one statement, which martlet may answer itself.
    package var single: SingleStatement?
    /// The name that its one statement, an EXECUTE, executes.
    package var executedName: String?

    /// How far its messages have been sent to the server, and how many of `parses` with them.
    package var sent = 0
    package var sentParses = 0

    /// Its messages are still in `inbound`, and nothing that decides has been passed on.
    package var isRerunnable = false
    /// Answers that do not decide and that the client has got at a Flush; and how many of them are
    /// still to be left out because the unit runs again.
    package var passedOn = 0
    package var repeated = 0
    /// Answers that do not decide yet (ParseComplete, RowDescription, ...) are kept back.
    package var isHoldingBack = false
    /// A CommandComplete has been seen: something may have been committed.
    package var sawCompletion = false
    package var attempts = 0
    /// The node that it failed on.
    package var avoided: NodeID?
    /// A replica did not let its client in, perhaps because it is behind: the primary knows.
    package var wantsNewest = false
    package var holdReason = HoldReason.noPrimary
    /// It is counted in its node's load.
    package var isCounted = false
    /// What the client gets in the place of an error that martlet provoked.
    package var provoked: Provoked?
    /// The server's use count when the unit began; statements used since stay on the server.
    package var useMark: UInt64 = 0
    /// It is answered, but what it left behind must be read before the client is told.
    package var awaitsInspection = false
    /// Where it runs, and as what.
    package var node: NodeID?
    package var runsOnReplica = false
    package var startedAt = Instant(0)
    package var waitingSince = Instant(0)
    package var runningSince = Instant(0)
    /// Its time, or its transaction's, was over, and its server was asked to cancel it.
    package var overdue: Overdue?
    /// The login of a client, which needs a server but sends nothing of the client's.
    package var isLogin = false
    /// BEGIN goes before it.
    package var carriesBegin = false
    /// One of its texts has several statements.
    package var hasSeveral = false
    /// A transaction that has failed goes before it.
    package var restoresFailure = false
    package var countsAsRead = false
    /// It counts as a read and has a server.
    package var countsAsExecuting = false

    package init() {}

    /// It changes nothing, as far as can be known.
    package var isRead: Bool { !mayCommit && (countsAsRead || destination == .replica) }

    /// It parses, describes and closes statements, and is wholly there.
    package var onlyPrepares: Bool { usesStatement && !executes && isComplete }

    /// Apart, because it is large and rare.
    package final class Provoked {
        let error: ErrorResponse

        init(_ error: ErrorResponse) { self.error = error }
    }

    /// A statement, and the columns that its client expects of it.
    package struct StatementUse {
        package var text: PreparedText
        package let columns: ResultColumns
    }

    /// Whose time was over, and when the server was asked last.
    package struct Overdue: Equatable, Sendable {
        package enum Subject: String, Sendable { case query, transaction }
        package var subject: Subject
        package var cancelledAt: Instant
    }

    /// One statement of the simple protocol and what it commands.
    package struct SingleStatement {
        /// The text's place in `inbound`.
        package var text: Range<Int>
        package var classification: Classification

        var control: TransactionControl { classification.control }
        var command: Command { classification.command }
    }

    /// The next unit begins; arrays keep their room.
    package mutating func reset() {
        var next = UnitOfWork()
        swap(&next.parses, &parses)
        swap(&next.parsedNames, &parsedNames)
        swap(&next.uses, &uses)
        swap(&next.redefined, &redefined)
        next.parses.removeAll(keepingCapacity: true)
        next.parsedNames.removeAll(keepingCapacity: true)
        next.uses.removeAll(keepingCapacity: true)
        next.redefined.removeAll(keepingCapacity: true)
        self = next
    }

    /// Its arrays have had far more in them than units usually do.
    package var isLarge: Bool {
        max(parses.capacity, parsedNames.capacity, uses.capacity, redefined.capacity) > 256
    }

    /// What was taken for the next messages of the unit is for a COPY that has started.
    package mutating func forgetGathered() {
        gathered = 0
        parses.removeAll(keepingCapacity: true)
        parsedNames.removeAll(keepingCapacity: true)
        uses.removeAll(keepingCapacity: true)
    }

    /// A statement joins: its needs are added to the unit's.
    package mutating func add(_ statement: Classification, shape: UInt64) {
        if statement.destination == .primary && destination == .replica {
            destination = .primary
            reason = statement.reason
        }
        if parses.isEmpty && self.shape == 0 { self.shape = shape }
        usesStatement = true
        hasSeveral = hasSeveral || statement.statementCount > 1
        hasCommand = hasCommand || statement.isCommand
        resets.widen(to: statement.resets)
        if case .copyFromStdin = statement.command { copiesIn = true }
        hint = hint ?? statement.hint
        effects.formUnion(statement.effects)
        changesSchema = changesSchema || statement.changesSchema
        let isHarmless = statement.control.isAboutBlock || statement.command.isAboutSession
        touchesData = touchesData || !isHarmless || statement.statementCount > 1
        containsTransactionControl =
            containsTransactionControl || statement.containsTransactionControl
        // Which of several statements commits is not known; any control may be a COMMIT.
        mayCommit = mayCommit || statement.containsTransactionControl
    }

    /// What it is cannot be known: the safe answers to everything.
    package mutating func addOpaque() {
        destination = .primary
        reason = .tooLong
        effects.insert(.opaque)
        touchesData = true
        mayCommit = true
        containsTransactionControl = true
    }
}
