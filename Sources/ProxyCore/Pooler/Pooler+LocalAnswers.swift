// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Statements that martlet executes itself, in either protocol: the BEGIN that it defers, a
/// transaction that ended before any server knew of it, or with the server that ran it, `martlet.*`
/// settings (`Pooler+OwnSettings`), and the DEALLOCATE of a statement that was prepared
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

        init(_ single: UnitOfWork.SingleStatement, of client: ClientSession) {
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

    /// Answers the unit, or its part up to a Flush, where no server is needed; false when one is.
    func answerLocally(_ client: ClientSession, now: Instant) -> Bool {
        if mustRestoreFailure(client) {
            client.transaction.carried()
            return false
        }
        if !client.transaction.isLost {
            guard let statement = localStatement(of: client) else {
                guard isBare(client) else { return false }
                answerExtended(client, now: now)
                return true
            }
            if mustAwaitPosition(statement, client) {
                hold(client, .position, now: now)
                return true
            }
        }
        if client.unit.parses.isEmpty, client.unit.gathered > 0,
            client.unread.byte(at: 0) == FrontendKind.query {
            answerSimple(client, now: now)
        } else {
            answerExtended(client, now: now)
        }
        return true
    }

    /// What only a server can tell of an aborted transaction, and for that it is given one that has
    /// failed: what becomes of several statements in one query of which one may end it, and whether a
    /// text that is not understood has an error in its syntax, which comes before all else.
    private func mustRestoreFailure(_ client: ClientSession) -> Bool {
        guard client.transaction.isLost, !client.transaction.isNews, client.server == nil, client.unit.isComplete else {
            return false
        }
        if client.unit.reason == .unknownStatement || client.unit.reason == .unparsable { return true }
        return mayGoOnBehindEnd(client)
    }

    /// Several statements in one query, of which one may end the transaction.
    private func mayGoOnBehindEnd(_ client: ClientSession) -> Bool {
        client.unit.hasSeveral && client.unit.containsTransactionControl
            && client.unread.byte(at: 0) == FrontendKind.query
    }

    /// A transaction that has failed on a replica, and may end among statements that need the primary:
    /// it goes on as one that no server has.
    func leaveFailedReplica(_ client: ClientSession, now: Instant) {
        guard let server = client.server, server.isInRecovery == true, server.status == .failed,
            server.replies.isEmpty, !client.keepsServer, mayGoOnBehindEnd(client)
        else { return }
        client.transaction.serverLeft()
        detach(client, server)
        cleanUp(server, now: now)
    }

    // MARK: Which ones

    /// The one statement that the gathered messages are about, if martlet can execute it.
    private func localStatement(of client: ClientSession) -> LocalStatement? {
        var statement: LocalStatement?
        if let single = client.unit.single {
            statement = LocalStatement(single, of: client)
        } else if client.unit.hasCommand || client.localPortal != nil {
            statement = loneText(of: client).map(LocalStatement.init)
        }
        guard let statement, canExecute(statement, for: client) else { return nil }
        return statement
    }

    private func canExecute(_ statement: LocalStatement, for client: ClientSession) -> Bool {
        if ownSetting(statement) != nil {
            // The server of a transaction must hear of an error, so all of the unit must be here.
            return client.server == nil || client.status != .failed && client.unit.isComplete
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
        var parse = 0
        var isExecuted = false
        var isClosed = false
        while let message = client.nextGathered(&offset) {
            let body = client.unread.extracting(message.body)
            var text = found ?? client.localPortal
            switch message.kind {
            case FrontendKind.bind where isClosed, FrontendKind.describe where isClosed: return nil
            case FrontendKind.parse:
                text = client.unit.parses[parse]
                parse += 1
            case FrontendKind.bind:
                guard let bind = try? Bind(bodyPrefix: body), bind.portal.isEmpty else { return nil }
                text = statement(named: body.extracting(bind.statement), of: client, parsed: parse)
            case FrontendKind.describe:
                guard let target = try? Target(body: body) else { return nil }
                if target.isStatement {
                    text = statement(
                        named: body.extracting(target.name), of: client, parsed: parse)
                } else if !target.name.isEmpty {
                    return nil
                }
            case FrontendKind.execute:
                guard body.byteCount > 0, body.byte(at: 0) == 0, !isExecuted else { return nil }
                isExecuted = true
            case FrontendKind.close:
                // A name that is used behind it may not be there any more.
                isClosed = isClosed || found != nil
                continue
            case FrontendKind.sync, FrontendKind.flush: continue
            default: return nil
            }
            guard let text, found == nil || found === text else { return nil }
            found = text
        }
        return found
    }

    /// What a name stands for behind the first `parsed` Parse messages of the unit.
    private func statement(
        named name: RawSpan, of client: ClientSession, parsed: Int
    ) -> PreparedText? {
        let hash = hashing(name)
        if let index = client.unit.parsedNames[..<parsed].lastIndex(of: hash) {
            return client.unit.parses[index]
        }
        return client.statements.find(name, hash: hash)?.text
    }

    /// Nothing but Close of statements, Sync and Flush, from a client that holds no server.
    private func isBare(_ client: ClientSession) -> Bool {
        guard client.server == nil, !client.unit.executes, !client.unit.usesStatement else {
            return false
        }
        var offset = 0
        while let message = client.nextGathered(&offset) {
            switch message.kind {
            case FrontendKind.sync, FrontendKind.flush, FrontendKind.close: continue
            default: return false
            }
        }
        return true
    }

    // MARK: Executing

    private func execute(
        _ statement: LocalStatement, for client: ClientSession, now: Instant
    ) -> LocalOutcome {
        if client.transaction.isLost { return executeInAborted(statement, client) }
        if let setting = ownSetting(statement) {
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
            restoreOwn(client.transaction.endedDeferred(isRollback: isRollback), client)
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
        restoreOwn(settings, client)
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

    private func answerSimple(_ client: ClientSession, now: Instant) {
        let statement = client.unit.single.map { LocalStatement($0, of: client) }
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
    }

    /// An error in a transaction ends it on its server too.
    private func failLocally(_ client: ClientSession, _ error: ErrorResponse, now: Instant) {
        if let server = client.server, client.status == .inTransaction {
            client.unit.phase = .running
            provoke(error, client, server)
            sync(server, for: .client)
            dropGathered(client)
        } else {
            fail(client, error, now: now)
        }
    }

    // MARK: The extended protocol

    private func answerExtended(_ client: ClientSession, now: Instant) {
        var offset = 0
        var parse = 0
        let wasAborted = client.transaction.isLost
        while let message = client.nextGathered(&offset) {
            if let error = answer(message, &parse, client, now: now) {
                return failLocally(client, error, now: now)
            }
            if wasAborted && !client.transaction.isLost {
                // The transaction is over. What comes behind its end is a unit of its own.
                client.localPortal = nil
                client.inbound.consume(offset)
                client.unit.gathered = 0
                break
            }
        }
        markDirty(client)
        finishUnit(client, now: now)
    }

    /// Answers one message; the error that it ends in, if it does.
    private func answer(
        _ message: ClientSession.GatheredMessage, _ parse: inout Int, _ client: ClientSession,
        now: Instant
    ) -> ErrorResponse? {
        let body = client.unread.extracting(message.body)
        switch message.kind {
        case FrontendKind.parse:
            guard let message = try? Parse(body: body) else { return nil }
            let text = client.unit.parses[parse]
            parse += 1
            let name = body.copy(message.name)
            let hash = hashing(name)
            if let error = refusalInAborted(text, or: .abortedTransaction, client)
                ?? definitionError(name, hash: hash, client) {
                return error
            }
            client.statements.define(name, hash: hash, text)
            client.output.message(BackendKind.parseComplete)
        case FrontendKind.bind:
            guard let message = try? Bind(bodyPrefix: body) else { return nil }
            let name = body.extracting(message.statement)
            let text = client.statements.find(name, hash: hashing(name))?.text
            if let error = refusalInAborted(text, or: .noStatement(name), client) { return error }
            client.localPortal = text
            client.output.message(BackendKind.bindComplete)
        case FrontendKind.describe:
            guard let target = try? Target(body: body) else { return nil }
            let name = body.extracting(target.name)
            let text =
                target.isStatement
                ? client.statements.find(name, hash: hashing(name))?.text
                : name.byteCount == 0 ? client.localPortal : nil
            let missing = target.isStatement ? ErrorResponse.noStatement(name) : .noPortal(name)
            if let error = refusalInAborted(text, or: missing, client) { return error }
            describe(text, isStatement: target.isStatement, client)
        case FrontendKind.execute:
            let name = body.extracting(0..<max(body.byteCount - 5, 0))
            if name.byteCount > 0 || client.localPortal == nil,
                let error = refusalInAborted(nil, or: .noPortal(name), client) {
                return error
            }
            return executeBound(client, now: now)
        case FrontendKind.query, FrontendKind.functionCall:
            // Behind other messages, in a transaction that is lost.
            if case .failed(let error) = executeInAborted(nil, client) { return error }
        case FrontendKind.close:
            guard let target = try? Target(body: body) else { return nil }
            if target.isStatement {
                client.statements.remove(hash: hashing(body.extracting(target.name)))
            }
            client.output.message(BackendKind.closeComplete)
        case FrontendKind.sync:
            client.localPortal = nil
            sendReady(client, client.status)
        default: break  // Flush: everything leaves at the end of the wake-up anyway.
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
        if let setting = text.flatMap({ ownSetting(LocalStatement($0)) }),
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
