// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Server connections: opened within the limits, logged in, reused, handed over, closed.
extension Pooler {
    func pool(_ key: PoolKey) -> ServerPool {
        if let pool = pools[key] { return pool }
        let pool = ServerPool(
            key: key, policy: policy.session(database: key.database, user: key.user).pool)
        pools[key] = pool
        return pool
    }

    /// The same by way of the client, which knows its pools: this is asked for each unit of work.
    func pool(on node: NodeID, for client: ClientSession) -> ServerPool {
        for pool in client.pools where pool.key.node == node && !pool.isRetired { return pool }
        let pool = pool(PoolKey(node: node, database: client.database.name, user: client.user))
        client.pools.removeAll { $0.key.node == node || $0.isRetired }
        client.pools.append(pool)
        return pool
    }

    // MARK: Opening

    /// Opens connections for those who wait, as far as the limits allow.
    func grow(_ pool: ServerPool, now: Instant) {
        if let retryAt = pool.retryAt, now < retryAt { return }
        while pool.opening < pool.waitingCount {
            // After a failure one connection at a time finds out whether it is over.
            if pool.failures > 0 && pool.opening > 0 { return }
            let limits = limits(of: pool, now: now)
            // Each client that waits comes here; the ledger need not be asked what is known.
            guard pool.total < limits.pool, let node = topology[pool.key.node] else { return }
            switch ledger.acquire(pool.key, limits) {
            case .granted: open(pool, node, now: now)
            case .poolFull: return
            case .full(let scope):
                if !makeRoom(in: scope, now: now) {
                    effects.append(.broadcast(.makeRoom(scope)))
                    return
                }
            }
        }
    }

    /// The reserve is there for those who have waited for long.
    private func limits(of pool: ServerPool, now: Instant) -> ServerLimits {
        var limits = ServerLimits(
            pool: pool.policy.size, node: policy.pools.serversPerNode,
            user: pool.policy.serversPerUser, database: pool.policy.serversPerDatabase)
        if let since = pool.oldestWaiter?.unit.waitingSince,
            now - since >= policy.pools.reserveTimeout
        {
            limits.pool += pool.policy.reserveSize
        }
        return limits
    }

    private func open(_ pool: ServerPool, _ node: Topology.Node, now: Instant) {
        let id = slots.take()
        let server = ServerConnection(id: id, key: pool.key, bytes: bytes, now: now)
        server.joined(pool)
        slots.place(.server(server), at: id)
        pool.opening += 1
        pool.total += 1
        effects.append(.connect(id, host: node.host, port: node.port))
    }

    /// Closes an idle server of a pool that nobody waits for.
    func makeRoom(in scope: ServerScope, now: Instant) -> Bool {
        var oldest: ServerConnection?
        for pool in pools.values where scope.contains(pool.key) && pool.waitingCount == 0 {
            guard let server = pool.idleServers.first else { continue }
            if let oldest, (oldest.idleSince ?? now) <= (server.idleSince ?? now) { continue }
            oldest = server
        }
        guard let oldest else { return false }
        close(oldest, .makeRoom)
        return true
    }

    // MARK: Login

    func login(at server: ServerConnection, _ encryption: Encryption?) {
        server.connected(
            ServerAuthentication(
                user: server.key.user, credential: credentials[server.key.user] ?? .none,
                nonce: secrets.next(18), channelBinding: encryption?.channelBinding,
                isEncrypted: encryption != nil))
        guard let message = Self.startup(for: server) else {
            return close(server, .protocolViolation)
        }
        server.requests.startUp(message)
        markDirty(server)
    }

    private static func startup(for server: ServerConnection) -> StartupMessage? {
        if let replication = server.replication { return startup(of: replication) }
        return try? StartupMessage(parameters: [
            StartupMessage.Parameter("user", server.key.user),
            StartupMessage.Parameter("database", server.key.database),
            StartupMessage.Parameter("client_encoding", "UTF8"),
        ])
    }

    func authenticate(
        _ server: ServerConnection, _ body: RawSpan, now: Instant
    ) throws(WireError) {
        guard case .authenticating = server.phase else { throw .invalid }
        do {
            let outcome = try server.authenticationReceived(body)
            markDirty(server)
            if case .authenticated(let keys?) = outcome {
                credentials[server.key.user] = .keys(keys)
            }
        } catch {
            if error.needsNewSecret && !mayBeBehind(server.key.node) {
                forgetCredential(of: server.key.user)
            }
            loginFailed(
                at: server, ErrorResponse(.fatal, error.sqlState, error.message), now: now)
        }
    }

    /// What opened the servers for a user does so no more; its next login brings the new one.
    func forgetCredential(of user: String) {
        let configured = rules.credentialWithoutExchange(of: user)
        credentials[user] = configured == .none ? nil : configured
        profiles = profiles.filter { $0.key.user != user }
    }

    /// The first ReadyForQuery.
    func becameReady(_ server: ServerConnection, now: Instant) {
        server.loggedIn()
        counters[node: server.key.node].connects += 1
        effects.append(
            .log(
                .serverOpened(
                    server.key.node, database: server.key.database, user: server.key.user)))
        loads.connected(to: server.key.node)
        if server.replication != nil { return replicationReady(server, now: now) }
        if server.isInRecovery == nil {
            // Before PostgreSQL 14 it is not reported.
            server.run(.recoveryCheck, "SELECT pg_catalog.pg_is_in_recovery()")
            sent(to: server)
        } else {
            opened(server, now: now)
        }
    }

    func recoveryChecked(_ server: ServerConnection, _ query: InternalQuery, now: Instant) {
        switch query.rows.first?.first {
        case "t": server.told(isInRecovery: true)
        case "f": server.told(isInRecovery: false)
        default: return close(server, .protocolViolation)
        }
        opened(server, now: now)
    }

    private func opened(_ server: ServerConnection, now: Instant) {
        if let pool = server.pool {
            pool.opening -= 1
            pool.openingSucceeded()
        }
        server.opened()
        if topology.primary == server.key.node && server.isInRecovery == true {
            effects.append(.doubt(server.key.node))
        }
        release(server, isNew: true, now: now)
    }

    // MARK: Reuse

    /// A server at rest serves the next client, here or on the shard whose client waits longer.
    func release(_ server: ServerConnection, isNew: Bool = false, now: Instant) {
        guard server.isLeased, server.client == nil, server.isAtRest else { return }
        guard let pool = server.pool else { return close(server, .topology) }
        let isTooOld = isTooOld(server, now: now) || isDraining && clientCount == 0
        if isTooOld || loads.mayBeBroken(server.key.node, since: server.openedAt) {
            close(server, isTooOld ? .lifetime : .lost)
            return grow(pool, now: now)
        }
        let oldest = pool.oldestWaiter
        if let other = ledger.longerWaiting(
            server.key, than: oldest?.unit.waitingSince, shard: shard) {
            effects.append(.transfer(server.id, to: other))
            server.becameIdle(now: now)
            return
        }
        if let client = pool.dequeue(where: { isUsable(server, for: $0.unit.place) }),
            let place = client.unit.place
        {
            announceWaiting(pool)
            attach(server, to: client, place, now: now)
            return proceed(client, .prepare(server), now: now)
        }
        if pool.waitingCount > 0 { return replace(server, isNew: isNew, now: now) }
        if topology.isDraining(server.key.node) { return close(server, .topology) }
        server.becameIdle(now: now)
        pool.addIdle(server)
    }

    func isTooOld(_ server: ServerConnection, now: Instant) -> Bool {
        let lifetime = policy.pools.serverLifetime
        return lifetime > .zero && now - server.openedAt >= lifetime
    }

    /// Those who wait need a primary, and this is a standby's: its place is for another one.
    ///
    /// It may be a standby's of before a promotion, or the node is not what it was taken for.
    private func replace(_ server: ServerConnection, isNew: Bool, now: Instant) {
        guard let pool = server.pool else { return }
        close(server, .topology)
        effects.append(.doubt(server.key.node))
        if isNew { pool.openingFailed(now: now) }
        rerouteWaiters(of: pool, now: now)
    }

    /// Tells the other shards since when a client waits here.
    func announceWaiting(_ pool: ServerPool) {
        guard ledger.isShared else { return }
        let since = pool.oldestWaiter?.unit.waitingSince
        guard since != nil || pool.isAnnounced else { return }
        pool.isAnnounced = since != nil
        ledger.setWaiting(pool.key, shard: shard, since: since)
        if since != nil && pool.opening == 0 {
            effects.append(.broadcast(.starving(pool.key, from: shard)))
        }
    }

    package func handOver(_ id: ConnectionID) -> HandedServer? {
        guard case .server(let server) = occupant(id), server.idleSince != nil, server.isAtRest else {
            return nil
        }
        server.pool?.removeIdle(server)
        server.pool?.total -= 1
        server.leftPool()
        slots.release(id)
        return HandedServer(server)
    }

    package func adopt(_ handed: HandedServer, now: Instant) -> ConnectionID {
        let server = handed.server
        let id = slots.take()
        server.moved(to: id, bytes: bytes)
        slots.place(.server(server), at: id)
        let pool = pool(server.key)
        server.joined(pool)
        pool.total += 1
        release(server, now: now)
        return id
    }

    // MARK: Ending

    func close(_ server: ServerConnection, _ cause: ServerEnd) {
        guard !server.isClosed else { return }
        if server.hasOpened {
            counters[node: server.key.node].ends.count(cause)
        } else if let pool = server.pool {
            pool.opening -= 1
        }
        if server.idleSince != nil { server.pool?.removeIdle(server) }
        if server.isLeased && server.status == .idle && server.requests.replies.isEmpty
            && server.replication == nil {
            server.requests.terminate()
            markDirty(server)
        }
        server.pool?.total -= 1
        server.closed()
        ledger.release(server.key)
        effects.append(.close(server.id))
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

/// An idle server on its way to another shard: nothing owed, nobody attached.
package final class HandedServer {
    let server: ServerConnection

    init(_ server: ServerConnection) { self.server = server }
}
