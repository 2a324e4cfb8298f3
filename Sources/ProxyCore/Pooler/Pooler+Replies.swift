// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What a server's messages mean for what it owes, and for the client that waits.
extension Pooler {
    /// Accounts for a message that is only passed on; false when it was not owed and the server
    /// connection is closed.
    func take(
        _ kind: UInt8, _ body: RawSpan, _ server: ServerConnection, now: Instant
    ) -> Bool {
        let verdict = server.requests.received(kind)
        guard let reply = verdict.reply else {
            violation(server, "an answer that nobody asked for (type \(kind))", now: now)
            return false
        }
        if BackendShape.isDecisive(kind), let client = server.client, reply.disposition == .forward {
            commitToAttempt(client)
        }
        switch kind {
        case BackendKind.noData: learn(.none, from: reply, server)
        case BackendKind.rowDescription where reply.reportsColumns:
            guard let columns = ResultColumns(rowDescription: body, hashing: hashing) else {
                violation(server, "a malformed row description", now: now)
                return false
            }
            learn(columns, from: reply, server)
        case BackendKind.commandComplete, BackendKind.emptyQueryResponse:
            completed(body, reply, server)
        case BackendKind.copyInResponse: copyInStarted(server)
        case BackendKind.dataRow where server.internalQuery != nil:
            server.internalQueryReceived(row: body)
        case BackendKind.dataRow where reply.reportsLiteralSettings:
            literalSettingsArrived(body, from: reply, server)
        default: break
        }
        return true
    }

    /// A statement is done.
    private func completed(_ tag: RawSpan, _ reply: OwedReply, _ server: ServerConnection) {
        guard let client = server.client else { return }
        if client.transaction.remembersSettings {
            let rollback = Array("ROLLBACK".utf8)
            client.transaction.completed(
                isRollback: tag.byteCount > rollback.count
                    && tag.equals(rollback, in: 0..<rollback.count))
        }
        guard reply.disposition == .forward else { return }
        client.unit.replay.completed()
        if mayDeallocate(client) { deallocate(tag, client, server) }
    }

    /// Whether a command tag may say that protocol-level statements are gone.
    func mayDeallocate(_ client: ClientSession) -> Bool {
        !client.transaction.effects.isDisjoint(with: .mayDeallocate)
    }

    /// DEALLOCATE ALL and DISCARD ALL mean all statements that have a name, but those that come
    /// after them.
    private func deallocate(_ tag: RawSpan, _ client: ClientSession, _ server: ServerConnection) {
        let text = tag.text(0..<max(tag.byteCount - 1, 0))
        completed(text, of: client)
        if text == "DEALLOCATE", client.unit.sending.deallocates {
            client.statements.remove(hash: client.unit.sending.nextDeallocated())
        }
        guard text == "DEALLOCATE ALL" || text == "DISCARD ALL" else { return }
        let (names, statements) = server.requests.replies.definitions
        client.statements.removeAll(but: names.union([hashing.unnamed]))
        server.statements.keepOnly { statements.contains($0) }
    }

    private func copyInStarted(_ server: ServerConnection) {
        let isSyncIgnored = server.requests.copyInStarted()
        if let client = server.client {
            // The Sync does not end the unit; the client sends another.
            if isSyncIgnored { client.unit.messages.syncIgnored() }
        } else {
            failCopy(server, needsSync: isSyncIgnored)
        }
    }

    // MARK: Messages that act

    /// A message that is read; it is whole, header included.
    func act(_ kind: UInt8, _ message: RawSpan, _ server: ServerConnection, now: Instant) {
        let body = message.extracting(MessageHeader.size..<message.byteCount)
        do {
            switch kind {
            case BackendKind.readyForQuery:
                ready(try ReadyForQuery.parse(body: body), server, now: now)
            case BackendKind.errorResponse:
                failed(try ErrorResponse(body: body), message, server, now: now)
            case BackendKind.parameterStatus:
                let (name, value) = try ParameterStatus.parse(body: body)
                reported(name, value, message, server)
            case BackendKind.noticeResponse, BackendKind.notificationResponse:
                passAside(kind, message, server)
            case BackendKind.authentication: try authenticate(server, body, now: now)
            case BackendKind.backendKeyData:
                guard server.isStarting else { throw WireError.invalid }
                server.report.told(try BackendKeyData(body: body))
            default:
                // NegotiateProtocolVersion cannot come: martlet asks for 3.0.
                throw WireError.invalid
            }
        } catch {
            violation(server, "a malformed message of type \(kind)", now: now)
        }
    }

    /// Passes on notices and notifications; they may come at any time and belong to the client attached.
    private func passAside(_ kind: UInt8, _ message: RawSpan, _ server: ServerConnection) {
        guard let client = server.client, client.phase == .ready, server.internalQuery == nil else {
            return
        }
        // Notices of martlet's own messages are dropped, except those of the deferred BEGIN.
        if client.unit.replay.withholds {
            client.withheld.append(message)
        } else {
            send(message, to: client)
        }
    }

    private func reported(
        _ name: String, _ value: String, _ message: RawSpan, _ server: ServerConnection
    ) {
        let key = name.lowercased()
        server.report.told(shared.parameters(server.reported.with(key, value)))
        if key == ReportedName.hotStandby {
            server.report.told(isInRecovery: value == "on")
            return
        }
        guard let client = server.client, client.phase == .ready, server.isLeased else {
            return
        }
        // While settings are replayed the client is told once, of the outcome (`start`).
        if server.internalQuery?.purpose.delaysReports == true { return }
        if client.reported[key] != value {
            if client.unit.replay.withholds {
                client.withheld.append(message)
            } else {
                send(message, to: client)
            }
        }
        client.state.told(server.reported)
    }

    // MARK: ReadyForQuery

    private func ready(_ status: TransactionStatus, _ server: ServerConnection, now: Instant) {
        if server.isStarting {
            server.requests.loggedIn(status)
            return becameReady(server, now: now)
        }
        guard let reply = server.requests.ready(status) else {
            return violation(server, "a ReadyForQuery that nobody asked for", now: now)
        }
        guard let client = server.client, server.internalQuery == nil else {
            server.internalQueryReady()
            server.incoming.ready(owesNothing: server.requests.replies.isEmpty)
            return
        }
        if reply.disposition == .forward {
            commitToAttempt(client)
            if status == .idle && needsInspection(client) && server.requests.replies.isEmpty {
                client.unit.answered()
            } else {
                sendReady(client, status)
            }
        } else if client.unit.messages.end == .flush {
            commitToAttempt(client)
        }
        server.incoming.ready(owesNothing: server.requests.replies.isEmpty)
    }

    // MARK: ErrorResponse

    private func failed(
        _ error: ErrorResponse, _ message: RawSpan, _ server: ServerConnection, now: Instant
    ) {
        if server.isLoggingIn {
            return loginFailed(at: server, error, now: now)
        }
        if error.endsConnection {
            // What it means for the client is decided when the connection is gone.
            server.received(fatal: error)
            return
        }
        guard let first = server.requests.replies.first else {
            return violation(server, "an error that nobody asked for", now: now)
        }
        if server.internalQuery != nil {
            server.failed()
            return server.internalQueryFailed(error)
        }
        guard let client = server.client else {
            return server.failed()
        }
        if Refusal(error, of: client.unit) == .stalePlan { client.database.schemaChanged() }
        // A Parse of martlet's own says what the client's would have said.
        let isClients = first.disposition == .forward || first.kind == .parse
        if isClients && mayRetry(client, after: error, on: server) {
            return retry(client, after: error, on: server, now: now)
        }
        if error.sqlState == .invalidSQLStatementName && error.message.contains("\"martlet_") {
            // What it has is not what it should have: it is cleaned before it is used again.
            server.session.becameUnknown()
        }
        client.transaction.prepareFailed()
        var count = 0
        server.failed { skipped in
            if skipped.redefinesName { count += 1 }
        }
        rollBackNames(count, client)
        // A Parse forgets the unnamed statement before it fails.
        if first.redefinesName { client.statements.remove(hash: first.nameHash) }
        defer { skipAfterError(in: first, client, server) }
        switch first.disposition {
        case .skip: injectedFailed(client, error)
        case .swallowError: break
        case .replaceError:
            commitToAttempt(client)
            (client.unit.sending.injectedError ?? error).write(to: &client.output)
            markDirty(client)
        case .forward, .fake:
            commitToAttempt(client)
            if let overdue = client.unit.overdue, error.sqlState == .queryCanceled {
                ErrorResponse.canceled(for: overdue.subject).write(to: &client.output)
                markDirty(client)
            } else {
                send(message, to: client)
            }
        }
    }

    /// A message that martlet had put before the client's failed: that is the error of the message
    /// that needs it.
    private func injectedFailed(_ client: ClientSession, _ error: ErrorResponse) {
        client.transaction.beginFailed()
        commitToAttempt(client)
        error.write(to: &client.output)
        markDirty(client)
    }

    /// After an error in the extended protocol the server skips to a Sync, and with it the client.
    private func skipAfterError(
        in reply: OwedReply, _ client: ClientSession, _ server: ServerConnection
    ) {
        if reply.kind.isSimple { return }
        if client.unit.messages.end != .complete {
            // The Sync is yet to come, or it is martlet's own.
            if client.unit.messages.byteCount > 0 { dropGathered(client) }
            client.inbound.skipUntilSync()
        } else if server.requests.replies.isEmpty {
            // A Query was skipped after a BEGIN by the extended protocol.
            sync(server, .forward)
        }
    }
}
