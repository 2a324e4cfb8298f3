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
        client.phase = .closed
        if wasLoggingIn { loggingIn -= 1 }
        clientCount -= 1
        for place in client.places { ledger.releaseClient(in: place) }
        client.places.removeAll()
        if !wasLoggingIn { effects.append(.log(.clientLeft(client.id, user: client.user))) }
        held.removeAll { $0 === client }
        if client.unit.phase == .waiting, let node = client.unit.node {
            let pool = pool(on: node, for: client)
            pool.remove(client)
            announceWaiting(pool)
        }
        let unitIsOpen = client.unit.phase == .running && !client.unit.isComplete
        let effects = client.transaction.effects.union(client.unit.effects)
        // A read is of no use to anybody now; what a transaction did is rolled back in any case.
        let mayCancel = client.server.map { isRead(client, on: $0) } ?? false
            || client.status != .idle && !client.unit.mayCommit
        finishUnit(client, now: now)
        client.inbound.removeAll()
        guard let server = client.server else { return }
        detach(client, server)
        if client.replication != nil { return close(server, .clientLeft) }
        if client.keepsServer || !effects.isDisjoint(with: StateInspection.unknowable) {
            server.mustDiscard = true
        }
        if client.passing > 0 && !client.isDropping {
            // Half a message is with the server; the rest will not come.
            return close(server, .clientLeft)
        }
        if server.errand == .none {
            server.abandonment = ServerConnection.Abandonment(since: now, mayCancel: mayCancel)
        }
        abandon(server, unitIsOpen: unitIsOpen, now: now)
    }

    /// A server whose client left in the middle of something is asked for the end of it, and then
    /// cleaned.
    private func abandon(_ server: ServerConnection, unitIsOpen: Bool, now: Instant) {
        server.replies.silence()
        server.passingIsVisible = false
        if server.copy == .incoming { failCopy(server, needsSync: false) }
        if unitIsOpen { sync(server, for: .nobody) }
        if server.replies.isEmpty { cleanUp(server, now: now) }
    }

    // MARK: Answers for nobody

    // PostgreSQL notices that a client is gone when it next writes to it: then the statement ends
    // and is rolled back. Until then it runs, and a write that says nothing runs to its end and
    // commits. It is the same here: what sends more than a buffer of its answer is ended, what says
    // nothing goes on, so that a statement sent by one who does not wait has the effect that it
    // would have without martlet. But a server is one of few: where the outcome is known to be
    // nothing, a read or a transaction that will be rolled back, the statement is cancelled after a
    // moment in which most end by themselves. A cancelled server is used again, a closed one not.

    private static let patience = Instant.Span.seconds(1)
    private static let patienceAfterCancel = Instant.Span.seconds(5)

    /// More of an answer came that nobody waits for.
    func dropped(_ count: Int, of server: ServerConnection, now: Instant) {
        server.abandonment?.dropped += count
        guard let abandonment = server.abandonment,
            abandonment.dropped > policy.limits.pendingOutput, abandonment.cancelledAt == nil
        else { return }
        endAnswer(of: server, now: now)
    }

    /// Time passed; an answer that nobody waits for is not there yet.
    func expire(_ server: ServerConnection, now: Instant) {
        guard let abandonment = server.abandonment, abandonment.mayCancel else { return }
        let patience =
            abandonment.cancelledAt == nil ? Self.patience : Self.patienceAfterCancel
        if now - (abandonment.cancelledAt ?? abandonment.since) >= patience {
            endAnswer(of: server, now: now)
        }
    }

    private func endAnswer(of server: ServerConnection, now: Instant) {
        if server.abandonment?.mayCancel == true, server.abandonment?.cancelledAt == nil,
            deliverCancel(to: server) {
            server.abandonment?.cancelledAt = now
        } else {
            close(server, .clientLeft)
        }
    }

    /// martlet shuts down: a client between transactions is told so and leaves.
    func farewell(_ client: ClientSession) {
        counters.errors.count(.shutdown)
        refuse(client, "57P01", "terminating connection due to administrator command")
    }

    /// No new clients from now on; those at rest leave, the others at their transaction's end.
    package func drain(now: Instant) {
        isDraining = true
        for slot in slots {
            guard case .client(let client) = slot.occupant else { continue }
            if client.phase != .ready {
                refuse(client, "57P03", "the database system is shutting down")
            } else if client.replication != nil {
                // Its stream has no end of its own.
                endReplication(client, client.server?.boundary ?? MessageBoundary())
            } else if client.status == .idle && client.unit.phase == .gathering {
                farewell(client)
            }
        }
    }

    func dequeue(_ client: ClientSession) {
        held.removeAll { $0 === client }
        guard let node = client.unit.node else { return }
        let pool = pool(on: node, for: client)
        pool.remove(client)
        announceWaiting(pool)
    }

    // MARK: Messages of other shards

    package func deliver(_ message: ShardMessage, now: Instant) {
        switch message {
        case .credential(let user, let credential): credentials[user] = credential
        case .cancel(let key): cancel(key, now: now)
        case .starving(let key, let from):
            guard from != shard, let pool = pools[key], pool.waitingCount == 0,
                let server = pool.takeIdle()
            else { return }
            effects.append(.transfer(server.id, to: from))
        case .makeRoom(let scope):
            _ = makeRoom(in: scope)
        }
    }
}
