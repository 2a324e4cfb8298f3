// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What martlet does for a statement that it answers itself.
enum LocalAnswer: Equatable {
    /// The transaction begins; no server knows of it until its first unit is sent.
    case begin(TransactionModes)
    /// The transaction that no server knows of gets other characteristics.
    case setTransaction(TransactionModes)
    /// The transaction that no server knows of ends.
    case end(isRollback: Bool)
    /// A `martlet.*` setting gets a value; nil is DEFAULT.
    case set(String, to: String?)
    case reset(String)
    case show(String)
    /// A statement that was prepared by the protocol is given up.
    case deallocate(name: [UInt8])
    /// The transaction has failed and no server has it: its state decides.
    case aborted
}

/// What the client gets for a statement that martlet has executed.
enum LocalOutcome: Equatable {
    case completed(tag: String)
    case row(column: String, value: String, tag: String)
    case failed(ErrorResponse)

    /// What a statement gets in a transaction that no server has; nil is a statement that is not
    /// understood.
    init(_ reply: SessionTransaction.Reply, to statement: LocalStatement?) {
        switch reply {
        case .rolledBack: self = .completed(tag: "ROLLBACK")
        case .transactionLost: self = .failed(.transactionLost)
        case .ignored: self = .failed(.abortedTransaction)
        case .noSavepoint:
            let text = statement?.text ?? []
            self = .failed(.noSavepoint(SettingText.lastIdentifier(text.span)))
        }
    }
}

/// A statement with what the classifier found in it, and whether martlet answers it itself: the
/// BEGIN that it defers, a transaction that ended before any server knew of it or with the server
/// that ran it, `martlet.*` settings, and the DEALLOCATE of a statement that was prepared by the
/// protocol.
///
/// These are questions only. `Pooler+LocalAnswers` does what they say.
struct LocalStatement {
    let text: [UInt8]
    let control: TransactionControl
    let command: Command

    init(_ text: [UInt8], _ classification: Classification) {
        self.text = text
        control = classification.control
        command = classification.command
    }

    init(_ text: PreparedText) {
        self.init(Array(text.definition[..<text.textCount]), text.classification)
    }

    /// The answer to it, if martlet gives one; nil where a server has to.
    ///
    /// - Parameters:
    ///   - hasServer: the client holds a server connection, and its transaction is there.
    ///   - isComplete: all messages of the unit are there.
    ///   - isPrepared: whether the session has prepared a statement of this name by the protocol.
    func answer(
        in transaction: borrowing SessionTransaction, hasServer: Bool, isComplete: Bool,
        isPrepared: ([UInt8]) -> Bool
    ) -> LocalAnswer? {
        if transaction.isLost { return .aborted }
        let hasFailed = transaction.status == .failed
        switch meaning {
        case .set, .reset, .show:
            // The server of a transaction must hear of an error, so all of the unit must be here.
            return !hasServer || !hasFailed && isComplete ? meaning : nil
        case .deallocate(let name): return !hasFailed && isPrepared(name) ? meaning : nil
        case .begin(let modes):
            return !hasServer && transaction.deferredBegin == nil && !modes.snapshot ? meaning : nil
        case .setTransaction(let modes):
            return !hasServer && transaction.deferredBegin != nil && !modes.snapshot ? meaning : nil
        case .end: return !hasServer && transaction.deferredBegin != nil ? meaning : nil
        case .aborted, nil: return nil
        }
    }

    /// What it says, whatever the session's state; nil for a statement that only servers execute.
    var meaning: LocalAnswer? {
        switch control {
        case .begin(let modes): .begin(modes)
        case .setTransaction(let modes): .setTransaction(modes)
        case .commit: .end(isRollback: false)
        case .rollback: .end(isRollback: true)
        default: commandMeaning
        }
    }

    private var commandMeaning: LocalAnswer? {
        switch command {
        case .set(let name, let value, let isLocal):
            // SET LOCAL ends with its transaction, as the server knows best.
            guard !isLocal, let name = martletSetting(name) else { return nil }
            guard let value else { return .set(name, to: nil) }
            let decoded = SettingText.value(text.span, value, name: Array(name.utf8))
            return decoded.map { .set(name, to: String(decoding: $0, as: UTF8.self)) }
        case .setDefault(let name): return martletSetting(name).map { .set($0, to: nil) }
        case .reset(let name): return martletSetting(name).map { .reset($0) }
        case .show(let name): return martletSetting(name).map { .show($0) }
        case .deallocate(let name):
            return .deallocate(name: SettingText.identifier(text.span, name))
        default: return nil
        }
    }

    private func martletSetting(_ range: Range<Int>) -> String? {
        let name = String(decoding: SettingText.name(text.span, range), as: UTF8.self)
        return MartletSettings.names.contains(name) ? name : nil
    }
}

// MARK: In a transaction that no server has

extension SessionTransaction {
    /// What a Parse, Bind, Describe or Execute meets before it does anything.
    enum Admission { case goesOn, missing, executed }

    /// Whether a message goes on that names this statement; nil where its name stands for none.
    func admits(_ statement: LocalStatement?) -> Admission {
        guard isLost else { return .goesOn }
        // PostgreSQL looks for it before it looks at the transaction.
        guard let statement else { return isNews ? .executed : .missing }
        if isEnded(by: statement.control) { return .goesOn }
        // It fails when it is executed.
        return statement.control == .rollbackToSavepoint && !isNews ? .goesOn : .executed
    }
}

extension UnitNeeds {
    /// Whether only a server can tell what becomes of it in an aborted transaction, and for that it
    /// is given one that has failed: several statements in one query of which one may end it, and a
    /// text that is not understood, as an error in its syntax comes before all else.
    func mustSeeFailure(isQuery: @autoclosure () -> Bool) -> Bool {
        reason == .unknownStatement || reason == .unparsable
            || mayOutliveEnd(isQuery: isQuery())
    }

    /// Several statements in one query, of which one may end the transaction.
    func mayOutliveEnd(isQuery: @autoclosure () -> Bool) -> Bool {
        hasSeveral && containsTransactionControl && isQuery()
    }

    /// It uses no statement and executes nothing.
    var isBare: Bool { !executes && !usesStatement }
}

// MARK: The statement that messages are about

extension UnitMessages {
    /// The one statement that extended messages define, bind, describe and execute, by the unnamed
    /// portal only and once: a second BEGIN differs from the first.
    ///
    /// - Parameters:
    ///   - portal: what the unnamed portal runs before the first message.
    ///   - session: what a name, at this place in the inbound bytes, stands for in the session.
    func loneText(
        portal: PreparedText?, session: (Range<Int>, UInt64) -> PreparedText?
    ) -> PreparedText? {
        var found: PreparedText?
        var offset = 0
        var isExecuted = false
        var isClosed = false
        for (index, message) in list.enumerated() {
            let start = offset
            offset += message.byteCount
            var text = found ?? portal
            switch message.content {
            case .bind where isClosed, .describePortal where isClosed,
                .describeStatement where isClosed:
                return nil
            case .parse(_, _, let place): text = self.text(place)
            case .bind(let portal, _, _) where !portal.isEmpty: return nil
            case .bind(_, let name, let hash), .describeStatement(let name, let hash):
                text = definition(named: hash, before: index)
                    ?? session(name.shifted(by: start), hash)
            case .describePortal(let name):
                guard name.isEmpty else { return nil }
            case .execute(let portal):
                guard portal.isEmpty, !isExecuted else { return nil }
                isExecuted = true
            case .closeStatement, .closePortal:
                // A name that is used after it may not be there any more.
                isClosed = isClosed || found != nil
                continue
            case .sync, .flush: continue
            case .query, .functionCall: return nil
            }
            guard let text, found == nil || found === text else { return nil }
            found = text
        }
        return found
    }

    /// Nothing but Close, Sync and Flush.
    var onlyCloses: Bool {
        list.allSatisfy { message in
            switch message.content {
            case .sync, .flush, .closeStatement, .closePortal: true
            case .query, .parse, .bind, .describeStatement, .describePortal, .execute,
                .functionCall:
                false
            }
        }
    }
}
