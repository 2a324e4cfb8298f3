// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What a client sees when something fails: nothing where a retry is safe, otherwise what is known.
extension Pooler {
    // MARK: A server refused

    /// Whether a unit may be run again elsewhere, unseen, after this error.
    func mayRetry(
        _ client: ClientSession, after error: ErrorResponse, on server: ServerConnection
    ) -> Bool {
        guard client.unit.replay.mayRepeat else { return false }
        switch Refusal(error, of: client.unit) {
        case .none: return false
        case .stalePlan:
            return client.unit.messages.definesStatements || !client.unit.messages.uses.isEmpty
        case .cannotOnStandby, .notThereYet, .conflict: return client.unit.runsOnReplica
        }
    }

    func retry(
        _ client: ClientSession, after error: ErrorResponse, on server: ServerConnection,
        now: Instant
    ) {
        let refusal = Refusal(error, of: client.unit)
        if refusal != .notThereYet {
            effects.append(
                .log(
                    .unitRetried(
                        server.key.node, sqlState: error.sqlState,
                        statement: firstText(of: client))))
        }
        client.unit.replay.failed()
        // The second attempt of these is the primary's.
        switch refusal {
        case .none: break
        case .cannotOnStandby:
            counters.retries.count(.refusedByReplica)
            client.database.replicaRefused(client.unit.needs.fingerprint, now: now)
            effects.append(.catalogueStale(database: client.database.name))
            client.unit.replay.failedOnReplica()
        case .stalePlan:
            counters.retries.count(.stalePlan)
            parseAnew(client)
        case .notThereYet:
            counters.retries.count(.unknownToReplica)
            client.unit.replay.failedOnReplica()
        case .conflict: counters.retries.count(.recoveryConflict)
        }
        server.failed()
        server.requests.clientLeft()
        detach(client, server)
        // It may owe nothing and skip to a Sync that no client sends any more.
        cleanUp(server, now: now)
        proceed(
            client,
            runAgain(client, avoiding: refusal == .stalePlan ? nil : server.key.node, now: now),
            now: now)
    }

    /// The text of a unit's first statement for the log, shortened to 1,000 bytes.
    private func firstText(of client: ClientSession) -> String {
        var offset = 0
        for message in client.unit.messages.list {
            defer { offset += message.byteCount }
            switch message.content {
            case .query(let text): return shortened(client.unread.copy(text.shifted(by: offset)))
            case .parse(_, _, let place):
                let text = client.unit.messages.text(place)
                return shortened(Array(text.definition[..<text.textCount]))
            case .bind(_, let name, let hash):
                let name = client.unread.extracting(name.shifted(by: offset))
                let text = client.statements.find(name, hash: hash)?.text
                return text.map { shortened(Array($0.definition[..<$0.textCount])) } ?? ""
            default: continue
            }
        }
        return ""
    }

    private func shortened(_ text: [UInt8]) -> String {
        String(decoding: text.prefix(1000), as: UTF8.self)
    }

    /// No server has analysed what the unit parses and uses since the schema has changed.
    private func parseAnew(_ client: ClientSession) {
        client.unit.messages.replaceDefinedTexts { again($0, client) }
        client.unit.messages.replaceUsedTexts { text in
            let fresh = again(text, client)
            client.statements.replace(text, with: fresh)
            return fresh
        }
    }

    /// The same text under the present schema.
    private func again(_ text: PreparedText, _ client: ClientSession) -> PreparedText {
        var context = text.context
        context.schemaVersion = client.database.schemaVersion
        let fresh = registry.intern(
            text.definition, textCount: text.textCount, context: context,
            constants: text.constants ?? []
        ) {
            (text.classification, text.fingerprint)
        }
        fresh.learned(constants: text.constants)
        return fresh
    }

    /// Prepares a unit's messages to be sent again, as if they had just arrived.
    func runAgain(
        _ client: ClientSession, avoiding node: NodeID?, now: Instant
    ) -> Step {
        rollBackNames(client.unit.sending.redefinedCount, client)
        client.withheld.removeAll()
        client.unit.messages.rewind()
        client.unit.replay.again(avoiding: node)
        client.unit.sending.restart()
        uncount(client, now: now)
        client.unit.routed()
        return .route
    }

    // MARK: A server is lost

    /// The socket of a server connection is gone.
    func lost(_ server: ServerConnection, reason: String, now: Instant) {
        let client = server.client
        let pool = server.pool
        server.closed()
        server.lostClient()
        pool?.left()
        pool?.removeIdle(server)
        ledger.release(server.key)
        effects.append(.doubt(server.key.node))
        if server.hasOpened {
            counters[node: server.key.node].ends.count(.lost)
            let words = server.lastFatal.map { "\($0.sqlState): \($0.message)" } ?? reason
            effects.append(.log(.serverFailed(server.key.node, reason: words)))
            if server.lastFatal == nil { closeSiblings(of: server, now: now) }
        } else {
            openingFailed(server, pool, reason, now: now)
        }
        if let client { proceed(client, serverLost(client, server, now: now), now: now) }
    }

    /// A node whose server vanished without a word most likely lost the others, too, and they end
    /// one after the other: a write that is given to one of them meanwhile has no known outcome. The
    /// idle ones go now, those at work when they are done (`release`).
    private func closeSiblings(of server: ServerConnection, now: Instant) {
        load.broke(server.key.node, now: now)
        for pool in pools.all where pool.key.node == server.key.node {
            for fellow in pool.idleServers { close(fellow, .lost) }
        }
    }

    /// The server of a client is gone; what that means depends on how far the unit was.
    func serverLost(
        _ client: ClientSession, _ server: ServerConnection, now: Instant
    ) -> Step {
        if client.replication != nil {
            replicationLost(client, server, now: now)
            return .wait
        }
        detach(client, server)
        switch client.phase {
        case .ready: break
        case .loggingIn:
            client.unit.replay.failed()
            return runAgain(client, avoiding: server.key.node, now: now)
        case .closed: return .wait
        }
        if client.keepsServer || Self.endsSession(server.lastFatal) {
            return endSession(client, server.lastFatal)
        }
        if server.incoming.isAmidForwarded {
            // Half a message is out: nothing can be said in its middle.
            close(client)
            return .wait
        }
        switch client.unit.phase {
        case .gathering:
            client.transaction.serverLost()
        case .preparing:
            counters.retries.count(.staleConnection)
            if !client.transaction.isOnServer {
                return runAgain(client, avoiding: nil, now: now)
            }
            counters.errors.count(.transactionLost)
            _ = client.transaction.serverLost(mayHaveCommitted: false)
            return .fail(.transactionLost)
        case .inspecting, .answered: return endSession(client, server.lastFatal)
        case .running where server.incoming.isSettled:
            // It was answered; the rest of a message is all that was still to come.
            if client.status != .idle { client.transaction.serverLost() }
            return unitEnded(client, on: server, now: now)
        case .running: return runningLost(client, server, now: now)
        case .routing, .queued, .held: break
        }
        return .wait
    }

    private func runningLost(
        _ client: ClientSession, _ server: ServerConnection, now: Instant
    ) -> Step {
        let isShutdown = Refusal.isShutdown(server.lastFatal) && !client.unit.replay.sawCompletion
        let isRead = isRead(client, on: server)
        let begins = client.transaction.deferredBegin != nil && !client.unit.needs.mayCommit
        let mayRun = client.unit.replay.mayRepeat && !server.brokeProtocol
        if mayRun && (isRead || begins || isShutdown && !client.unit.needs.containsTransactionControl) {
            client.unit.replay.failed()
            counters.retries.count(isShutdown ? .serverShutdown : .replicaLost)
            // One may be a DBA who ends a session. Two in a row are a node that shuts down: it ends
            // its sessions one after the other, and the attempts would be spent on the idle ones.
            if isShutdown && client.unit.replay.needsPrimary { closeSiblings(of: server, now: now) }
            return runAgain(client, avoiding: isRead ? server.key.node : nil, now: now)
        }
        let mayHaveCommitted = client.unit.needs.mayCommit && !isShutdown
        if client.transaction.serverLost(mayHaveCommitted: mayHaveCommitted) == .transaction {
            counters.errors.count(.transactionLost)
            return .fail(.transactionLost)
        }
        if isRead || isShutdown {
            return .fail(
                ErrorResponse(
                    .error, server.lastFatal?.sqlState ?? .connectionFailure,
                    server.lastFatal?.message ?? "the server closed the connection unexpectedly"))
        }
        counters.errors.count(.outcomeUnknown)
        return .fail(.outcomeUnknown)
    }

    /// Errors that end a session by their context: its timeouts.
    private static func endsSession(_ words: ErrorResponse?) -> Bool {
        guard let words else { return false }
        let endings: Set<SQLState> = [
            .idleInTransactionSessionTimeout, .transactionTimeout, .idleSessionTimeout,
            .databaseDropped,
        ]
        return endings.contains(words.sqlState)
    }

    // MARK: Errors of martlet's own

    /// The unit ends with this error; the session goes on.
    func fail(_ client: ClientSession, _ error: ErrorResponse, now: Instant) -> Step {
        if client.isLoggingIn {
            loggingInFailed(client, error)
            return .wait
        }
        var error = error
        if error.endsConnection { error.severity = .error }
        client.transaction.unitFailed()
        commitToAttempt(client)
        error.write(to: &client.output)
        markDirty(client)
        client.boundLocally(nil)
        if client.unit.messages.end == .complete {
            sendReady(client, client.status)
        } else {
            client.inbound.skipUntilSync()
        }
        finishUnit(client, now: now)
        if let server = client.server, server.owesNothing, !client.keepsServer {
            detach(client, server)
            cleanUp(server, now: now)
        }
        return .gather
    }

    /// A server that breaks the protocol is closed and never used again.
    func violation(_ server: ServerConnection, _ what: String, now: Instant) {
        guard !server.isClosed else { return }
        effects.append(.log(.serverProtocolViolation(server.key.node, reason: what)))
        server.violatedProtocol()
        let client = server.client
        server.lostClient()
        close(server, .protocolViolation)
        if let client { proceed(client, serverLost(client, server, now: now), now: now) }
    }
}
