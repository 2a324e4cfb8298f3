// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Performs what `LocalStatement` says that martlet answers itself, in either protocol.
extension Pooler {
    /// Answers the unit, or its part up to a Flush, where no server is needed; nil when one is.
    func answerLocally(_ client: ClientSession, now: Instant) -> Step? {
        if client.transaction.isLost {
            if mustRestoreFailure(client) {
                client.transaction.carried()
                return nil
            }
        } else {
            guard let answer = localStatement(of: client).flatMap({ answer(to: $0, of: client) })
            else { return isBare(client) ? answerExtended(client, now: now) : nil }
            if mustAwaitPosition(answer, client) {
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

    private func mustRestoreFailure(_ client: ClientSession) -> Bool {
        !client.transaction.isNews && client.server == nil && client.unit.messages.isComplete
            && client.unit.needs.mustSeeFailure(
                isQuery: client.unread.byte(at: 0) == FrontendKind.query)
    }

    /// Gives up the server of a transaction that has failed on a replica, where it may end among
    /// statements that need the primary: it goes on as one that no server has.
    func leaveFailedReplica(_ client: ClientSession, now: Instant) {
        guard let server = client.server, server.isInRecovery == true, server.status == .failed,
            server.requests.replies.isEmpty, !client.keepsServer,
            client.unit.needs.mayOutliveEnd(
                isQuery: client.unread.byte(at: 0) == FrontendKind.query)
        else { return }
        client.transaction.serverLeft()
        detach(client, server)
        cleanUp(server, now: now)
    }

    /// The one statement that the gathered messages are about, if it may be one of martlet's.
    private func localStatement(of client: ClientSession) -> LocalStatement? {
        if client.unit.messages.single != nil { return singleStatement(of: client) }
        guard client.unit.needs.hasCommand || client.localPortal != nil else { return nil }
        let text = client.unit.messages.loneText(portal: client.localPortal) { name, hash in
            client.statements.find(client.unread.extracting(name), hash: hash)?.text
        }
        return text.map { LocalStatement($0) }
    }

    private func singleStatement(of client: ClientSession) -> LocalStatement? {
        client.unit.messages.single.map {
            LocalStatement(client.unread.copy($0.text), $0.classification)
        }
    }

    private func answer(to statement: LocalStatement, of client: ClientSession) -> LocalAnswer? {
        statement.answer(
            in: client.transaction, hasServer: client.server != nil,
            isComplete: client.unit.messages.isComplete
        ) { client.statements.find($0.rawSpan, hash: hashing($0)) != nil }
    }

    /// Nothing but Close of statements, Sync and Flush, from a client that holds no server.
    private func isBare(_ client: ClientSession) -> Bool {
        client.server == nil && client.unit.needs.isBare && client.unit.messages.onlyCloses
    }

    // MARK: Settings

    /// Whether what a `SHOW martlet.position` would give is not yet all that the session did.
    private func mustAwaitPosition(_ answer: LocalAnswer, _ client: ClientSession) -> Bool {
        guard client.status == .idle, answer == .show(MartletSettings.position) else {
            return false
        }
        client.position.resolveFloor(with: topology)
        return !client.position.isSettled
    }

    // MARK: The simple protocol

    private func answerSimple(_ client: ClientSession, now: Instant) -> Step {
        let statement = singleStatement(of: client)
        forgetUnnamed(client)
        switch client.execute(statement, topology: topology, hashing: hashing, now: now) {
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
        injectError(error, client, server)
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
                // The transaction is over. What comes after its end is a unit of its own.
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
        case .parse(let name, let hash, let place):
            let text = client.unit.messages.text(place)
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
            if case .failed(let error) = client.executedWithoutServer(nil) { return error }
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
        let statement = text.map { LocalStatement($0) }
        switch client.transaction.admits(statement) {
        case .goesOn: return nil
        case .missing: return missing
        case .executed:
            if case .failed(let error) = client.executedWithoutServer(statement) { return error }
            return nil
        }
    }

    private func describe(_ text: PreparedText?, isStatement: Bool, _ client: ClientSession) {
        if isStatement {
            client.output.message(BackendKind.parameterDescription) { $0.append(int16: 0) }
        }
        if case .show(let name) = text.flatMap({ LocalStatement($0).meaning }) {
            RowDescription.writeText(column: name, to: &client.output)
        } else {
            client.output.message(BackendKind.noData)
        }
    }

    private func executeBound(_ client: ClientSession, now: Instant) -> ErrorResponse? {
        let statement = client.localPortal.map { LocalStatement($0) }
        switch client.execute(statement, topology: topology, hashing: hashing, now: now) {
        case .completed(let tag): CommandComplete.write(tag, to: &client.output)
        case .row(_, let value, let tag):
            DataRow.write(value, to: &client.output)
            CommandComplete.write(tag, to: &client.output)
        case .failed(let error): return error
        }
        return nil
    }
}
