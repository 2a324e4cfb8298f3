// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Clients that leave or are asked to leave, and what other shards say.
extension Pooler {
    /// Ends a client's connection from our side, once it has got what is queued for it.
    func close(_ client: ClientSession) {
        guard client.phase != .closed else { return }
        leave(client, now: client.lastActivity)
        effects.append(.close(client.id))
    }

    /// A client is gone: its places in queues and its server are free for others.
    func leave(_ client: ClientSession, now: Instant) {
        let wasLoggingIn = client.phase != .ready
        client.closed()
        clients.left(beforeLogin: wasLoggingIn)
        for group in client.account.takeHeldLimits() { ledger.releaseClient(in: group) }
        databases.left(client.database)
        if !wasLoggingIn { effects.append(.log(.clientLeft(client.id, user: client.user))) }
        leaveQueue(client)
        let unitIsOpen = client.unit.isRunning && !client.unit.messages.isComplete
        let effects = client.transaction.effects.union(client.unit.needs.effects)
        // A read is of no use to anybody now; what a transaction did is rolled back in any case.
        let mayCancel = client.server.map { isRead(client, on: $0) } ?? false
            || client.status != .idle && !client.unit.needs.mayCommit
        finishUnit(client, now: now)
        client.inbound.removeAll()
        guard let server = client.server else { return }
        detach(client, server)
        if client.replication != nil { return close(server, .clientLeft) }
        if client.keepsServer || !effects.isDisjoint(with: StateInspection.unknowable) {
            server.session.becameUnknown()
        }
        if client.inbound.isAmidForwarded {
            // Half a message is with the server; the rest will not come.
            return close(server, .clientLeft)
        }
        if server.internalQuery == nil {
            server.abandoned(since: now, mayCancel: mayCancel)
        }
        abandon(server, unitIsOpen: unitIsOpen, now: now)
    }

    /// A server whose client left in the middle of something is asked for the end of it, and then
    /// cleaned.
    private func abandon(_ server: ServerConnection, unitIsOpen: Bool, now: Instant) {
        server.requests.clientLeft()
        server.incoming.clientLeft()
        if server.requests.replies.isCopyingIn { failCopy(server, needsSync: false) }
        if unitIsOpen { sync(server, .skip) }
        if server.requests.replies.isEmpty { cleanUp(server, now: now) }
    }

    // MARK: Abandoned replies

    /// More of an abandoned reply came.
    func dropped(_ count: Int, of server: ServerConnection, now: Instant) {
        perform(server.dropped(count, limit: policy.limits.pendingOutput), on: server, now: now)
    }

    /// Time passed; an abandoned reply is not complete.
    func expire(_ server: ServerConnection, now: Instant) {
        guard let verdict = server.abandonment?.verdict(now: now) else { return }
        perform(verdict, on: server, now: now)
    }

    private func perform(
        _ verdict: Abandonment.Verdict, on server: ServerConnection, now: Instant
    ) {
        switch verdict {
        case .wait: break
        case .cancel where deliverCancel(to: server): server.abandonedStatementCancelled(at: now)
        case .cancel, .close: close(server, .clientLeft)
        }
    }

    /// martlet shuts down: a client between transactions is told so and leaves.
    func endForShutdown(_ client: ClientSession) {
        counters.errors.count(.shutdown)
        refuse(client, .adminShutdown, "terminating connection due to administrator command")
    }

    /// Refuses a client that is not logged in: a FATAL error, then the end.
    func refuse(_ client: ClientSession, _ sqlState: SQLState, _ message: String, hint: String? = nil) {
        ErrorResponse(.fatal, sqlState, message, hint: hint).write(to: &client.output)
        markDirty(client)
        close(client)
    }

    func loggingInFailed(_ client: ClientSession, _ error: ErrorResponse) {
        counters.logins.count(.unavailable)
        effects.append(
            .log(
                .clientRefused(
                    client.id, sqlState: error.sqlState, reason: error.message, peer: client.peer)))
        var error = error
        error.severity = .fatal
        error.write(to: &client.output)
        markDirty(client)
        close(client)
    }

    /// The session's state was on the server and nowhere else: the session is over.
    func endSession(_ client: ClientSession, _ words: ErrorResponse?) -> Step {
        var error =
            words
            ?? ErrorResponse(
                .fatal, .adminShutdown,
                "terminating connection because the server that held the session's state was lost")
        error.severity = .fatal
        error.write(to: &client.output)
        markDirty(client)
        close(client)
        return .wait
    }

    // MARK: Endings of logins

    /// Ends a login: the failure is counted and logged, and the client told, each where it says so.
    func refuse(_ client: ClientSession, _ failure: LoginFailure) {
        report(failure, of: client)
        guard let message = failure.message else { return close(client) }
        refuse(client, failure.sqlState, message, hint: failure.hint)
    }

    /// Counts and logs why a login has ended.
    func report(_ failure: LoginFailure, of client: ClientSession) {
        if let result = failure.result { counters.logins.count(result) }
        guard let reason = failure.logReason else { return }
        effects.append(
            .log(
                .clientRefused(
                    client.id, sqlState: failure.sqlState, reason: reason, peer: client.peer)))
    }
}
