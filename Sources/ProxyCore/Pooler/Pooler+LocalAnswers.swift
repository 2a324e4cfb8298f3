// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Statements that martlet executes itself, in either protocol: the BEGIN that it defers, a
/// transaction that ended before any server knew of it, or with the server that ran it, `martlet.*`
/// settings (`Pooler+MartletSettings`), and the DEALLOCATE of a statement that was prepared
/// by the protocol.
extension Pooler {
    /// A statement with what the classifier found in it.
    struct LocalStatement {
        let text: [UInt8]
        let control: TransactionControl
        let command: Command

        init(_ text: PreparedText) {
            self.text = Array(text.definition[..<text.textCount])
            control = text.classification.control
            command = text.classification.command
        }

        init(_ single: UnitMessages.SingleStatement, of client: ClientSession) {
            text = client.unread.copy(single.text)
            control = single.control
            command = single.command
        }

    }

    enum LocalOutcome {
        case completed(tag: String)
        case row(column: String, value: String, tag: String)
        case failed(ErrorResponse)
    }

    /// Answers the unit, or its part up to a Flush, where no server is needed; nil when one is.
    func answerLocally(_ client: ClientSession, now: Instant) -> Step? {
        if mustRestoreFailure(client) {
            client.transaction.carried()
            return nil
        }
        if !client.transaction.isLost {
            guard let statement = localStatement(of: client) else {
                return isBare(client) ? answerExtended(client, now: now) : nil
            }
            if mustAwaitPosition(statement, client) {
                hold(client, .position, now: now)
                return .wait
            }
        }
        if !client.unit.messages.definesStatements, client.unit.messages.byteCount > 0,
            client.unread.byte(at: 0) == FrontendKind.query {
            return answerSimple(client, now: now)
        }
        return answerExtended(client, now: now)
    }

    /// What only a server can tell of an aborted transaction, and for that it is given one that has
    /// failed: what becomes of several statements in one query of which one may end it, and whether a
    /// text that is not understood has an error in its syntax, which comes before all else.
    private func mustRestoreFailure(_ client: ClientSession) -> Bool {
        guard client.transaction.isLost, !client.transaction.isNews, client.server == nil,
            client.unit.messages.isComplete
        else {
            return false
        }
        if client.unit.needs.reason == .unknownStatement || client.unit.needs.reason == .unparsable { return true }
        return mayGoOnBehindEnd(client)
    }

    /// Several statements in one query, of which one may end the transaction.
    private func mayGoOnBehindEnd(_ client: ClientSession) -> Bool {
        client.unit.needs.hasSeveral && client.unit.needs.containsTransactionControl
            && client.unread.byte(at: 0) == FrontendKind.query
    }

    /// A transaction that has failed on a replica, and may end among statements that need the primary:
    /// it goes on as one that no server has.
    func leaveFailedReplica(_ client: ClientSession, now: Instant) {
        guard let server = client.server, server.isInRecovery == true, server.status == .failed,
            server.requests.replies.isEmpty, !client.keepsServer, mayGoOnBehindEnd(client)
        else { return }
        client.transaction.serverLeft()
        detach(client, server)
        cleanUp(server, now: now)
    }

    // MARK: Which ones

    /// The one statement that the gathered messages are about, if martlet can execute it.
    private func localStatement(of client: ClientSession) -> LocalStatement? {
        var statement: LocalStatement?
        if let single = client.unit.messages.single {
            statement = LocalStatement(single, of: client)
        } else if client.unit.needs.hasCommand || client.localPortal != nil {
            statement = loneText(of: client).map(LocalStatement.init)
        }
        guard let statement, canExecute(statement, for: client) else { return nil }
        return statement
    }

    private func canExecute(_ statement: LocalStatement, for client: ClientSession) -> Bool {
        if martletSetting(statement) != nil {
            // The server of a transaction must hear of an error, so all of the unit must be here.
            return client.server == nil || client.status != .failed && client.unit.messages.isComplete
        }
        if deallocated(by: statement, client) != nil { return client.status != .failed }
        guard client.server == nil else { return false }
        switch statement.control {
        case .begin(let modes): return client.transaction.deferredBegin == nil && !modes.snapshot
        case .setTransaction(let modes):
            return client.transaction.deferredBegin != nil && !modes.snapshot
        case .commit, .rollback: return client.transaction.deferredBegin != nil
        default: return false
        }
    }

    /// The one statement that extended messages define, bind, describe and execute, by the unnamed
    /// portal only and once: a second BEGIN is not what the first was.
    private func loneText(of client: ClientSession) -> PreparedText? {
        var found: PreparedText?
        var offset = 0
        var isExecuted = false
        var isClosed = false
        for (index, message) in client.unit.messages.list.enumerated() {
            let start = offset
            offset += message.byteCount
            var text = found ?? client.localPortal
            switch message.content {
            case .bind where isClosed, .describePortal where isClosed, .describeStatement where isClosed:
                return nil
            case .parse(_, _, let definition): text = definition
            case .bind(let portal, let name, let hash):
                guard portal.isEmpty else { return nil }
                text = statement(
                    named: name.shifted(by: start), hash: hash, of: client, before: index)
            case .describeStatement(let name, let hash):
                text = statement(
                    named: name.shifted(by: start), hash: hash, of: client, before: index)
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

    /// What a name stands for after the first messages of the unit.
    private func statement(
        named name: Range<Int>, hash: UInt64, of client: ClientSession, before count: Int
    ) -> PreparedText? {
        client.unit.messages.definition(named: hash, before: count)
            ?? client.statements.find(client.unread.extracting(name), hash: hash)?.text
    }

    /// Nothing but Close of statements, Sync and Flush, from a client that holds no server.
    private func isBare(_ client: ClientSession) -> Bool {
        guard client.server == nil, !client.unit.needs.executes, !client.unit.needs.usesStatement
        else { return false }
        return client.unit.messages.list.allSatisfy { message in
            switch message.content {
            case .sync, .flush, .closeStatement, .closePortal: true
            case .query, .parse, .bind, .describeStatement, .describePortal, .execute, .functionCall:
                false
            }
        }
    }

    // MARK: Executing

    private func execute(
        _ statement: LocalStatement, for client: ClientSession, now: Instant
    ) -> LocalOutcome {
        if client.transaction.isLost { return executeInAborted(statement, client) }
        if let setting = martletSetting(statement) {
            return execute(setting, statement, for: client, now: now)
        }
        if let name = deallocated(by: statement, client) {
            client.statements.remove(hash: name)
            return .completed(tag: "DEALLOCATE")
        }
        switch statement.control {
        case .begin(let modes):
            client.transaction.began(by: statement.text, modes, at: client.lastActivity)
            return .completed(tag: modes.isStartTransaction ? "START TRANSACTION" : "BEGIN")
        case .setTransaction(let modes):
            client.transaction.modesSet(by: statement.text, modes)
            return .completed(tag: "SET")
        default:
            let isRollback = statement.control == .rollback
            restoreMartletSettings(client.transaction.endedDeferred(isRollback: isRollback), client)
            return .completed(tag: isRollback ? "ROLLBACK" : "COMMIT")
        }
    }

    /// The hash of the name of a protocol-level statement that is given up by `DEALLOCATE`, which has
    /// one name space for these and for those of PREPARE. Servers know it by another name.
    private func deallocated(
        by statement: LocalStatement, _ client: ClientSession
    ) -> UInt64? {
        guard case .deallocate(let range) = statement.command else { return nil }
        let name = SettingText.identifier(statement.text.span, range)
        let hash = hashing(name)
        return client.statements.find(name.rawSpan, hash: hash) == nil ? nil : hash
    }

    /// The client believes to be in a transaction that no server has: it hears so once, and then,
    /// as from a server, that everything is ignored until it ends the transaction.
    private func executeInAborted(
        _ statement: LocalStatement?, _ client: ClientSession
    ) -> LocalOutcome {
        let (reply, settings) = client.transaction.executedWithoutServer(
            statement?.control ?? .none, at: client.lastActivity)
        restoreMartletSettings(settings, client)
        switch reply {
        case .rolledBack: return .completed(tag: "ROLLBACK")
        case .transactionLost: return .failed(.transactionLost)
        case .ignored: return .failed(.abortedTransaction)
        case .noSavepoint:
            let text = statement?.text ?? []
            return .failed(.noSavepoint(SettingText.lastIdentifier(text.span)))
        }
    }

    // MARK: The simple protocol

    private func answerSimple(_ client: ClientSession, now: Instant) -> Step {
        let statement = client.unit.messages.single.map { LocalStatement($0, of: client) }
        forgetUnnamed(client)
        let outcome = statement.map { execute($0, for: client, now: now) }
            ?? executeInAborted(nil, client)
        switch outcome {
        case .completed(let tag): CommandComplete.write(tag, to: &client.output)
        case .row(let column, let value, let tag):
            RowDescription.writeText(column: column, to: &client.output)
            DataRow.write(value, to: &client.output)
            CommandComplete.write(tag, to: &client.output)
        case .failed(let error): return failLocally(client, error, now: now)
        }
        sendReady(client, client.status)
        finishUnit(client, now: now)
        return .gather
    }

    /// An error in a transaction ends it on its server too.
    private func failLocally(
        _ client: ClientSession, _ error: ErrorResponse, now: Instant
    ) -> Step {
        guard let server = client.server, client.status == .inTransaction else {
            return .fail(error)
        }
        client.unit.started(on: place(of: server), now: now)
        provoke(error, client, server)
        sync(server, .forward)
        dropGathered(client)
        return .gather
    }

    // MARK: The extended protocol

    private func answerExtended(_ client: ClientSession, now: Instant) -> Step {
        var offset = 0
        let wasAborted = client.transaction.isLost
        for message in client.unit.messages.list {
            let start = offset
            offset += message.byteCount
            if let error = answer(message, at: start, client, now: now) {
                return failLocally(client, error, now: now)
            }
            if wasAborted && !client.transaction.isLost {
                // The transaction is over. What comes behind its end is a unit of its own.
                client.boundLocally(nil)
                client.inbound.consume(offset)
                client.unit.messages.forget()
                break
            }
        }
        markDirty(client)
        finishUnit(client, now: now)
        return .gather
    }

    /// Answers one message; the error that it ends in, if it does.
    private func answer(
        _ message: UnitMessage, at start: Int, _ client: ClientSession, now: Instant
    ) -> ErrorResponse? {
        switch message.content {
        case .parse(let name, let hash, let text):
            let name = client.unread.copy(name.shifted(by: start))
            if let error = refusalInAborted(text, or: .abortedTransaction, client)
                ?? definitionError(name, hash: hash, client) {
                return error
            }
            client.statements.define(name, hash: hash, text)
            client.output.message(BackendKind.parseComplete)
        case .bind(_, let name, let hash):
            let name = client.unread.extracting(name.shifted(by: start))
            let text = client.statements.find(name, hash: hash)?.text
            if let error = refusalInAborted(text, or: .noStatement(name), client) { return error }
            client.boundLocally(text)
            client.output.message(BackendKind.bindComplete)
        case .describeStatement(let name, let hash):
            let name = client.unread.extracting(name.shifted(by: start))
            let text = client.statements.find(name, hash: hash)?.text
            if let error = refusalInAborted(text, or: .noStatement(name), client) { return error }
            describe(text, isStatement: true, client)
        case .describePortal(let name):
            let text = name.isEmpty ? client.localPortal : nil
            let name = client.unread.extracting(name.shifted(by: start))
            if let error = refusalInAborted(text, or: .noPortal(name), client) { return error }
            describe(text, isStatement: false, client)
        case .execute(let name):
            let name = client.unread.extracting(name.shifted(by: start))
            if name.byteCount > 0 || client.localPortal == nil,
                let error = refusalInAborted(nil, or: .noPortal(name), client) {
                return error
            }
            return executeBound(client, now: now)
        case .query, .functionCall:
            // After other messages, in a transaction that is lost.
            if case .failed(let error) = executeInAborted(nil, client) { return error }
        case .closeStatement(_, let hash):
            client.statements.remove(hash: hash)
            client.output.message(BackendKind.closeComplete)
        case .closePortal: client.output.message(BackendKind.closeComplete)
        case .sync:
            client.boundLocally(nil)
            sendReady(client, client.status)
        case .flush: break  // Everything leaves at the end of the wake-up anyway.
        }
        return nil
    }

    /// What a message that names this text, or nothing that there is, meets in an aborted
    /// transaction; nil where it may go on.
    private func refusalInAborted(
        _ text: PreparedText?, or missing: ErrorResponse, _ client: ClientSession
    ) -> ErrorResponse? {
        guard client.transaction.isLost else { return nil }
        let isNews = client.transaction.isNews
        // PostgreSQL looks for it before it looks at the transaction.
        if text == nil && !isNews { return missing }
        let statement = text.map(LocalStatement.init)
        if let statement, client.transaction.isEnded(by: statement.control) { return nil }
        // It fails when it is executed.
        if statement?.control == .rollbackToSavepoint, !isNews { return nil }
        if case .failed(let error) = executeInAborted(statement, client) { return error }
        return nil
    }

    private func describe(_ text: PreparedText?, isStatement: Bool, _ client: ClientSession) {
        if isStatement {
            client.output.message(BackendKind.parameterDescription) { $0.append(int16: 0) }
        }
        if let setting = text.flatMap({ martletSetting(LocalStatement($0)) }),
            case .show = setting.action {
            RowDescription.writeText(column: setting.name, to: &client.output)
        } else {
            client.output.message(BackendKind.noData)
        }
    }

    private func executeBound(_ client: ClientSession, now: Instant) -> ErrorResponse? {
        let outcome = client.localPortal.map {
            execute(LocalStatement($0), for: client, now: now)
        } ?? executeInAborted(nil, client)
        switch outcome {
        case .completed(let tag): CommandComplete.write(tag, to: &client.output)
        case .row(_, let value, let tag):
            DataRow.write(value, to: &client.output)
            CommandComplete.write(tag, to: &client.output)
        case .failed(let error): return error
        }
        return nil
    }
}
