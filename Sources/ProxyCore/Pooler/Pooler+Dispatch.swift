// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A unit whose needs are known gets a server: its own, an idle one, or a place in a queue.
extension Pooler {

    func dispatch(_ client: ClientSession, now: Instant) -> Step {
        if client.unit.isRunning, let server = client.server {
            // The unit is open on its server; this is the next part of it.
            translate(client, to: server, now: now)
            return .gather
        }
        leaveFailedReplica(client, now: now)
        if let step = answerLocally(client, now: now) { return step }
        client.unit.dispatched(now: now)
        _ = client.takeCancelRequest()
        if !client.unit.onlyPrepares { client.transaction.carried() }
        if let server = client.server {
            let place = place(of: server)
            client.unit.leased(place, now: now)
            countAsRead(client, place.asReplica, now: now)
            return .prepare
        }
        client.unit.replay.routed()
        return .route
    }

    // MARK: Where to

    /// Chooses the node of a unit and asks for one of its servers.
    func route(_ client: ClientSession, now: Instant) -> Step {
        if client.replication != nil { return openReplication(client, now: now) }
        client.unit.routed()
        client.position.resolveFloor(with: topology)
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
        case .node(let node):
            return lease(client, Unit.Place(node: node, asReplica: true), now: now)
        case .primary(let node):
            return lease(client, Unit.Place(node: node, asReplica: false), now: now)
        case .hold(let reason):
            hold(client, reason, now: now)
            return .wait
        case .refuse(let sqlState, let message):
            return .fail(ErrorResponse(.error, sqlState, message))
        }
    }

    private func choose(
        for client: ClientSession, _ wanted: Destination, now: Instant
    ) -> RouteVerdict {
        if wanted == .primary { return ReplicaChoice.primary(topology) }
        var request = ReadRequest(
            route: effectiveRoute(of: client),
            consistency: client.martletSettings.values.consistency ?? client.consistency,
            policy: policy.routing)
        if client.isLoggingIn {
            // Any member can say what a greeting needs.
            request.route = .auto
            request.consistency = .eventual
            request.mayUsePrimary = true
        }
        request.avoided = client.unit.replay.avoided
        return ReplicaChoice.choose(
            topology, loads: load.nodes, position: client.position, request: request, now: now,
            using: &random)
    }

    private func effectiveRoute(of client: ClientSession) -> Route {
        if let hint = client.unit.needs.hint { return hint == .primary ? .primary : .replica }
        return client.martletSettings.values.route ?? client.route
    }

    /// Where a unit may go, by what it does, what was asked for, and what it was refused.
    private func destination(of client: ClientSession, now: Instant) -> Destination {
        if client.unit.replay.needsNewest && topology.primary != nil { return .primary }
        if client.isLoggingIn { return .replica }
        if client.policy.pool.mode == .session || client.transaction.isRestoring {
            return .primary
        }
        let route = effectiveRoute(of: client)
        if route == .primary || client.unit.replay.needsPrimary || client.settings.isSerializable {
            return .primary
        }
        // A standby can parse and describe what it could not run. So who prepares never waits for
        // the servers of open transactions; pgbench prepares while others of its thread hold them.
        if client.unit.onlyPrepares { return .replica }
        if !client.unit.needs.effects.isDisjoint(with: StateInspection.pinning) { return .primary }
        if let begin = client.transaction.deferredBegin {
            return transactionDestination(begin, of: client, asked: route)
        }
        if client.unit.needs.destination == .primary { return route == .replica ? .replica : .primary }
        if client.database.isRefused(client.unit.needs.fingerprint, now: now) { return .primary }
        return .replica
    }

    /// A transaction goes to a replica only when it can never write there.
    private func transactionDestination(
        _ begin: SessionTransaction.Begin, of client: ClientSession, asked route: Route
    ) -> Destination {
        if begin.isSerializable || begin.access == .readWrite { return .primary }
        if client.unit.needs.containsTransactionControl { return .primary }
        if client.unit.needs.destination == .primary { return .primary }
        let standard = client.settings["default_transaction_read_only"]
        let readOnly = begin.access == .readOnly || standard == "on"
        return readOnly || route == .replica ? .replica : .primary
    }

    // MARK: A server of that node

    /// Takes an idle server connection of a node, or a place in the queue for one.
    private func lease(
        _ client: ClientSession, _ place: Unit.Place, now: Instant
    ) -> Step {
        client.unit.load.counted(on: place.node)
        load.unitBegan(on: place.node, now: now)
        let pool = self.pool(on: place.node, for: client)
        while pool.waitingCount == 0, let server = pool.takeIdle() {
            if isUsable(server, for: place) {
                attach(server, to: client, place, now: now)
                return .prepare
            }
            close(server, .topology)
        }
        enqueue(client, place, in: pool, now: now)
        grow(pool, now: now)
        announceWaiting(pool)
        return .wait
    }

    // MARK: Ready to run

    /// The server connection has the session's state: the unit's messages go there.
    func start(_ client: ClientSession, on server: ServerConnection, now: Instant) -> Step {
        client.unit.started(on: client.unit.place ?? place(of: server), now: now)
        if client.takeCancelRequest() {
            guard server.status == .inTransaction else { return .fail(.canceled) }
            failOnServer(client, .canceled, server, now: now)
            return .gather
        }
        reportDifferences(to: client, from: server)
        let target: UnitTarget = client.unit.runsOnReplica ? .replica : .primary
        counters.unitRouted(
            client.unit.load.isRead ? .read : .write, to: server.key.node, as: target)
        switch client.transaction.opening {
        case .begin(let begin): self.begin(begin, for: client, on: server)
        case .failure(let begin): restoreFailure(after: begin, on: server)
        case nil: break
        }
        translate(client, to: server, now: now)
        // While it waited the rest of the unit may have come: its Sync, or a long message.
        return .gather
    }

    /// Sends the deferred BEGIN in front of the unit.
    ///
    /// By the extended protocol and without a Sync: if the BEGIN fails, the server skips what
    /// follows, and no statement runs outside the transaction that it was meant for.
    private func begin(
        _ begin: SessionTransaction.Begin, for client: ClientSession, on server: ServerConnection
    ) {
        for statement in begin.statements { server.requests.run(statement: statement) }
        // Otherwise who executes an unnamed portal that it has not bound would come to the BEGIN.
        if client.unit.needs.bindsUnnamed || client.unread.byte(at: 0) == FrontendKind.query { return }
        server.requests.close(portal: [])
    }

    /// Brings a server to where the client believes to be: in a transaction that has failed.
    private func restoreFailure(
        after begin: SessionTransaction.Begin?, on server: ServerConnection
    ) {
        for statement in begin?.statements ?? [Array("BEGIN".utf8)] {
            server.requests.run(statement: statement)
        }
        server.requests.executeFailing(.swallowError)
        sync(server, .skip)
    }
}
