// SPDX-License-Identifier: Apache-2.0

/// The nodes on which a text may run.
package enum Destination: String, Equatable, Sendable {
    /// A hot standby gives the same answer as the primary, but for its lag.
    case replica
    case primary

    // Written out, because other modules call what the compiler makes through a table of functions.
    package static func == (a: Destination, b: Destination) -> Bool {
        switch (a, b) {
        case (.replica, .replica), (.primary, .primary): true
        default: false
        }
    }
    package static func != (a: Destination, b: Destination) -> Bool { !(a == b) }
}

/// The needs of one SQL text: where it may run, and what it may leave in the session.
package struct Classification: Equatable, Sendable {
    /// The nodes for the whole text; one statement for the primary sends all of it there.
    package var destination = Destination.replica
    /// The first reason for the primary, or `.none` for a read.
    package var reason = Reason.none
    /// The effects on the session, over all statements.
    package var effects = SessionEffects()
    /// The transaction command, when the text is exactly one statement that is one.
    package var control = TransactionControl.none
    /// `BEGIN`, `COMMIT`, `SAVEPOINT`, `SET TRANSACTION` and the like stand somewhere in it.
    package var containsTransactionControl = false
    /// Statements that are not empty.
    package var statementCount = 0
    package var hint: Destination?
    /// Details of a session command, when the text is exactly one statement.
    package var command = Command.none
    /// The most that any of its statements sets back.
    package var resets = Resets.nothing
    /// DDL is in it, so that what is known of the catalogue may be stale afterwards.
    package var changesSchema = false

    package init() {}

    /// Whether it is one statement about the session or its transaction block.
    package var isCommand: Bool {
        if case .none = control, case .none = command { false } else { true }
    }

    /// Whether it certainly has neither parameters nor a result.
    package var returnsNothing: Bool {
        switch command {
        case .show, .showAll: false
        default: control != .none || command.isAboutSession
        }
    }

    /// PostgreSQL looks at its words only when it executes it, so no constant of it is read at Parse;
    /// and it is not a query after which a transaction's modes are fixed (manual: SET TRANSACTION).
    package var isReadWhenExecuted: Bool {
        if control != .none { return true }
        switch command {
        case .none: return [.tableLock, .notification, .transactionMayWrite].contains(reason)
        case .setConfig, .copyToStdout, .copyFromStdin, .declareCursor: return false
        default: return true
        }
    }

    /// Keeps the first reason, which is the one that a reader of the text sees first.
    mutating func refuse(_ cause: Reason) {
        guard destination == .replica else { return }
        destination = .primary
        reason = cause
    }
}

/// The settings that return to their initial values (manual: RESET, DISCARD).
package enum Resets: Comparable, Sendable {
    case nothing, one, all, session

    package mutating func widen(to other: Resets) { self = max(self, other) }
}

/// Effects of a text on the state of its session.
package struct SessionEffects: OptionSet, Equatable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    // Written out, because other modules call what the standard library has through a table of functions;
    // and no constant is stored, because they would ask each time whether it is there yet.
    package init() { rawValue = 0 }
    package var isEmpty: Bool { rawValue == 0 }
    package static func == (a: SessionEffects, b: SessionEffects) -> Bool { a.rawValue == b.rawValue }
    package func contains(_ other: SessionEffects) -> Bool {
        rawValue & other.rawValue == other.rawValue
    }
    package func isDisjoint(with other: SessionEffects) -> Bool { rawValue & other.rawValue == 0 }
    package func union(_ other: SessionEffects) -> SessionEffects {
        SessionEffects(rawValue: rawValue | other.rawValue)
    }
    package func intersection(_ other: SessionEffects) -> SessionEffects {
        SessionEffects(rawValue: rawValue & other.rawValue)
    }
    package mutating func formUnion(_ other: SessionEffects) { self = union(other) }

    /// `SET`, `RESET`, `set_config(…, false)`, `SET SESSION CHARACTERISTICS`, `DISCARD ALL`.
    package static var settings: SessionEffects { SessionEffects(rawValue: 1 << 0) }
    /// `SET LOCAL`, `set_config(…, true)`: gone with the transaction.
    package static var localSettings: SessionEffects { SessionEffects(rawValue: 1 << 1) }
    /// `SET ROLE`, `SET SESSION AUTHORIZATION` and their `RESET`.
    package static var role: SessionEffects { SessionEffects(rawValue: 1 << 2) }
    /// Creates temporary objects, or may.
    package static var temporary: SessionEffects { SessionEffects(rawValue: 1 << 3) }
    /// `DECLARE … WITH HOLD`.
    package static var holdCursor: SessionEffects { SessionEffects(rawValue: 1 << 4) }
    /// `DECLARE`, `FETCH`, `MOVE`, `CLOSE`.
    package static var cursor: SessionEffects { SessionEffects(rawValue: 1 << 5) }
    /// Takes or gives back advisory locks of the session (not those of the transaction).
    package static var advisoryLock: SessionEffects { SessionEffects(rawValue: 1 << 6) }
    /// `LISTEN`, `UNLISTEN`.
    package static var listen: SessionEffects { SessionEffects(rawValue: 1 << 7) }
    /// `PREPARE`, `DEALLOCATE`.
    package static var sqlPrepare: SessionEffects { SessionEffects(rawValue: 1 << 8) }
    /// `EXECUTE`, or something that contains it.
    package static var sqlExecute: SessionEffects { SessionEffects(rawValue: 1 << 9) }
    /// `DISCARD` of anything.
    package static var discard: SessionEffects { SessionEffects(rawValue: 1 << 10) }
    /// `currval`, `lastval`: answers that belong to one session.
    package static var sequenceState: SessionEffects { SessionEffects(rawValue: 1 << 11) }
    /// May do anything: `DO`, `CALL`, `LOAD`, functions known to change the session, unknown text.
    package static var opaque: SessionEffects { SessionEffects(rawValue: 1 << 12) }
    /// `NOTIFY`, `pg_notify`.
    package static var notify: SessionEffects { SessionEffects(rawValue: 1 << 13) }

    // Sets that are asked about for each unit of work.

    /// Settings of the session may be others.
    package static var mayChangeSettings: SessionEffects { settings.union(opaque) }
    /// A statement may mean something else from now on.
    package static var mayChangeMeaning: SessionEffects {
        mayChangeSettings.union(localSettings).union(role).union(discard)
    }
    /// Prepared statements may be gone.
    package static var mayDeallocate: SessionEffects { sqlPrepare.union(discard) }
    /// Temporary objects may be others.
    package static var mayChangeTemporary: SessionEffects { temporary.union(opaque) }
    /// Cursors may be others.
    package static var mayChangeCursors: SessionEffects { cursor.union(sqlExecute) }
}
