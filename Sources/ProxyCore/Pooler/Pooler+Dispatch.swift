// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A unit whose needs are known gets a server: its own, an idle one, or a place in a queue.
extension Pooler {
    /// One asking serves all sessions for so long.
    private static let wantSpacing = Instant.Span.milliseconds(2)

    func dispatch(_ client: ClientSession, now: Instant) {
        if client.unit.phase == .running, let server = client.server {
            // The unit is open on its server; this is the next part of it.
            translate(client, to: server, now: now)
            return
        }
        leaveFailedReplica(client, now: now)
        if answerLocally(client, now: now) { return }
        client.unit.startedAt = now
        client.isCancelRequested = false
        if client.deferredBegin != nil {
            client.unit.carriesBegin = client.server == nil && !client.unit.onlyPrepares
        }
        if let server = client.server {
            client.unit.node = server.key.node
            client.unit.runsOnReplica = server.isInRecovery == true
            countAsRead(client, client.unit.runsOnReplica, now: now)
            prepare(client, on: server, now: now)
        } else {
            client.unit.isRerunnable = true
            client.unit.isHoldingBack = true
            route(client, now: now)
        }
    }

    // MARK: Where to

    /// Chooses the node of a unit and asks for one of its servers.
    func route(_ client: ClientSession, now: Instant) {
        if client.replication != nil { return openReplication(client, now: now) }
        client.position.settle(with: topology)
        countAsExecuting(client, false, now: now)
        let wanted = destination(of: client, now: now)
        countAsRead(client, wanted == .replica, now: now)
        let verdict = choose(for: client, wanted, now: now)
        // Where there is no other node, no position would help.
        if wanted == .replica, topology.nodes.count > 1, case .primary = verdict,
            !client.position.isFree {
            wantPositions(now: now)
        }
        switch verdict {
        case .node(let node): lease(client, from: node, asReplica: true, now: now)
        case .primary(let node): lease(client, from: node, asReplica: false, now: now)
        case .hold(let reason): hold(client, reason, now: now)
        case .refuse(let sqlState, let message):
            fail(client, ErrorResponse(.error, sqlState, message), now: now)
        }
    }

    private func choose(
        for client: ClientSession, _ wanted: Destination, now: Instant
    ) -> RouteVerdict {
        if wanted == .primary { return ReplicaChoice.primary(topology) }
        var request = ReadRequest(
            route: effectiveRoute(of: client),
            consistency: client.own.consistency ?? client.consistency, policy: policy.routing)
        if client.unit.isLogin {
            // Any member can say what a greeting needs.
            request.route = .auto
            request.consistency = .eventual
            request.mayUsePrimary = true
        }
        request.avoided = client.unit.avoided
        return ReplicaChoice.choose(
            topology, loads: loads, position: client.position, request: request, now: now,
            using: &random)
    }

    private func effectiveRoute(of client: ClientSession) -> Route {
        if let hint = client.unit.hint { return hint == .primary ? .primary : .replica }
        return client.own.route ?? client.route
    }

    /// Where a unit may go, by what it does, what was asked for, and what it was refused.
    private func destination(of client: ClientSession, now: Instant) -> Destination {
        if client.unit.wantsNewest && topology.primary != nil { return .primary }
        if client.unit.isLogin { return .replica }
        if client.policy.pool.mode == .session || client.unit.restoresFailure { return .primary }
        let route = effectiveRoute(of: client)
        if route == .primary || client.unit.attempts > 1 || client.settings.isSerializable {
            return .primary
        }
        // A standby can parse and describe what it could not run. So who prepares never waits for
        // the servers of open transactions; pgbench prepares while others of its thread hold them.
        if client.unit.onlyPrepares { return .replica }
        if !client.unit.effects.isDisjoint(with: StateInspection.pinning) { return .primary }
        if let begin = client.deferredBegin {
            return transactionDestination(begin, of: client, asked: route)
        }
        if client.unit.destination == .primary { return route == .replica ? .replica : .primary }
        if client.database.isRefused(client.unit.shape, now: now) { return .primary }
        return .replica
    }

    /// A transaction goes to a replica only when it can never write there.
    private func transactionDestination(
        _ begin: ClientSession.DeferredBegin, of client: ClientSession, asked route: Route
    ) -> Destination {
        if begin.isSerializable || begin.saysReadWrite { return .primary }
        if client.unit.containsTransactionControl { return .primary }
        if client.unit.destination == .primary { return .primary }
        let standard = client.settings["default_transaction_read_only"]
        let readOnly = begin.readOnly ?? (standard == "on")
        return readOnly || route == .replica ? .replica : .primary
    }

    // MARK: A server of that node

    private func lease(
        _ client: ClientSession, from node: NodeID, asReplica: Bool, now: Instant
    ) {
        client.unit.node = node
        client.unit.runsOnReplica = asReplica
        client.unit.isCounted = true
        loads.began(on: node, now: now)
        let pool = self.pool(on: node, for: client)
        while pool.waitingCount == 0, let server = pool.takeIdle() {
            if isUsable(server, for: client) {
                return attach(server, to: client, now: now)
            }
            close(server, .topology)
        }
        client.unit.phase = .waiting
        client.unit.waitingSince = now
        pool.enqueue(client)
        grow(pool, now: now)
        announceWaiting(pool)
    }

    /// A write needs a server that is known not to be in recovery; a read takes any.
    func isUsable(_ server: ServerConnection, for client: ClientSession) -> Bool {
        client.unit.runsOnReplica || server.isInRecovery == false
    }

    func attach(_ server: ServerConnection, to client: ClientSession, now: Instant) {
        if client.unit.phase == .waiting {
            counters.waits.record(now - client.unit.waitingSince)
        }
        server.phase = .leased
        server.client = client
        client.server = server
        prepare(client, on: server, now: now)
    }

    func hold(_ client: ClientSession, _ reason: HoldReason, now: Instant) {
        if reason == .position { wantPositions(now: now) }
        client.unit.holdReason = reason
        client.unit.waitingSince = now
        client.unit.phase = .held
        held.append(client)
    }

    /// Where a read has to wait for a replica, or to do without one, newer positions would help.
    private func wantPositions(now: Instant) {
        guard now - positionsWantedAt >= Self.wantSpacing else { return }
        positionsWantedAt = now
        effects.append(.wantPositions)
    }

    // MARK: Ready to run

    /// Brings the server's session to where the client's is, then runs the unit.
    func prepare(_ client: ClientSession, on server: ServerConnection, now: Instant) {
        server.isSettled = false
        server.bound = nil
        client.unit.useMark = server.useCount
        client.unit.runningSince = now
        countAsExecuting(client, true, now: now)
        let replay = SettingsReplay.text(from: server.applied, to: client.settings)
        if replay == nil { server.applied = client.settings }
        var text = replay
        if mustForgetSequences(client) {
            text = (replay.map { $0 + ";" } ?? "") + "DISCARD SEQUENCES"
        }
        guard server.status == .idle, let text else {
            return settingsApplied(client, on: server, now: now)
        }
        client.unit.phase = .preparing
        server.run(.settings, text)
        sent(to: server)
    }

    /// Whether the server remembers the values of whoever had it before, and the client asks for
    /// its own. It has none outside the transaction of their nextval, and PostgreSQL tells it so.
    private func mustForgetSequences(_ client: ClientSession) -> Bool {
        client.unit.effects.contains(.sequenceState) && !client.keepsServer
    }

    /// The server has the session's settings.
    func settingsApplied(_ client: ClientSession, on server: ServerConnection, now: Instant) {
        if prepareStatements(client, on: server) { return }
        compareResults(client, on: server, now: now)
    }

    func start(_ client: ClientSession, on server: ServerConnection, now: Instant) {
        client.unit.phase = .running
        if client.unit.isLogin { return finishLogin(client, on: server, now: now) }
        if client.isCancelRequested {
            client.isCancelRequested = false
            if server.status == .inTransaction { return failOnServer(client, .canceled, server) }
            return fail(client, .canceled, now: now)
        }
        reportDifferences(to: client, from: server)
        let target: UnitTarget = client.unit.runsOnReplica ? .replica : .primary
        counters.unitRouted(
            client.unit.countsAsRead ? .read : .write, to: server.key.node, as: target)
        if client.unit.carriesBegin { begin(client, on: server) }
        if client.unit.restoresFailure { restoreFailure(client, on: server) }
        translate(client, to: server, now: now)
        // While it waited the rest of the unit may have come: its Sync, or a long message.
        advance(client, now: now)
        reconsiderReading(client)
    }

    /// Tells a client what its new server reports differently from its last one.
    func reportDifferences(to client: ClientSession, from server: ServerConnection) {
        if client.reported.isSame(as: server.reported) {
            client.reported = server.reported
            return
        }
        for entry in server.reported.entries
        where entry.name != ReportedName.hotStandby && client.reported[entry.name] != entry.value {
            ParameterStatus.write(
                name: ReportedName.display(entry.name), value: entry.value, to: &client.output)
            markDirty(client)
        }
        client.reported = server.reported
    }

    /// Sends the deferred BEGIN in front of the unit.
    ///
    /// By the extended protocol and without a Sync: if the BEGIN fails, the server skips what
    /// follows, and no statement runs outside the transaction that it was meant for.
    private func begin(_ client: ClientSession, on server: ServerConnection) {
        guard let begin = client.deferredBegin else { return }
        execute(begin.statements, on: server)
        // Otherwise who executes an unnamed portal that it has not bound would come to the BEGIN.
        if client.unit.bindsUnnamed || client.unread.byte(at: 0) == FrontendKind.query { return }
        closePortal([], on: server)
    }

    /// Brings a server to where the client believes to be: in a transaction that has failed.
    private func restoreFailure(_ client: ClientSession, on server: ServerConnection) {
        client.aborted = .no
        execute(client.begun?.statements ?? [Array("BEGIN".utf8)], on: server)
        executeNothing(on: server, for: .meant)
        sync(server, for: .nobody)
    }

    /// Statements of martlet's own, by the extended protocol and without a Sync.
    func execute(
        _ statements: [[UInt8]], on server: ServerConnection, portal: [UInt8] = [],
        answer: OwedReply = OwedReply(.execute, for: .nobody)
    ) {
        for statement in statements {
            Parse.write(
                name: [], definition: statement + [0, 0, 0], to: &server.output)
            server.output.message(FrontendKind.bind) { body in
                body.append(terminated: portal)
                for _ in 0..<7 { body.append(byte: 0) }  // an empty name, three empty lists
            }
            server.output.message(FrontendKind.execute) { body in
                body.append(terminated: portal)
                body.append(int32: 0)
            }
            server.replies.append(OwedReply(.parse, for: .nobody))
            server.replies.append(OwedReply(.bind, for: .nobody))
            server.replies.append(answer)
            if !portal.isEmpty { closePortal(portal, on: server) }
        }
    }

    private func closePortal(_ name: [UInt8], on server: ServerConnection) {
        server.output.message(FrontendKind.close) { body in
            body.append(byte: UInt8(ascii: "P"))
            body.append(terminated: name)
        }
        server.replies.append(OwedReply(.close, for: .nobody))
    }

    private func countAsRead(_ client: ClientSession, _ isRead: Bool, now: Instant) {
        if client.unit.isLogin || client.unit.countsAsRead == isRead { return }
        client.unit.countsAsRead = isRead
        if isRead { demand.began(now: now) } else { demand.ended(now: now) }
    }

    /// A read that has a server executes; one that has none (any more) is queued.
    func countAsExecuting(_ client: ClientSession, _ hasServer: Bool, now: Instant) {
        let isExecuting = hasServer && client.unit.countsAsRead
        if client.unit.countsAsExecuting == isExecuting { return }
        client.unit.countsAsExecuting = isExecuting
        if isExecuting { executingReads.began(now: now) } else { executingReads.ended(now: now) }
    }
}
