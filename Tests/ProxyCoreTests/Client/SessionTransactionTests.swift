// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import StatementClassifier
import Testing

/// The session's transaction by itself: what the client is told, and what is lost with a server.
@Suite struct SessionTransactionTests {
    private static let settled: [TransactionEvent] = [
        .begin, .carried, .replied, .ready(.inTransaction),
    ]
    private static let failed: [TransactionEvent] = settled + [.ready(.failed)]
    private static let start = Instant(7)

    private func transaction(after events: [TransactionEvent]) -> SessionTransaction {
        SessionTransaction(after: events, from: Self.start)
    }

    private func text(_ words: String) -> [UInt8] { Array(words.utf8) }

    private func deeds(
        _ change: (inout SessionTransaction.Deeds) -> Void
    ) -> SessionTransaction.Deeds {
        var deeds = SessionTransaction.Deeds()
        change(&deeds)
        return deeds
    }

    private func settings(_ route: Route) -> MartletSettings.Values {
        MartletSettings.Values(route: route)
    }

    // MARK: The status that the client is told

    @Test(arguments: [
        ([], .idle),
        ([.begin], .inTransaction),
        ([.begin, .begin], .inTransaction),
        ([.begin, .setReadOnly], .inTransaction),
        ([.begin, .commit], .idle),
        ([.begin, .rollback], .idle),
        // A unit that only prepares a statement runs outside the transaction.
        ([.begin, .ready(.idle)], .inTransaction),
        ([.begin, .prepareFailed], .failed),
        ([.begin, .prepareFailed, .ready(.idle)], .failed),
        ([.begin, .unitFailed], .failed),
        ([.begin, .carried], .inTransaction),
        ([.begin, .carried, .prepareFailed], .inTransaction),
        ([.begin, .carried, .beginFailed], .failed),
        ([.begin, .carried, .beginFailed, .replied, .ready(.idle)], .failed),
        ([.begin, .carried, .unitFailed], .failed),
        (settled, .inTransaction),
        (settled + [.prepareFailed], .inTransaction),
        (settled + [.beginFailed], .inTransaction),
        (settled + [.unitFailed], .inTransaction),
        (settled + [.commit], .inTransaction),
        (settled + [.ready(.idle)], .idle),
        (failed, .failed),
        (failed + [.ready(.inTransaction)], .inTransaction),
        (failed + [.ready(.idle)], .idle),
        // Begun by the server, because martlet left the BEGIN to it.
        ([.ready(.inTransaction)], .inTransaction),
        ([.ready(.failed)], .failed),
        ([.ready(.inTransaction), .ready(.idle)], .idle),
    ] as [([TransactionEvent], TransactionStatus)])
    func `the status follows from what happened`(
        events: [TransactionEvent], status: TransactionStatus
    ) {
        #expect(transaction(after: events).status == status)
    }

    @Test(arguments: [
        ([], nil),
        ([.begin], 0),
        ([.ready(.idle), .ready(.inTransaction), .ready(.failed)], 1),
        (settled, 0),
        (failed + [.lost], 0),
        (failed + [.lost, .without(.none), .carried, .replied, .ready(.inTransaction)], 0),
        (settled + [.ready(.idle)], nil),
        (settled + [.ready(.idle), .begin], 5),
        (failed + [.lost, .without(.rollbackAndChain)], 6),
    ] as [([TransactionEvent], UInt64?)])
    func `the time of a transaction is that of its BEGIN`(
        events: [TransactionEvent], after: UInt64?
    ) {
        let expected = after.map { Instant(Self.start.nanoseconds + $0) }
        #expect(transaction(after: events).since == expected)
    }

    // MARK: A BEGIN that waits for its first statement

    @Test(arguments: [
        ([.begin], .unspecified, false),
        ([.beginReadOnly], .readOnly, false),
        ([.beginReadWrite], .readWrite, false),
        ([.begin, .setReadOnly], .readOnly, false),
        ([.beginReadOnly, .setReadCommitted], .readOnly, false),
        ([.beginReadOnly, .setReadWrite], .readWrite, false),
        // A standby refuses READ WRITE, whatever is said after it.
        ([.beginReadWrite, .setReadOnly], .readWrite, false),
        ([.beginSerializable], .unspecified, true),
        ([.beginSerializable, .setReadOnly], .readOnly, true),
        ([.beginSerializable, .setReadCommitted], .unspecified, false),
        ([.begin, .carried], .unspecified, false),
    ] as [([TransactionEvent], SessionTransaction.Begin.Access, Bool)])
    func `the modes of a deferred BEGIN are the last that were said`(
        events: [TransactionEvent], access: SessionTransaction.Begin.Access, isSerializable: Bool
    ) throws {
        let begin = try #require(transaction(after: events).deferredBegin)
        #expect(begin.access == access)
        #expect(begin.isSerializable == isSerializable)
    }

    @Test func `its statements go before the first unit, in their order`() throws {
        let transaction = transaction(after: [.beginReadOnly, .setReadCommitted, .carried])
        guard case .begin(let begin) = transaction.opening else {
            Issue.record("nothing goes before the unit")
            return
        }
        #expect(begin.statements == [text("BEGIN READ ONLY"), text("SET ISOLATION")])
    }

    @Test(arguments: [
        [], [.begin], settled, failed, [.carried], settled + [.carried],
        [.begin, .carried, .beginFailed], settled + [.lost, .carried],
    ] as [[TransactionEvent]])
    func `nothing goes before a unit of any other transaction`(events: [TransactionEvent]) {
        #expect(transaction(after: events).opening == nil)
    }

    @Test func `SET TRANSACTION changes nothing that a server may know`() {
        #expect(transaction(after: [.setReadOnly]).status == .idle)
        #expect(transaction(after: [.begin, .carried, .setReadOnly]).deferredBegin?.access
            == .unspecified)
    }

    // MARK: A server is lost (DESIGN 7)

    @Test(arguments: [
        // Outside a transaction block, only the unit is lost.
        ([], false, .unit, .idle),
        ([], true, .unit, .idle),
        // Explicit transaction open on a lost primary: 40001, and it is aborted.
        (settled, false, .transaction, .failed),
        (failed, false, .transaction, .failed),
        ([.begin, .carried], false, .transaction, .failed),
        // COMMIT sent, and no reply: nobody knows, and the client is out of its transaction.
        (settled, true, .unit, .idle),
        (failed, true, .unit, .idle),
        ([.begin, .carried], true, .unit, .idle),
        // What was only prepared has committed nothing.
        ([.begin], false, .transaction, .failed),
        ([.begin], true, .transaction, .failed),
        // The BEGIN had failed before.
        ([.begin, .carried, .beginFailed], false, .transaction, .failed),
        ([.begin, .carried, .beginFailed], true, .unit, .failed),
        // Lost once more while it was taken to another server.
        (failed + [.left, .carried], false, .transaction, .failed),
        (failed + [.left, .carried], true, .unit, .idle),
    ] as [([TransactionEvent], Bool, SessionTransaction.Loss, TransactionStatus)])
    func `a server that is lost in a unit takes the transaction or the unit with it`(
        events: [TransactionEvent], mayHaveCommitted: Bool, loss: SessionTransaction.Loss,
        status: TransactionStatus
    ) {
        var transaction = transaction(after: events)
        #expect(transaction.serverLost(mayHaveCommitted: mayHaveCommitted) == loss)
        #expect(transaction.status == status)
        #expect(!transaction.isNews)
    }

    @Test(arguments: [
        ([], .idle, false), ([.begin], .inTransaction, false),
        (settled, .failed, true), (failed, .failed, true),
        ([.begin, .prepareFailed], .failed, false),
    ] as [([TransactionEvent], TransactionStatus, Bool)])
    func `between two units the client hears of it with the next one`(
        events: [TransactionEvent], status: TransactionStatus, isNews: Bool
    ) {
        let transaction = transaction(after: events + [.lost])
        #expect(transaction.status == status)
        #expect(transaction.isNews == isNews)
    }

    @Test(arguments: [
        ([], false), ([.begin], false), ([.begin, .carried], false), (settled, true),
        (failed, true), (settled + [.lost], false), ([.begin, .prepareFailed, .carried], false),
    ] as [([TransactionEvent], Bool)])
    func `before anything was sent only a transaction that a server has is lost`(
        events: [TransactionEvent], isOnServer: Bool
    ) {
        #expect(transaction(after: events).isOnServer == isOnServer)
    }

    // MARK: In a transaction that no server has

    @Test(arguments: [
        (.none, .transactionLost, .failed),
        (.begin(TransactionModes()), .transactionLost, .failed),
        (.setTransaction(TransactionModes()), .transactionLost, .failed),
        (.savepoint, .transactionLost, .failed),
        (.releaseSavepoint, .transactionLost, .failed),
        (.rollbackToSavepoint, .transactionLost, .failed),
        (.prepareTransaction, .transactionLost, .failed),
        // Who commits must hear that nothing was; the transaction is over all the same.
        (.commit, .transactionLost, .idle),
        (.commitAndChain, .transactionLost, .idle),
        (.rollback, .rolledBack, .idle),
        (.rollbackAndChain, .rolledBack, .inTransaction),
    ] as [(TransactionControl, SessionTransaction.Reply, TransactionStatus)])
    func `the first statement after the loss`(
        control: TransactionControl, reply: SessionTransaction.Reply, status: TransactionStatus
    ) {
        var transaction = transaction(after: Self.settled + [.lost])
        #expect(transaction.executedWithoutServer(control, at: Self.start).reply == reply)
        #expect(transaction.status == status)
        #expect(!transaction.isNews)
    }

    @Test(arguments: [
        (.none, .ignored, .failed),
        (.begin(TransactionModes()), .ignored, .failed),
        (.setTransaction(TransactionModes()), .ignored, .failed),
        (.savepoint, .ignored, .failed),
        (.releaseSavepoint, .ignored, .failed),
        (.rollbackToSavepoint, .noSavepoint, .failed),
        (.prepareTransaction, .ignored, .failed),
        (.commit, .rolledBack, .idle),
        (.rollback, .rolledBack, .idle),
        (.commitAndChain, .rolledBack, .inTransaction),
        (.rollbackAndChain, .rolledBack, .inTransaction),
    ] as [(TransactionControl, SessionTransaction.Reply, TransactionStatus)])
    func `any later statement, as in a transaction that has failed`(
        control: TransactionControl, reply: SessionTransaction.Reply, status: TransactionStatus
    ) {
        for events in [
            Self.settled + [.lost, .without(.none)], Self.failed + [.left],
            Self.settled + [.lostInUnit(mayHaveCommitted: false)],
            [.begin, .carried, .beginFailed], [.begin, .prepareFailed], [.begin, .unitFailed],
        ] {
            var transaction = transaction(after: events)
            #expect(transaction.executedWithoutServer(control, at: Self.start).reply == reply)
            #expect(transaction.status == status)
        }
    }

    @Test func `AND CHAIN begins another one with the same modes`() throws {
        let events: [TransactionEvent] = [
            .beginReadOnly, .setReadCommitted, .carried, .replied, .ready(.inTransaction), .sent,
            .lost, .without(.rollbackAndChain),
        ]
        let begin = try #require(transaction(after: events).deferredBegin)
        #expect(begin.access == .readOnly)
        #expect(begin.statements == [text("BEGIN READ ONLY"), text("SET ISOLATION")])
    }

    @Test(arguments: [
        [.begin, .carried, .sentControl, .unitFailed],
        settled + [.sentControl, .lost, .without(.none)],
        [.ready(.inTransaction), .lostInUnit(mayHaveCommitted: false)],
    ] as [[TransactionEvent]])
    func `AND CHAIN is refused where the modes are not known`(events: [TransactionEvent]) {
        var transaction = transaction(after: events)
        #expect(!transaction.isEnded(by: .rollbackAndChain))
        #expect(transaction.executedWithoutServer(.rollbackAndChain, at: Self.start).reply
            == .ignored)
        #expect(transaction.isEnded(by: .rollback))
        #expect(transaction.status == .failed)
    }

    @Test func `the control of an earlier transaction says nothing of the next one's modes`() {
        let events: [TransactionEvent] = [.sentControl, .begin, .carried, .unitFailed]
        #expect(transaction(after: events).isEnded(by: .rollbackAndChain))
    }

    @Test func `it is taken to a server as one that has failed`() {
        var transaction = transaction(after: Self.failed + [.left, .carried])
        guard case .failure(let begin) = transaction.opening else {
            Issue.record("nothing goes before the unit")
            return
        }
        #expect(begin?.statements == [text("BEGIN")])
        #expect(transaction.isRestoring && transaction.isLost)
        transaction.replied()
        #expect(!transaction.isLost && transaction.isOnServer)
        #expect(transaction.ready(.idle, at: Self.start) == nil)
        #expect(transaction.status == .idle)
    }

    @Test func `a unit that could not take it to a server leaves it as it was`() {
        let transaction = transaction(after: Self.failed + [.left, .carried, .unitFailed])
        #expect(transaction.opening == nil)
        #expect(transaction.isLost && !transaction.isRestoring)
    }

    // MARK: What it did so far

    @Test func `deeds add up until the server is at rest`() {
        var transaction = transaction(after: Self.settled)
        transaction.sent(deeds { $0.effects = .settings })
        transaction.sent(
            deeds {
                $0.effects = .temporary
                $0.resets = .one
                $0.changesSchema = true
            })
        transaction.sent(deeds { $0.touchesData = true })
        transaction.sentUnseen()
        #expect(transaction.effects == [.settings, .temporary, .opaque])
        // The client is told first; the server may still have to be asked what state it is in.
        _ = transaction.ready(.idle, at: Self.start)
        #expect(transaction.changesSchema && transaction.resets == .one)
        let done = transaction.cameToRest()
        #expect(done.effects == [.settings, .temporary, .opaque])
        #expect(done.touchesData && done.changesSchema && done.resets == .one)
        #expect(transaction.cameToRest() == SessionTransaction.Deeds())
    }

    @Test(arguments: [
        [.lost], [.lostInUnit(mayHaveCommitted: false)], [.lostInUnit(mayHaveCommitted: true)],
        [.ready(.failed), .left],
    ] as [[TransactionEvent]])
    func `a server that is lost takes along what was done to its session`(
        events: [TransactionEvent]
    ) {
        for before in [[], Self.settled] {
            var transaction = transaction(after: before)
            transaction.sent(
                deeds {
                    $0.effects = .settings
                    $0.resets = .all
                    $0.changesSchema = true
                })
            transaction.settingsMayChange(by: 5)
            for event in events { transaction.apply(event, at: Self.start) }
            #expect(transaction.effects.isEmpty && transaction.resets == .nothing)
            #expect(transaction.settingsHash == 0)
            // Whether the schema has changed, nobody knows: others are told.
            #expect(transaction.changesSchema)
        }
    }

    @Test func `who says the same after the same has the same settings`() {
        func hash(_ said: [UInt64]) -> UInt64 {
            var transaction = SessionTransaction()
            for hash in said {
                transaction.settingsMayChange(by: hash)
                transaction.sent(deeds { $0.effects = .settings })
            }
            return transaction.settingsHash
        }
        #expect(hash([]) == 0)
        #expect(hash([3]) == hash([3]))
        #expect(Set([hash([3]), hash([4]), hash([3, 4]), hash([4, 3]), hash([3, 3])]).count == 5)
    }

    @Test func `what was only announced has not changed settings`() {
        var transaction = SessionTransaction()
        transaction.settingsMayChange(by: 3)
        #expect(transaction.settingsHash == 0 && !transaction.mayHaveChangedMeaning)
    }

    // MARK: Settings of martlet's own

    @Test(arguments: [
        ([.begin], [.rollback]),
        (settled, [.lost, .without(.rollback)]),
        (settled, [.lost, .without(.commit)]),
        (settled, [.lost, .without(.rollbackAndChain)]),
        (settled, [.lostInUnit(mayHaveCommitted: false), .without(.commit)]),
    ] as [([TransactionEvent], [TransactionEvent])])
    func `what a transaction set is gone where martlet ends it as rolled back`(
        before: [TransactionEvent], end: [TransactionEvent]
    ) {
        var transaction = transaction(after: before)
        transaction.settingsWillChange(from: settings(.replica))
        transaction.settingsWillChange(from: settings(.primary))
        for event in end.dropLast() { transaction.apply(event, at: Self.start) }
        switch end.last {
        case .rollback: #expect(transaction.endedDeferred(isRollback: true) == settings(.replica))
        case .without(let control):
            let settings = transaction.executedWithoutServer(control, at: Self.start).settings
            #expect(settings == self.settings(.replica))
        default: Issue.record("not an end")
        }
        #expect(!transaction.remembersSettings)
    }

    @Test func `it stays where martlet commits, or the outcome is not known`() {
        var deferred = transaction(after: [.begin])
        deferred.settingsWillChange(from: settings(.replica))
        #expect(deferred.endedDeferred(isRollback: false) == nil)
        #expect(!deferred.remembersSettings)
        var unknown = transaction(after: Self.settled)
        unknown.settingsWillChange(from: settings(.replica))
        #expect(unknown.serverLost(mayHaveCommitted: true) == .unit)
        #expect(!unknown.remembersSettings)
    }

    @Test(arguments: [true, false])
    func `on a server the last tag says whether it was rolled back`(isRollback: Bool) {
        var transaction = transaction(after: Self.settled)
        transaction.settingsWillChange(from: settings(.replica))
        // ROLLBACK TO SAVEPOINT has the same tag and does not end the transaction.
        transaction.completed(isRollback: true)
        #expect(transaction.ready(.inTransaction, at: Self.start) == nil)
        if isRollback { transaction.completed(isRollback: true) }
        #expect(transaction.ready(.idle, at: Self.start) == (isRollback ? settings(.replica) : nil))
        #expect(!transaction.remembersSettings)
    }

    @Test func `outside a transaction nothing is remembered`() {
        var transaction = SessionTransaction()
        transaction.settingsWillChange(from: settings(.replica))
        #expect(!transaction.remembersSettings)
    }

    @Test func `a session without a transaction is small`() {
        #expect(MemoryLayout<SessionTransaction>.size <= 48)
    }
}
