// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What a server's messages mean for what it owes, and for the client that waits.
extension Pooler {
    /// Accounts for a message that is only passed on; false when it was not owed and the server
    /// is closed.
    func take(
        _ kind: UInt8, _ body: RawSpan, _ server: ServerConnection, now: Instant
    ) -> Bool {
        guard let first = server.replies.first, isOwed(kind, first.kind, server) else {
            violation(server, "an answer that nobody asked for (type \(kind))", now: now)
            return false
        }
        if BackendShape.isDecisive(kind), let client = server.client, first.audience == .client {
            decided(client)
        }
        switch kind {
        case BackendKind.parseComplete, BackendKind.bindComplete, BackendKind.closeComplete,
            BackendKind.portalSuspended:
            _ = server.replies.removeFirst()
        case BackendKind.noData:
            _ = server.replies.removeFirst()
            learn(.none, from: first, server)
        case BackendKind.rowDescription where first.kind == .describe:
            _ = server.replies.removeFirst()
            guard first.learnsColumns else { break }
            guard let columns = ResultColumns(rowDescription: body, hashing: hashing) else {
                violation(server, "a malformed row description", now: now)
                return false
            }
            learn(columns, from: first, server)
        case BackendKind.commandComplete, BackendKind.emptyQueryResponse:
            if server.copy != .incoming { server.copy = .none }
            if server.client?.ownAtBegin != nil {
                let rollback = Array("ROLLBACK".utf8)
                server.client?.unit.wasRolledBack =
                    body.byteCount > rollback.count && body.equals(rollback, in: 0..<rollback.count)
            }
            if first.kind == .execute { _ = server.replies.removeFirst() }
            if first.audience == .client, let client = server.client {
                client.unit.sawCompletion = true
                if mayDeallocate(client) { deallocate(body, client, server) }
            }
        case BackendKind.copyInResponse: copyInStarted(server)
        case BackendKind.dataRow where server.errand != .none:
            keepRow(body, server)
        case BackendKind.dataRow where first.learnsConstants:
            learnConstants(body, from: first, server)
        case BackendKind.copyOutResponse: server.copy = .outgoing
        default: break
        }
        return true
    }

    /// A row for martlet itself; so many of them cannot be meant.
    private func keepRow(_ body: RawSpan, _ server: ServerConnection) {
        guard server.errandRows.count < 1_000, let row = try? DataRow.parse(body: body) else {
            server.errandError = ErrorResponse(.error, "XX000", "unexpected rows")
            return
        }
        server.errandRows.append(row)
    }

    private func isOwed(
        _ kind: UInt8, _ reply: OwedReply.Kind, _ server: ServerConnection
    ) -> Bool {
        let runs = reply == .query || reply == .execute
        switch kind {
        case BackendKind.parseComplete: return reply == .parse
        case BackendKind.bindComplete: return reply == .bind
        case BackendKind.closeComplete: return reply == .close
        case BackendKind.parameterDescription, BackendKind.noData: return reply == .describe
        case BackendKind.rowDescription: return reply == .describe || reply == .query
        case BackendKind.dataRow, BackendKind.commandComplete, BackendKind.emptyQueryResponse,
            BackendKind.copyInResponse, BackendKind.copyOutResponse:
            return runs
        case BackendKind.portalSuspended: return reply == .execute
        case BackendKind.copyData, BackendKind.copyDone: return server.copy == .outgoing
        case BackendKind.functionCallResponse: return reply == .functionCall
        default: return false
        }
    }

    /// Whether a command tag may say that protocol-level statements are gone.
    func mayDeallocate(_ client: ClientSession) -> Bool {
        !client.pendingEffects.isDisjoint(with: .mayDeallocate)
    }

    /// DEALLOCATE ALL and DISCARD ALL mean all statements that have a name, but those that come
    /// after them.
    private func deallocate(_ tag: RawSpan, _ client: ClientSession, _ server: ServerConnection) {
        let text = tag.text(0..<max(tag.byteCount - 1, 0))
        completed(text, of: client)
        if text == "DEALLOCATE", !client.unit.deallocates.isEmpty {
            client.statements.remove(hash: client.unit.deallocates.removeFirst())
        }
        guard text == "DEALLOCATE ALL" || text == "DISCARD ALL" else { return }
        let (names, statements) = server.replies.definitions
        client.statements.removeAll(but: names.union([unnamed]))
        server.prepared = server.prepared.filter { statements.contains($0.key) }
    }

    private func copyInStarted(_ server: ServerConnection) {
        server.copy = .incoming
        let isSyncIgnored = server.replies.copyInStarted()
        if let client = server.client {
            // The Sync does not end the unit; the client sends another.
            if isSyncIgnored { client.unit.isComplete = false }
        } else {
            failCopy(server, needsSync: isSyncIgnored)
        }
    }

    /// Ends a COPY FROM STDIN for which there is nobody any more, or no time.
    func failCopy(
        _ server: ServerConnection, needsSync: Bool, reason: String = "client left"
    ) {
        server.output.message(FrontendKind.copyFail) { $0.append(terminated: reason) }
        server.copy = .none
        if needsSync { sync(server, for: .nobody) }
        sent(to: server)
    }

    /// Something of the answer goes to the client: the unit will not be run again.
    func decided(_ client: ClientSession) {
        if client.unit.isHoldingBack {
            client.unit.isHoldingBack = false
            if !client.holdback.isEmpty { passHeldBack(to: client) }
        }
        if client.unit.isRerunnable { dropSent(client) }
        if client.unit.carriesBegin { client.deferredBegin = nil }
    }

    /// The client gets what was held back, but for what it got when the unit ran before.
    private func passHeldBack(to client: ClientSession) {
        var offset = 0
        while client.unit.repeated > 0 || !client.unit.isComplete,
            let header = try? MessageHeader(in: client.holdback.unread, at: offset) {
            let end = offset + header.totalCount
            if BackendShape.isReply(header.kind) {
                if client.unit.repeated > 0 {
                    client.unit.repeated -= 1
                    send(client.holdback.unread.extracting(0..<offset), to: client)
                    client.holdback.consume(end)
                    offset = 0
                    continue
                }
                client.unit.passedOn += 1
            }
            offset = end
        }
        send(client.holdback.unread, to: client)
        client.holdback.removeAll()
    }

    /// Everything up to a Flush is answered: whoever sent it waits for that, though it does not
    /// decide yet and the unit may still run again.
    func flushHeldBack(_ client: ClientSession, _ server: ServerConnection) {
        guard client.unit.isHoldingBack, !client.unit.isComplete, server.replies.isEmpty,
            !client.holdback.isEmpty
        else { return }
        passHeldBack(to: client)
    }

    /// Gives the client the answers that are made here and whose turn it is.
    func resolveMade(_ server: ServerConnection, _ client: ClientSession) {
        while let first = server.replies.first, first.audience == .made {
            _ = server.replies.removeFirst()
            if client.unit.isHoldingBack {
                Self.make(first.kind, into: &client.holdback)
            } else {
                Self.make(first.kind, into: &client.output)
                markDirty(client)
            }
        }
        flushHeldBack(client, server)
    }

    private static func make(_ kind: OwedReply.Kind, into queue: inout ByteQueue) {
        switch kind {
        case .parse: queue.message(BackendKind.parseComplete)
        case .describe:
            queue.message(BackendKind.parameterDescription) { $0.append(int16: 0) }
            queue.message(BackendKind.noData)
        default: queue.message(BackendKind.closeComplete)
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
                guard server.phase == .starting else { throw WireError.invalid }
                server.backendKey = try BackendKeyData(body: body)
            default:
                // NegotiateProtocolVersion cannot come: martlet asks for 3.0.
                throw WireError.invalid
            }
        } catch {
            violation(server, "a malformed message of type \(kind)", now: now)
        }
    }

    /// Notices and notifications: they may come at any time and belong to whoever is attached.
    private func passAside(_ kind: UInt8, _ message: RawSpan, _ server: ServerConnection) {
        guard let client = server.client, client.phase == .ready, server.errand == .none else {
            return
        }
        // Notices of martlet's own messages are nobody's business, but those of the deferred BEGIN.
        if client.unit.isHoldingBack {
            client.holdback.append(message)
        } else {
            send(message, to: client)
        }
    }

    private func reported(
        _ name: String, _ value: String, _ message: RawSpan, _ server: ServerConnection
    ) {
        let key = name.lowercased()
        server.reported = parameterSets.one(for: server.reported.with(key, value))
        if key == ReportedName.hotStandby {
            server.isInRecovery = value == "on"
            return
        }
        guard let client = server.client, client.phase == .ready, server.phase == .leased else {
            return
        }
        // While settings are replayed the client is told once, of the outcome (`start`).
        if server.errand == .settings || server.errand == .statements { return }
        if client.reported[key] != value {
            if client.unit.isHoldingBack {
                client.holdback.append(message)
            } else {
                send(message, to: client)
            }
        }
        client.reported = server.reported
    }

    // MARK: ReadyForQuery

    private func ready(_ status: TransactionStatus, _ server: ServerConnection, now: Instant) {
        server.status = status
        if server.phase == .starting { return becameReady(server, now: now) }
        guard let first = server.replies.first, first.endsWithReady else {
            return violation(server, "a ReadyForQuery that nobody asked for", now: now)
        }
        _ = server.replies.removeFirst()
        server.copy = .none
        guard let client = server.client, server.errand == .none else {
            server.statementStepsDone += 1
            server.isSettled = server.replies.isEmpty
            return
        }
        if first.audience == .client {
            decided(client)
            if status == .idle && needsInspection(client) && server.replies.isEmpty {
                client.unit.awaitsInspection = true
            } else {
                sendReady(client, status)
            }
        } else if client.unit.endsInFlush {
            decided(client)
        }
        server.isSettled = server.replies.isEmpty
    }

    func sendReady(_ client: ClientSession, _ status: TransactionStatus) {
        client.status = client.status(after: status)
        if client.status == .idle { settleOwn(client) }
        ReadyForQuery.write(client.status, to: &client.output)
        markDirty(client)
    }

    // MARK: ErrorResponse

    private func failed(
        _ error: ErrorResponse, _ message: RawSpan, _ server: ServerConnection, now: Instant
    ) {
        if server.phase == .authenticating || server.phase == .starting {
            return loginFailed(at: server, error, now: now)
        }
        if error.endsConnection {
            // What it means for the client is decided when the connection is gone.
            server.lastWords = error
            return
        }
        guard let first = server.replies.first else {
            return violation(server, "an error that nobody asked for", now: now)
        }
        server.copy = .none
        if server.errand != .none {
            server.errandError = error
            if server.errand == .results { server.replies.failed { server.forget($0) } }
            if server.errand == .statements {
                server.statementErrors.append((server.statementStepsDone, error))
            }
            return
        }
        guard let client = server.client else {
            return server.replies.failed { server.forget($0) }
        }
        if Refusal(error, of: client.unit) == .stalePlan { client.database.schemaChanged() }
        // A Parse of martlet's own says what the client's would have said.
        let isClients = first.audience == .client || first.kind == .parse
        if isClients && mayRetry(client, after: error, on: server) {
            return retry(client, after: error, on: server, now: now)
        }
        if error.sqlState == "26000" && error.message.contains("\"martlet_") {
            // What it has is not what it should have: it is cleaned before it is used again.
            server.mustDiscard = true
        }
        client.deferredTransactionFailed()
        var count = 0
        server.replies.failed { skipped in
            server.forget(skipped)
            if skipped.redefines { count += 1 }
        }
        undefine(count, client)
        // A Parse forgets the unnamed statement before it fails.
        if first.redefines { client.statements.remove(hash: first.nameHash) }
        defer { skipAfterError(in: first, client, server) }
        switch first.audience {
        case .nobody: injectedFailed(client, error)
        case .meant: break
        case .provoked:
            decided(client)
            (client.unit.provoked?.error ?? error).write(to: &client.output)
            markDirty(client)
        case .client, .made:
            decided(client)
            if let overdue = client.unit.overdue, error.sqlState == "57014" {
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
        if client.unit.carriesBegin && client.deferredBegin != nil { client.aborted = .told }
        decided(client)
        error.write(to: &client.output)
        markDirty(client)
    }

    /// After an error in the extended protocol the server skips to a Sync, and with it the client.
    private func skipAfterError(
        in reply: OwedReply, _ client: ClientSession, _ server: ServerConnection
    ) {
        if reply.kind == .query || reply.kind == .functionCall { return }
        if !client.unit.isComplete || client.unit.endsInFlush {
            // The Sync is yet to come, or it is martlet's own.
            if client.unit.gathered > 0 { dropGathered(client) }
            client.skipsUntilSync = true
        } else if server.replies.isEmpty {
            // A Query was skipped, behind a BEGIN by the extended protocol.
            sync(server, for: .client)
        }
    }
}
