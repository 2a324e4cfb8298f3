// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What a client sees when something fails (DESIGN 7): nothing where that is safe, else the truth.
extension Pooler {
    static let mostAttempts = 4

    // MARK: A server refused

    /// Whether a unit may be run again elsewhere, unseen, after this error.
    func mayRetry(
        _ client: ClientSession, after error: ErrorResponse, on server: ServerConnection
    ) -> Bool {
        guard client.unit.isRerunnable, client.unit.isHoldingBack,
            client.unit.attempts < Self.mostAttempts
        else { return false }
        switch Refusal(error, of: client.unit) {
        case .none: return false
        case .stalePlan: return !client.unit.parses.isEmpty || !client.unit.uses.isEmpty
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
        client.unit.attempts += 1
        // The second attempt of these is the primary's.
        switch refusal {
        case .none: break
        case .cannotOnStandby:
            counters.retries.count(.refusedByReplica)
            client.database.replicaRefused(client.unit.shape, now: now)
            effects.append(.catalogueStale(database: client.database.name))
            client.unit.attempts = max(client.unit.attempts, 2)
        case .stalePlan:
            counters.retries.count(.stalePlan)
            parseAnew(client)
        case .notThereYet:
            counters.retries.count(.unknownToReplica)
            client.unit.attempts = max(client.unit.attempts, 2)
        case .conflict: counters.retries.count(.recoveryConflict)
        }
        server.replies.failed { server.forget($0) }
        server.replies.silence()
        detach(client, server)
        runAgain(client, avoiding: refusal == .stalePlan ? nil : server.key.node, now: now)
    }

    /// The text of a unit's first statement, for the log; its beginning where it is long.
    private func firstText(of client: ClientSession) -> String {
        var offset = 0
        while let message = client.nextGathered(&offset) {
            let body = client.unread.extracting(message.body)
            switch message.kind {
            case FrontendKind.query:
                return shortened(body.copy(0..<max(body.byteCount - 1, 0)))
            case FrontendKind.parse:
                guard let text = client.unit.parses.first else { return "" }
                return shortened(Array(text.definition[..<text.textCount]))
            case FrontendKind.bind:
                guard let bind = try? Bind(bodyPrefix: body) else { return "" }
                let name = body.extracting(bind.statement)
                let text = client.statements.find(name, hash: hashing(name))?.text
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
        client.unit.parses = client.unit.parses.map { again($0, client) }
        for index in client.unit.uses.indices {
            let text = client.unit.uses[index].text
            let fresh = again(text, client)
            client.statements.replace(text, with: fresh)
            client.unit.uses[index].text = fresh
        }
    }

    /// The same text under the present schema.
    private func again(_ text: PreparedText, _ client: ClientSession) -> PreparedText {
        var meaning = text.meaning
        meaning.schemaVersion = client.database.schemaVersion
        let fresh = registry.intern(
            text.definition, textCount: text.textCount, meaning: meaning,
            constants: text.constants ?? []
        ) {
            (text.classification, text.shape)
        }
        fresh.constants = text.constants
        return fresh
    }

    /// Sends a unit's messages again, as if they had just arrived.
    func runAgain(_ client: ClientSession, avoiding node: NodeID?, now: Instant) {
        undefine(client.unit.redefined.count, client)
        client.holdback.removeAll()
        client.unit.isHoldingBack = true
        client.unit.sent = 0
        client.unit.sentParses = 0
        client.unit.repeated = client.unit.passedOn
        client.unit.avoided = node
        client.unit.provoked = nil
        client.unit.bound = nil
        client.unit.namesSinceForgotten = nil
        reroute(client, now: now)
    }

    /// Asks for a node once more.
    func reroute(_ client: ClientSession, now: Instant) {
        uncount(client, now: now)
        client.unit.phase = .gathering
        route(client, now: now)
    }

    // MARK: A server is lost

    /// The socket of a server is gone.
    func lost(_ server: ServerConnection, reason: String, now: Instant) {
        let client = server.client
        let pool = server.pool
        server.phase = .closed
        server.client = nil
        pool?.total -= 1
        pool?.removeIdle(server)
        ledger.release(server.key)
        effects.append(.doubt(server.key.node))
        if server.hasOpened {
            counters[node: server.key.node].ends.count(.lost)
            let words = server.lastWords.map { "\($0.sqlState): \($0.message)" } ?? reason
            effects.append(.log(.serverFailed(server.key.node, reason: words)))
            if server.lastWords == nil { closeFellows(of: server, now: now) }
        } else {
            openingFailed(server, reason, now: now)
        }
        server.pool = nil
        if let client { serverLost(client, server, reason: reason, now: now) }
    }

    /// A node whose server vanished without a word most likely lost the others, too, and they end
    /// one after the other: a write that is given to one of them meanwhile has no known outcome. The
    /// idle ones go now, those at work when they are done (`release`).
    private func closeFellows(of server: ServerConnection, now: Instant) {
        loads.broke(server.key.node, now: now)
        for pool in pools.values where pool.key.node == server.key.node {
            for fellow in pool.idleServers { close(fellow, .lost) }
        }
    }

    private func openingFailed(_ server: ServerConnection, _ reason: String, now: Instant) {
        counters[node: server.key.node].connectErrors += 1
        loads.connectFailed(to: server.key.node, now: now)
        effects.append(.log(.serverFailed(server.key.node, reason: reason)))
        guard let pool = server.pool else { return }
        pool.opening -= 1
        pool.openingFailed(now: now)
        rerouteWaiters(of: pool, now: now)
    }

    /// All who wait in a pool choose again; those that need this very node come back to it.
    func rerouteWaiters(of pool: ServerPool, now: Instant) {
        for client in Array(pool.waiters) where client.unit.phase == .waiting {
            pool.remove(client)
            client.unit.avoided = pool.key.node
            let since = client.unit.waitingSince
            reroute(client, now: now)
            if client.unit.phase == .waiting || client.unit.phase == .held {
                client.unit.waitingSince = since
            }
        }
        announceWaiting(pool)
    }

    /// A server refused the login: a FATAL error, or an exchange that went wrong.
    func loginFailed(at server: ServerConnection, _ error: ErrorResponse, now: Instant) {
        server.lastWords = error
        let node = server.key.node
        let mayBeBehind = mayBeBehind(node) && Self.newToReplicas.contains(error.sqlState)
        if error.sqlState == "28P01" && !mayBeBehind { forgetCredential(of: server.key.user) }
        effects.append(
            .log(.serverFailed(node, reason: "\(error.sqlState): \(error.message)")))
        counters[node: node].connectErrors += 1
        let pool = server.pool
        close(server, .lost)
        if let client = server.client { return replicationRefused(client, error, now: now) }
        pool?.openingFailed(now: now)
        switch error.sqlState {
        case _ where mayBeBehind:
            loads.connectFailed(to: node, now: now)
            pool?.waiters.forEach { $0.unit.wantsNewest = true }
            if let pool { rerouteWaiters(of: pool, now: now) }
        case "53300" where ["InitializeSessionUserId", "CheckMyDatabase"].contains(error.routine):
            // CONNECTION LIMIT of the role or database says nothing of the node: they wait.
            if let pool { rerouteWaiters(of: pool, now: now) }
        case "57P01", "57P02", "57P03", "53300", "08P01":
            // It starts, stops or is full: others may have room, or it may be over soon.
            effects.append(.doubt(node))
            loads.connectFailed(to: node, now: now)
            if let pool { rerouteWaiters(of: pool, now: now) }
        default:
            // It would say the same to everybody who waits.
            while let client = pool?.dequeue() {
                fail(client, error, now: now)
            }
            if let pool { announceWaiting(pool) }
        }
    }

    /// What a role or database that has just been made or changed meets on a replica that has not
    /// replayed that: no such role or password, no such database, no privilege.
    private static let newToReplicas: Set<SQLState> = ["28000", "28P01", "3D000", "42501"]

    /// Whether another node knows better who may log in.
    func mayBeBehind(_ node: NodeID) -> Bool { topology.primary.map { $0 != node } ?? false }

    /// The server of a client is gone; what that means depends on how far the unit was.
    func serverLost(
        _ client: ClientSession, _ server: ServerConnection, reason: String, now: Instant
    ) {
        if client.replication != nil { return replicationLost(client, server, now: now) }
        detach(client, server)
        if client.unit.isLogin {
            client.unit.attempts += 1
            return runAgain(client, avoiding: server.key.node, now: now)
        }
        guard client.phase == .ready else { return }
        if client.keepsServer || Self.endsSession(server.lastWords) {
            return endSession(client, server.lastWords)
        }
        if server.passing > 0 && server.passingIsVisible {
            // Half a message is out: nothing can be said in its middle.
            return close(client)
        }
        switch client.unit.phase {
        case .gathering:
            if client.status != .idle { client.aborted = .untold }
            client.pendingEffects = SessionEffects()
        case .preparing:
            counters.retries.count(.staleConnection)
            if client.status == .idle || client.deferredBegin != nil {
                runAgain(client, avoiding: nil, now: now)
            } else {
                counters.errors.count(.transactionLost)
                client.aborted = .told
                fail(client, .transactionLost, now: now)
            }
        case .inspecting: endSession(client, server.lastWords)
        case .running where client.unit.awaitsInspection: endSession(client, server.lastWords)
        case .running where server.isSettled:
            // It was answered; the rest of a message is all that was still to come.
            if client.status != .idle {
                client.aborted = .untold
                client.pendingEffects = SessionEffects()
            }
            unitEnded(client, on: server, now: now)
        case .running: runningLost(client, server, now: now)
        case .waiting, .held: break
        }
    }

    private func runningLost(
        _ client: ClientSession, _ server: ServerConnection, now: Instant
    ) {
        let isShutdown = Refusal.isShutdown(server.lastWords) && !client.unit.sawCompletion
        let isRead = isRead(client, on: server)
        let begins = client.deferredBegin != nil && !client.unit.mayCommit
        let mayRun = client.unit.isRerunnable && client.unit.isHoldingBack
            && client.unit.attempts < Self.mostAttempts && !server.isDistrusted
        if mayRun && (isRead || begins || isShutdown && !client.unit.containsTransactionControl) {
            client.unit.attempts += 1
            counters.retries.count(isShutdown ? .serverShutdown : .replicaLost)
            // One may be a DBA who ends a session. Two in a row are a node that shuts down: it ends
            // its sessions one after the other, and the attempts would be spent on the idle ones.
            if isShutdown && client.unit.attempts > 1 { closeFellows(of: server, now: now) }
            return runAgain(client, avoiding: isRead ? server.key.node : nil, now: now)
        }
        let inTransaction = client.status != .idle
        if inTransaction && (isShutdown || !client.unit.mayCommit) {
            counters.errors.count(.transactionLost)
            client.aborted = .told
            return fail(client, .transactionLost, now: now)
        }
        client.status = .idle
        client.deferredBegin = nil
        if isRead || isShutdown {
            return fail(
                client,
                ErrorResponse(
                    .error, server.lastWords?.sqlState ?? "08006",
                    server.lastWords?.message ?? "the server closed the connection unexpectedly"),
                now: now)
        }
        counters.errors.count(.outcomeUnknown)
        fail(client, .outcomeUnknown, now: now)
    }

    /// Whether a unit changes nothing. A COMMIT may run anywhere, but what it ends has changed
    /// something, unless its server cannot.
    func isRead(_ client: ClientSession, on server: ServerConnection) -> Bool {
        server.isInRecovery == true || client.unit.isRead
    }

    /// Errors that end a session by their meaning: its timeouts.
    private static func endsSession(_ words: ErrorResponse?) -> Bool {
        guard let words else { return false }
        return ["25P03", "25P04", "57P05", "57P04"].contains(words.sqlState)
    }

    /// The session's state was on the server and nowhere else: the session is over.
    private func endSession(_ client: ClientSession, _ words: ErrorResponse?) {
        var error =
            words
            ?? ErrorResponse(
                .fatal, "57P01",
                "terminating connection because the server that held the session's state was lost")
        error.severity = .fatal
        error.write(to: &client.output)
        markDirty(client)
        close(client)
    }

    // MARK: Errors of martlet's own

    /// The unit ends with this error; the session goes on.
    func fail(_ client: ClientSession, _ error: ErrorResponse, now: Instant) {
        if client.unit.isLogin { return loggingInFailed(client, error) }
        var error = error
        if error.endsConnection { error.severity = .error }
        if client.deferredBegin != nil {
            client.deferredBegin = nil
            client.aborted = .told
        }
        if client.aborted != .no { client.status = .failed }
        decided(client)
        error.write(to: &client.output)
        markDirty(client)
        client.localPortal = nil
        if client.unit.isComplete && !client.unit.endsInFlush {
            sendReady(client, client.status)
        } else {
            client.skipsUntilSync = true
        }
        finishUnit(client, now: now)
        if let server = client.server, server.owesNothing, !client.keepsServer {
            detach(client, server)
            cleanUp(server, now: now)
        }
        advance(client, now: now)
        reconsiderReading(client)
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
}

/// Whether an error says that the server could not do it, while another one can.
enum Refusal: Equatable {
    case none
    /// A standby cannot do this; the primary can.
    case cannotOnStandby
    /// The standby's recovery was in the way; another standby's may not be.
    case conflict
    /// What another session has just created may not have been replayed. Most often it is a
    /// mistake of the statement's, and the primary says the same.
    case notThereYet
    /// The result of a statement has other columns than when the server analysed it.
    case stalePlan

    /// For errors of a standby, but for `stalePlan`: on the primary the same codes mean something
    /// else.
    init(_ error: ErrorResponse, of unit: borrowing UnitOfWork) {
        switch error.sqlState {
        case "0A000" where error.routine == "RevalidateCachedQuery": self = .stalePlan
        case "25006", "0A000", "55000": self = .cannotOnStandby
        case "40001", "40P01": self = .conflict
        case "42P01", "42703", "42883", "42704", "3F000": self = .notThereYet
        case "42601": self = .none  // A syntax error is one everywhere.
        // A write that a standby only prepares must not fail there for anything.
        default: self = unit.onlyPrepares && unit.destination == .primary ? .notThereYet : .none
        }
    }

    /// The server is going down or coming up, and did nothing of what it was asked.
    static func isShutdown(_ words: ErrorResponse?) -> Bool {
        guard let words else { return false }
        return words.sqlState == "57P01" || words.sqlState == "57P03"
    }
}

extension ErrorResponse {
    static let canceled = ErrorResponse(
        .error, "57014", "canceling statement due to user request")

    /// In the place of the server's words, which know of a user's request only.
    static func canceled(for subject: UnitOfWork.Overdue.Subject) -> ErrorResponse {
        ErrorResponse(
            .error, "57014", "canceling statement due to \(subject.rawValue) timeout",
            hint: "See clients.\(subject.rawValue)_timeout.")
    }

    static let transactionLost = ErrorResponse(
        .error, "40001", "the transaction was lost with the server that ran it",
        detail: "Nothing was committed.", hint: "Retry the transaction.")

    static let outcomeUnknown = ErrorResponse(
        .error, "08007", "the server was lost before it confirmed the statement",
        detail: "Whether it was committed is not known; it was not sent again.",
        hint: "Check before you retry.")

    static let noUnnamedStatement = ErrorResponse(
        .error, "26000", "unnamed prepared statement does not exist")

    static func noStatement(_ name: RawSpan) -> ErrorResponse {
        guard name.byteCount > 0 else { return .noUnnamedStatement }
        let words = name.text(0..<name.byteCount)
        return ErrorResponse(.error, "26000", "prepared statement \"\(words)\" does not exist")
    }

    static func noSavepoint(_ name: [UInt8]) -> ErrorResponse {
        let words = String(decoding: name, as: UTF8.self)
        return ErrorResponse(.error, "3B001", "savepoint \"\(words)\" does not exist")
    }

    static func noPortal(_ name: RawSpan) -> ErrorResponse {
        let words = name.text(0..<name.byteCount)
        return ErrorResponse(.error, "34000", "portal \"\(words)\" does not exist")
    }
    static let abortedTransaction = ErrorResponse(
        .error, "25P02",
        "current transaction is aborted, commands ignored until end of transaction block")
}
