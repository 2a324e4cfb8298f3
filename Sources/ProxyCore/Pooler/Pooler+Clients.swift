// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Clients that leave, are asked to leave, or want something cancelled.
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
        if !wasLoggingIn || client.login?.hasClientPlace == true { ledger.releaseClient() }
        if !wasLoggingIn || client.login?.hasUserPlace == true {
            ledger.releaseClient(ofUser: client.user)
        }
        if !wasLoggingIn { effects.append(.log(.clientLeft(client.id, user: client.user))) }
        held.removeAll { $0 === client }
        if client.unit.phase == .waiting, let node = client.unit.node {
            let key = PoolKey(node: node, database: client.database.name, user: client.user)
            if let pool = pools[key] {
                pool.remove(client)
                announceWaiting(pool)
            }
        }
        let unitIsOpen = client.unit.phase == .running && !client.unit.isComplete
        let effects = client.pendingEffects.union(client.unit.effects)
        finishUnit(client, now: now)
        client.inbound.removeAll()
        guard let server = client.server else { return }
        detach(client, server)
        if client.keepsServer || !effects.isDisjoint(with: StateInspection.unknowable) {
            server.mustDiscard = true
        }
        abandon(server, unitIsOpen: unitIsOpen, isTorn: client.passing > 0, now: now)
    }

    /// A server whose client left in the middle of something: what runs goes on to its end, as it
    /// would on a connection of the client's own; then the server is cleaned.
    private func abandon(
        _ server: ServerConnection, unitIsOpen: Bool, isTorn: Bool, now: Instant
    ) {
        if isTorn {
            // Half a message is with the server; the rest will not come.
            return close(server, .clientLeft)
        }
        server.replies.silence()
        server.passingIsVisible = false
        if server.copy == .incoming {
            server.output.message(FrontendKind.copyFail) { $0.append(terminated: "client left") }
            server.copy = .none
        }
        if unitIsOpen {
            server.output.message(FrontendKind.sync)
            server.replies.append(OwedReply(.sync, for: .nobody))
        }
        sent(to: server)
        if server.replies.isEmpty { cleanUp(server, now: now) }
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
            } else if client.status == .idle && client.unit.phase == .gathering
                && client.deferredBegin == nil {
                farewell(client)
            }
        }
    }

    // MARK: Cancel

    /// What a client must name to cancel: the process id says where its session is.
    func keyData(of client: ClientSession) -> BackendKeyData {
        BackendKeyData(
            processID: UInt32(shard.index & 0x7f) << 24 | (client.id.slot & 0xff_ffff),
            secret: [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: client.cancelSecret >> $0) })
    }

    func route(cancel processID: UInt32, secret: [UInt8], now: Instant) {
        let owner = ShardID(Int(processID >> 24 & 0x7f))
        if owner == shard {
            cancel(processID: processID, secret: secret, now: now)
        } else {
            effects.append(.post(owner, .cancel(processID: processID, secret: secret)))
        }
    }

    private func cancel(processID: UInt32, secret: [UInt8], now: Instant) {
        let slot = Int(processID & 0xff_ffff)
        guard slot < slots.count, case .client(let client) = slots[slot].occupant,
            client.phase == .ready, Digests.areEqual(keyData(of: client).secret, secret)
        else {
            counters.cancels.count(.ignored)
            return
        }
        switch client.unit.phase {
        case .waiting, .held:
            counters.cancels.count(.answered)
            dequeue(client)
            fail(client, .canceled, now: now)
        case .preparing:
            counters.cancels.count(.answered)
            client.isCancelRequested = true
        case .running: deliverCancel(of: client)
        case .gathering, .inspecting: counters.cancels.count(.ignored)
        }
    }

    func dequeue(_ client: ClientSession) {
        held.removeAll { $0 === client }
        guard let node = client.unit.node else { return }
        let key = PoolKey(node: node, database: client.database.name, user: client.user)
        guard let pool = pools[key] else { return }
        pool.remove(client)
        announceWaiting(pool)
    }

    /// Cancels what a server does for a client. The server serves nobody else before the request
    /// is through, so it can hit no other statement (manual: "Canceling Requests in Progress").
    private func deliverCancel(of client: ClientSession) {
        guard let server = client.server, let key = server.backendKey,
            let node = topology[server.key.node], server.cancelsInFlight < 4
        else {
            counters.cancels.count(.ignored)
            return
        }
        counters.cancels.count(.delivered)
        server.cancelsInFlight += 1
        effects.append(
            .deliverCancel(
                server.id, host: node.host, port: node.port, packet: key.cancelRequest()))
    }

    package func cancelDelivered(to id: ConnectionID, now: Instant) {
        guard case .server(let server) = occupant(id), server.cancelsInFlight > 0 else { return }
        server.cancelsInFlight -= 1
        if server.client == nil { release(server, now: now) }
    }

    // MARK: Messages of other shards

    package func deliver(_ message: ShardMessage, now: Instant) {
        switch message {
        case .credential(let user, let credential): credentials[user] = credential
        case .cancel(let processID, let secret):
            cancel(processID: processID, secret: secret, now: now)
        case .starving(let key, let from):
            guard from != shard, let pool = pools[key], pool.waitingCount == 0,
                let server = pool.takeIdle()
            else { return }
            effects.append(.transfer(server.id, to: from))
        case .makeRoom(let node):
            _ = makeRoom(on: node)
        }
    }
}
