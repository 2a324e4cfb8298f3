// SPDX-License-Identifier: Apache-2.0

package import PostgresWire
package import StatementClassifier

/// What the client believes about its transaction, which server has it, and what it did so far.
///
///     none ──BEGIN──▶ deferred ──carried──▶ beginning ──replied──▶ open ◀──▶ failed ──▶ none
///                        │ error                │ error              │ server lost │
///                        └───────▶ aborted ◀────┘◀──40001── lost ◀───┴─────────────┘
///     aborted ──ROLLBACK──▶ none, or deferred (AND CHAIN)
///     aborted ──carried──▶ restoring ──replied──▶ failed
///
/// Only `open` and `failed` are on a server. A transaction that its client began on the server comes
/// to `open` by the ReadyForQuery that says so. Each case is a state of its own, without a Boolean
/// beside it, so the status that the client is told follows from the case and cannot disagree.
///
/// The deeds lie beside the state and not in it: a unit outside a transaction block has them, too,
/// and they are still needed (to read back the session's state) after the client is told that its
/// transaction is over. They are plain values, so such a unit allocates nothing.
package struct SessionTransaction {
    private enum State {
        case none
        /// BEGIN was answered by martlet; no server knows of it.
        case deferred(Begin, since: Instant)
        /// The present unit takes it to a server, with its BEGIN in front.
        case beginning(Begin, since: Instant)
        case open(Begin?, since: Instant)
        case failed(Begin?, since: Instant)
        /// Its server connection is lost, and the client has not been told.
        case lost(Begin?, since: Instant)
        /// It has failed, the client knows, and no server has it.
        case aborted(Begin?, since: Instant)
        /// The present unit takes it to a server, with a BEGIN and a failing statement in front.
        case restoring(Begin?, since: Instant)
    }

    private var state = State.none
    private var deeds = Deeds()
    private var settingsBefore: SettingsBefore?

    package init() {}

    // MARK: BEGIN and its characteristics

    /// The statements that began a transaction, and what they chose.
    ///
    /// On the heap, so that a session without a transaction is small.
    package final class Begin: Sendable {
        package enum Access: Sendable { case unspecified, readOnly, readWrite }

        /// The client's BEGIN and SET TRANSACTION statements, in order.
        package let statements: [[UInt8]]
        /// READ WRITE stays, whatever follows it: a standby refuses it as soon as it is said.
        package let access: Access
        package let isSerializable: Bool

        init(_ statement: [UInt8], _ modes: TransactionModes, after earlier: Begin? = nil) {
            statements = (earlier?.statements ?? []) + [statement]
            switch (earlier?.access ?? .unspecified, modes.readOnly) {
            case (.readWrite, _), (_, false?): access = .readWrite
            case (_, true?): access = .readOnly
            case (let before, nil): access = before
            }
            isSerializable =
                modes.isolation.map { $0 == .serializable } ?? earlier?.isSerializable ?? false
        }
    }

    /// What goes to the server in front of the present unit.
    package enum Opening {
        case begin(Begin)
        /// A transaction that fails; its characteristics where they are known.
        case failure(Begin?)
    }

    /// BEGIN was answered by martlet.
    package mutating func began(by statement: [UInt8], _ modes: TransactionModes, at now: Instant) {
        guard case .none = state else { return }
        deeds.controlsTransaction = false
        state = .deferred(Begin(statement, modes), since: now)
    }

    /// SET TRANSACTION was answered by martlet.
    package mutating func modesSet(by statement: [UInt8], _ modes: TransactionModes) {
        guard case .deferred(let begin, let since) = state else { return }
        state = .deferred(Begin(statement, modes, after: begin), since: since)
    }

    /// COMMIT or ROLLBACK was answered by martlet, before any server knew of the transaction; the
    /// `martlet.*` settings to go back to, if any.
    package mutating func endedDeferred(isRollback: Bool) -> MartletSettings.Values? {
        guard case .deferred = state else { return nil }
        return end(isRollback: isRollback)
    }

    /// The present unit takes the transaction to a server, if no server has it.
    package mutating func carried() {
        switch state {
        case .deferred(let begin, let since): state = .beginning(begin, since: since)
        case .aborted(let begin, let since): state = .restoring(begin, since: since)
        case .none, .beginning, .open, .failed, .lost, .restoring: break
        }
    }

    // MARK: What the server says

    /// Something of the present unit's reply goes to the client: what it carried has arrived.
    package mutating func replied() {
        switch state {
        case .beginning(let begin, let since): state = .open(begin, since: since)
        case .restoring(let begin, let since): state = .failed(begin, since: since)
        case .none, .deferred, .open, .failed, .lost, .aborted: break
        }
    }

    /// The client is told that it can go on, by a server with this status or by martlet; the
    /// `martlet.*` settings to go back to, if any.
    package mutating func ready(_ server: TransactionStatus, at now: Instant) -> MartletSettings.Values? {
        let begin: Begin?
        let since: Instant
        switch state {
        case .none:
            if server == .idle { return nil }
            (begin, since) = (nil, now)
        case .open(let before, let start), .failed(let before, let start):
            if server == .idle { return end(isRollback: settingsBefore?.isRolledBack ?? false) }
            (begin, since) = (before, start)
        case .deferred, .beginning, .lost, .aborted, .restoring:
            // What the server ran was not part of the transaction, which it does not have.
            return nil
        }
        settingsBefore?.isRolledBack = false
        state = server == .failed ? .failed(begin, since: since) : .open(begin, since: since)
        return nil
    }

    /// The BEGIN that was in front of the present unit failed.
    package mutating func beginFailed() {
        guard case .beginning(_, let since) = state else { return }
        state = .aborted(characteristics, since: since)
    }

    /// A server refused to prepare a statement of the transaction, which it does not have.
    package mutating func prepareFailed() {
        guard case .deferred(let begin, let since) = state else { return }
        state = .aborted(begin, since: since)
    }

    /// An error of martlet's own ended the present unit. What no server has fails with it.
    package mutating func unitFailed() {
        switch state {
        case .deferred(_, let since), .beginning(_, let since), .restoring(_, let since):
            abort(since: since)
        case .none, .open, .failed, .lost, .aborted: break
        }
    }

    // MARK: The server is gone

    /// What a client that waits for a reply loses with its server connection.
    package enum Loss {
        /// The transaction, of which nothing was committed (40001).
        case transaction
        /// The present unit only, whatever that means.
        case unit
    }

    /// The server connection was lost between two units: the client hears of it with its next one.
    package mutating func serverLost() {
        switch state {
        case .open(_, let since), .failed(_, let since): state = .lost(characteristics, since: since)
        case .none, .deferred, .beginning, .lost, .aborted, .restoring: break
        }
        deeds.undo()
    }

    /// The server connection was lost in the present unit, whose error the client gets.
    package mutating func serverLost(mayHaveCommitted: Bool) -> Loss {
        switch state {
        case .none:
            deeds.undo()
            return .unit
        case .lost, .aborted: return mayHaveCommitted ? .unit : .transaction
        case .deferred(_, let since):
            // What was only prepared has committed nothing.
            abort(since: since)
            return .transaction
        case .beginning(_, let since), .open(_, let since),
            .failed(_, let since), .restoring(_, let since):
            abort(since: since)
        }
        guard mayHaveCommitted else { return .transaction }
        // What is not known to be rolled back stays.
        _ = end(isRollback: false)
        return .unit
    }

    /// A server that had the failed transaction is given up; the client knows that it has failed.
    package mutating func serverLeft() {
        guard case .failed(_, let since) = state else { return }
        abort(since: since)
    }

    // MARK: Without a server

    /// What a statement gets in a transaction that no server has.
    package enum Reply: Equatable, Sendable {
        /// The transaction is over: the tag is ROLLBACK, for COMMIT as well.
        case rolledBack
        /// 40001, once.
        case transactionLost
        /// 25P02, until the client ends the transaction.
        case ignored
        /// 3B001, for ROLLBACK TO a savepoint: none is there any more.
        case noSavepoint
    }

    /// Whether a statement ends the transaction that no server has. One whose characteristics are
    /// not known cannot be followed by another one like it.
    package func isEnded(by control: TransactionControl) -> Bool {
        switch control {
        case .commit, .rollback: true
        case .commitAndChain, .rollbackAndChain: characteristics != nil
        default: false
        }
    }

    /// A statement came for the transaction that no server has: what the client gets, and the
    /// `martlet.*` settings to go back to, if any.
    package mutating func executedWithoutServer(
        _ control: TransactionControl, at now: Instant
    ) -> (reply: Reply, settings: MartletSettings.Values?) {
        let isNews: Bool
        let begin: Begin?
        switch state {
        case .lost(let known, let since):
            (isNews, begin) = (true, known)
            state = .aborted(known, since: since)
        case .aborted(let known, _), .restoring(let known, _): (isNews, begin) = (false, known)
        case .none, .deferred, .beginning, .open, .failed: return (.ignored, nil)
        }
        guard isEnded(by: control) else {
            if isNews { return (.transactionLost, nil) }
            return (control == .rollbackToSavepoint ? .noSavepoint : .ignored, nil)
        }
        let settings = end(isRollback: true)
        let commits = control == .commit || control == .commitAndChain
        if isNews && commits { return (.transactionLost, settings) }
        if control == .commitAndChain || control == .rollbackAndChain, let begin {
            state = .deferred(begin, since: now)
        }
        return (.rolledBack, settings)
    }

    // MARK: Deeds

    /// What a transaction, or a unit outside one, may have done so far.
    package struct Deeds: Equatable, Sendable {
        package var effects = SessionEffects()
        /// The most that any of its statements sets back.
        package var resets = Resets.nothing
        package var changesSchema = false
        /// It may have read or written data; settings and transaction control do neither.
        package var touchesData = false
        /// Transaction control is among it: how the transaction began says no longer how it goes on.
        package var controlsTransaction = false
        /// A hash of the statements by which it may have changed settings.
        fileprivate var settingsHash: UInt64 = 0

        package init() {}

        fileprivate mutating func add(_ other: Deeds) {
            effects.formUnion(other.effects)
            resets.widen(to: other.resets)
            changesSchema = changesSchema || other.changesSchema
            touchesData = touchesData || other.touchesData
            controlsTransaction = controlsTransaction || other.controlsTransaction
        }

        /// Its server connection is lost, and what it did to the session there. What it did to the
        /// database is rolled back or not; others are told in either case.
        fileprivate mutating func undo() {
            effects = SessionEffects()
            resets = .nothing
            controlsTransaction = false
            settingsHash = 0
        }
    }

    /// A unit, or a part of one, was sent to the server.
    package mutating func sent(_ other: Deeds) { deeds.add(other) }

    /// A message was sent that was not looked at.
    package mutating func sentUnseen() { deeds.effects.insert(.opaque) }

    /// Statements are about to be sent that may change settings, or take such a change back. Whoever
    /// says the same in a transaction that began alike has the same settings afterwards.
    package mutating func settingsMayChange(by hash: UInt64) {
        let before = mayHaveChangedMeaning ? deeds.settingsHash : 1
        deeds.settingsHash = before &* 0x9e37_79b9_7f4a_7c15 ^ hash
    }

    /// The server is outside a transaction and owes nothing: what was done until then.
    package mutating func cameToRest() -> Deeds {
        defer { deeds = Deeds() }
        return deeds
    }

    // MARK: Settings of martlet's own

    private struct SettingsBefore {
        let settings: MartletSettings.Values
        /// The last command tag of the unit was ROLLBACK.
        var isRolledBack = false
    }

    /// A `martlet.*` setting is about to change, from these values.
    package mutating func settingsWillChange(from settings: MartletSettings.Values) {
        guard settingsBefore == nil, status != .idle else { return }
        settingsBefore = SettingsBefore(settings: settings)
    }

    /// The server has completed a command.
    package mutating func completed(isRollback: Bool) {
        settingsBefore?.isRolledBack = isRollback
    }

    // MARK: What is asked

    /// What the client was told last, or is told with the next ReadyForQuery.
    package var status: TransactionStatus {
        switch state {
        case .none: .idle
        case .deferred, .beginning, .open: .inTransaction
        case .failed, .lost, .aborted, .restoring: .failed
        }
    }

    /// When its client began it.
    package var since: Instant? {
        switch state {
        case .none: nil
        case .deferred(_, let since), .beginning(_, let since), .open(_, let since),
            .failed(_, let since), .lost(_, let since), .aborted(_, let since),
            .restoring(_, let since):
            since
        }
    }

    /// The BEGIN that no server has answered yet.
    package var deferredBegin: Begin? {
        switch state {
        case .deferred(let begin, _), .beginning(let begin, _): begin
        case .none, .open, .failed, .lost, .aborted, .restoring: nil
        }
    }

    /// What must go to the server in front of the present unit.
    package var opening: Opening? {
        switch state {
        case .beginning(let begin, _): .begin(begin)
        case .restoring(let begin, _): .failure(begin)
        case .none, .deferred, .open, .failed, .lost, .aborted: nil
        }
    }

    /// Whether a server has it.
    package var isOnServer: Bool {
        switch state {
        case .open, .failed: true
        case .none, .deferred, .beginning, .lost, .aborted, .restoring: false
        }
    }

    /// Whether the present unit takes a failed transaction to a server.
    package var isRestoring: Bool { if case .restoring = state { true } else { false } }

    /// Whether it has failed and no server has it.
    package var isLost: Bool {
        switch state {
        case .lost, .aborted, .restoring: true
        case .none, .deferred, .beginning, .open, .failed: false
        }
    }

    /// Whether the client does not know yet that it is lost.
    package var isNews: Bool { if case .lost = state { true } else { false } }

    package var effects: SessionEffects { deeds.effects }
    package var resets: Resets { deeds.resets }
    package var changesSchema: Bool { deeds.changesSchema }

    /// Whether a statement may mean something else than before it.
    package var mayHaveChangedMeaning: Bool { !deeds.effects.isDisjoint(with: .mayChangeMeaning) }

    /// A hash of what may have changed settings in it; 0 for nothing.
    package var settingsHash: UInt64 { mayHaveChangedMeaning ? deeds.settingsHash : 0 }

    /// Whether `martlet.*` settings were changed in it, so that its end must be known.
    package var remembersSettings: Bool { settingsBefore != nil }

    // MARK: Moves

    /// How it began, as far as martlet began it and nothing can have changed that.
    private var characteristics: Begin? {
        switch state {
        case .none: nil
        case .deferred(let begin, _): begin
        case .beginning(let begin, _): deeds.controlsTransaction ? nil : begin
        case .open(let begin, _), .failed(let begin, _), .restoring(let begin, _):
            deeds.controlsTransaction ? nil : begin
        case .lost(let begin, _), .aborted(let begin, _): begin
        }
    }

    private mutating func abort(since: Instant) {
        state = .aborted(characteristics, since: since)
        deeds.undo()
    }

    private mutating func end(isRollback: Bool) -> MartletSettings.Values? {
        defer { settingsBefore = nil }
        state = .none
        return isRollback ? settingsBefore?.settings : nil
    }
}
