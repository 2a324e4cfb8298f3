// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Server connections: opened within the limits, logged in, reused, handed over, closed.
extension Pooler {
    func pool(_ key: PoolKey) -> ServerPool {
        pools.pool(key, policy: policy.session(database: key.database, user: key.user).pool)
    }

    /// The same by way of the client, which knows its pools: this is asked for each unit of work.
    func pool(on node: NodeID, for client: ClientSession) -> ServerPool {
        if let pool = client.knownPool(on: node) { return pool }
        let pool = pool(PoolKey(node: node, database: client.database.name, user: client.user))
        client.leases(from: pool)
        return pool
    }

    // MARK: Opening

    /// Opens connections for those who wait, as far as the limits allow.
    func grow(_ pool: ServerPool, now: Instant) {
        while pool.mayOpen(now: now) {
            let limits = limits(of: pool, now: now)
            // Each client that waits comes here; the ledger need not be asked what is known.
            guard pool.total < limits.pool, let node = topology[pool.key.node] else { return }
            switch ledger.acquire(pool.key, limits) {
            case .granted: open(pool, node, now: now)
            case .poolFull: return
            case .full(let scope):
                if !makeRoom(in: scope) {
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
        pool.openingBegan()
        effects.append(.connect(id, host: node.host, port: node.port))
    }

    /// Closes an idle server connection of a pool that no client waits for.
    func makeRoom(in scope: ServerScope) -> Bool {
        guard let oldest = pools.oldestIdle(in: scope) else { return false }
        close(oldest, .makeRoom)
        return true
    }

    // MARK: Credentials

    /// Keeps what opens server connections for a user. When there are many, those of users without
    /// clients here are forgotten: the next login of such a user brings its credential again.
    func keep(_ credential: ServerCredential, of user: String) {
        logins.keep(credential, of: user) {
            var present: Set<String> = []
            for occupant in slots.occupants {
                if case .client(let client) = occupant { present.insert(client.user) }
            }
            return present
        }
    }

    // MARK: Reuse

    /// A server at rest serves the next client, here or on the shard whose client waits longer.
    func release(_ server: ServerConnection, isNew: Bool = false, now: Instant) {
        guard server.isLeased, server.client == nil, server.isAtRest else { return }
        guard let pool = server.pool else { return close(server, .topology) }
        let isTooOld = isTooOld(server, now: now) || clients.isDraining && clients.connected == 0
        if isTooOld || load.nodes.mayBeBroken(server.key.node, since: server.openedAt) {
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
            return proceed(client, .prepare, now: now)
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

    package func handOver(_ id: ConnectionID) -> ServerHandoff? {
        guard case .server(let server) = slots.occupant(id), server.idleSince != nil, server.isAtRest else {
            return nil
        }
        server.pool?.removeIdle(server)
        server.pool?.left()
        server.leftPool()
        slots.release(id)
        return ServerHandoff(server)
    }

    package func adopt(_ handed: ServerHandoff, now: Instant) -> ConnectionID {
        let server = handed.server
        let id = slots.take()
        server.moved(to: id, bytes: bytes)
        slots.place(.server(server), at: id)
        let pool = pool(server.key)
        server.joined(pool)
        pool.joined()
        release(server, now: now)
        return id
    }

    // MARK: Ending

    func close(_ server: ServerConnection, _ cause: ServerEnd) {
        guard !server.isClosed else { return }
        if server.hasOpened {
            counters[node: server.key.node].ends.count(cause)
        } else if let pool = server.pool {
            pool.openingEnded()
        }
        if server.idleSince != nil { server.pool?.removeIdle(server) }
        if server.isLeased && server.status == .idle && server.requests.replies.isEmpty
            && server.replication == nil {
            server.requests.terminate()
            markDirty(server)
        }
        server.pool?.left()
        server.closed()
        ledger.release(server.key)
        effects.append(.close(server.id))
    }

    /// A write needs a server that is known not to be in recovery; a read takes any.
    func isUsable(_ server: ServerConnection, for place: Unit.Place?) -> Bool {
        place?.asReplica == true || server.isInRecovery == false
    }

    /// A server that no client holds any more is brought to a state that any client can have.
    func cleanUp(_ server: ServerConnection, now: Instant) {
        guard server.isLeased, server.requests.replies.isEmpty,
            server.cancelsInFlight == 0
        else { return }
        server.abandonmentEnded()
        if server.lastFatal != nil {
            close(server, .lost)
        } else if server.requests.replies.isSkipping {
            sync(server, .skip)
        } else if server.status != .idle {
            server.run(.rollback, "ROLLBACK")
            sent(to: server)
        } else if server.session.mustDiscard {
            server.run(.discard, "DISCARD ALL")
            sent(to: server)
        } else {
            release(server, now: now)
        }
    }

    /// What the unit needs has not come to this replica yet.
    func retryOnPrimary(
        _ client: ClientSession, from server: ServerConnection, now: Instant
    ) -> Step {
        client.unit.replay.failedOnReplica()
        uncount(client, now: now)
        client.unit.routed()
        detach(client, server)
        cleanUp(server, now: now)
        return .route
    }

    /// Cancels what a server does. It serves nobody else before the request is through, so that it
    /// can hit no other statement (manual: "Canceling Requests in Progress").
    func deliverCancel(to server: ServerConnection) -> Bool {
        guard let key = server.backendKey, let node = topology[server.key.node],
            server.cancelsInFlight < 4
        else { return false }
        server.cancelSent()
        effects.append(
            .deliverCancel(
                server.id, host: node.host, port: node.port, packet: key.cancelRequest()))
        return true
    }
}

/// An idle server connection on its way to another shard: nothing owed, no client attached.
package final class ServerHandoff {
    let server: ServerConnection

    init(_ server: ServerConnection) { self.server = server }
}
