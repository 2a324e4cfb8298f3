// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Replication connections: a WAL sender of the primary's for each, and their bytes as they come.
///
/// Such a connection has a protocol of its own (manual: "Streaming Replication Protocol"), which is
/// none of martlet's business. It gets a server that was started by its own startup packet, keeps it
/// for life and shares it with nobody; whether its user may replicate is the server's decision. It
/// counts as one of the node's servers, and among those of its user like a database of its own.
extension Pooler {
    /// Looks for a server: `route` for a client whose startup packet asked for replication.
    func openReplication(_ client: ClientSession, now: Instant) -> Step {
        client.unit.routed()
        guard let primary = topology.primary, let node = topology[primary] else {
            hold(client, .noPrimary, now: now)
            return .wait
        }
        // No database has an empty name.
        let key = PoolKey(node: primary, database: "", user: client.user)
        switch place(for: key, client.policy.pool) {
        case .granted: break
        case .poolFull:
            return .fail(
                ErrorResponse(
                    .error, .tooManyConnections, "too many replication connections of one user",
                    hint: "martlet opens \(client.policy.pool.size) at a time (pools.size)."))
        case .full(let scope):
            effects.append(.broadcast(.makeRoom(scope)))
            hold(client, .nodeFull, now: now)
            return .wait
        }
        let server = ServerConnection(id: slots.take(), key: key, bytes: bytes, now: now)
        slots.place(.server(server), at: server.id)
        server.reserved(for: client, startup: client.replication?.startup)
        client.attached(to: server)
        client.unit.leased(Unit.Place(node: primary, asReplica: false), now: now)
        effects.append(.connect(server.id, host: node.host, port: node.port))
        return .wait
    }

    private func place(for key: PoolKey, _ pool: PoolPolicy) -> SlotVerdict {
        let limits = ServerLimits(
            pool: pool.size, node: policy.pools.serversPerNode, user: pool.serversPerUser)
        let verdict = ledger.acquire(key, limits)
        guard case .full(let scope) = verdict, makeRoom(in: scope) else { return verdict }
        return ledger.acquire(key, limits)
    }

    /// The startup packet for its server: the client's own, but for the protocol's version.
    static func startup(of message: StartupMessage) -> StartupMessage? {
        try? StartupMessage(
            parameters: message.parameters.filter { !$0.name.hasPrefix("_pq_.") })
    }

    /// The first ReadyForQuery of the server: the client is greeted with what it said.
    func replicationReady(_ server: ServerConnection, now: Instant) {
        guard let client = server.client else { return close(server, .clientLeft) }
        if server.isInRecovery == true {
            // It was the primary when it was chosen, as far as anybody knew.
            effects.append(.doubt(server.key.node))
            server.lostClient()
            close(server, .topology)
            return replicationLost(client, server, now: now)
        }
        // One that does not report it is what the cluster says of it.
        server.report.told(isInRecovery: false)
        server.opened()
        _ = client.state.pinned(by: [.replication])
        counters.pinsBegun.count(.replication)
        finishUnit(client, now: now)
        // What it sent without waiting for the greeting.
        let early = client.unread.copy(0..<client.inbound.count)
        client.inbound.removeAll()
        greet(client, reported: server.reported, now: now)
        if !early.isEmpty, passReplication(early.rawSpan, from: client).destination != nil {
            server.requests.relay(early.rawSpan)
            sent(to: server)
        }
    }

    // MARK: Bytes

    func passReplication(_ bytes: RawSpan, from client: ClientSession) -> Relay {
        guard let server = client.server, let replication = client.replication else {
            return Relay(count: bytes.byteCount)
        }
        do {
            try replication.boundary.pass(bytes, limit: policy.limits.message)
        } catch {
            // In the middle of a message nothing can be said.
            guard server.boundary.isBetweenMessages else {
                close(client)
                return Relay(count: bytes.byteCount)
            }
            _ = violation(client, "invalid message length")
            return Relay(count: bytes.byteCount)
        }
        let relay = forward(bytes, to: server)
        // It leaves, and its server need not say so first.
        if replication.boundary.kind == FrontendKind.terminate,
            replication.boundary.isBetweenMessages {
            close(client)
        }
        return relay
    }

    func passReplication(_ bytes: RawSpan, from server: ServerConnection, now: Instant) -> Relay {
        guard let client = server.client else { return Relay(count: bytes.byteCount) }
        do {
            try server.boundary.pass(bytes, limit: policy.limits.message)
        } catch {
            violation(server, "a message of a length that there is not", now: now)
            return Relay(count: bytes.byteCount)
        }
        return deliver(bytes, to: client)
    }

    // MARK: The end

    /// The server would not let it in.
    func replicationRefused(_ client: ClientSession, _ error: ErrorResponse, now: Instant) {
        client.detached()
        if Refusal.isShutdown(error) {
            if let place = client.unit.place { effects.append(.doubt(place.node)) }
            client.unit.routed()
            hold(client, .noPrimary, now: now)
        } else {
            proceed(client, .fail(error), now: now)
        }
    }

    /// Its server is gone.
    func replicationLost(_ client: ClientSession, _ server: ServerConnection, now: Instant) {
        detach(client, server)
        if client.isLoggingIn {
            client.unit.routed()
            return hold(client, .noPrimary, now: now)
        }
        endReplication(client, server.boundary)
    }

    /// The client is told, unless its server had the last word or was in the middle of one.
    func endReplication(_ client: ClientSession, _ boundary: MessageBoundary) {
        if boundary.isBetweenMessages, boundary.kind != BackendKind.errorResponse {
            refuse(client, .adminShutdown, "terminating connection because its server was lost")
        } else {
            close(client)
        }
    }
}
