// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
package import StatementClassifier

/// What happens outside of a shard: another topology or configuration, a shutdown, messages of other
/// shards.
extension Pooler {
    /// No new clients from now on; those at rest leave, the others at their transaction's end.
    package func drain(now: Instant) {
        clients.drained()
        for occupant in slots.occupants {
            guard case .client(let client) = occupant else { continue }
            if client.phase != .ready {
                refuse(client, .cannotConnectNow, "the database system is shutting down")
            } else if client.replication != nil {
                // Its stream has no end of its own.
                endReplication(client, client.server?.boundary ?? MessageBoundary())
            } else if client.status == .idle && client.unit.isGathering {
                endForShutdown(client)
            }
        }
    }

    package func deliver(_ message: ShardMessage, now: Instant) {
        switch message {
        case .credential(let user, let credential): keep(credential, of: user)
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

    package func topologyChanged(_ topology: Topology, now: Instant) {
        let old = self.topology
        replace(topology)
        load.follow(topology)
        if topology.primary != old.primary || topology.timeline != old.timeline {
            fence(now: now)
        }
        for pool in pools.all where pool.waitingCount > 0 {
            let isGone = topology[pool.key.node] == nil
            let wasPrimary = old.primary == pool.key.node && topology.primary != pool.key.node
            if isGone || wasPrimary || topology.isDraining(pool.key.node) {
                rerouteWaiters(of: pool, now: now)
            }
        }
        if topology.version != old.version { closeIdleServersOfDraining() }
        if !held.isEmpty { retryHeld(now: now) }
    }

    /// A member that is to leave gets nothing new, and who works there gets to the end of it
    /// (`release` closes what comes free after that). Its server need not wait for our idle ones.
    func closeIdleServersOfDraining() {
        for pool in pools.all where topology.isDraining(pool.key.node) {
            for server in pool.idleServers { close(server, .topology) }
        }
    }

    /// Connections to a primary that is none any more are closed: nothing is written there again.
    func fence(now: Instant) {
        guard let primary = topology.primary else { return }
        for occupant in slots.occupants {
            guard case .server(let server) = occupant, !server.isClosed,
                server.hasOpened, server.key.node != primary, server.isInRecovery == false
            else { continue }
            let client = server.client
            server.lostClient()
            close(server, .topology)
            if let client { proceed(client, serverLost(client, server, now: now), now: now) }
        }
    }

    package func reconfigured(_ policy: ProxyPolicy, rules: LoginRules, now: Instant) {
        replace(policy, rules)
        logins.forgetProfiles()
        shared.forgetPolicies()
        for pool in pools.all {
            pool.reconfigured(
                policy.session(database: pool.key.database, user: pool.key.user).pool)
        }
        for occupant in slots.occupants {
            guard case .client(let client) = occupant, client.phase == .ready else { continue }
            applyPolicy(to: client, keeping: client.policy.pool.mode)
        }
    }

    /// A catalogue snapshot that differs from the one before, or none any more.
    package func catalogueChanged(_ catalogue: Catalogue?, database name: String) {
        databases.catalogueChanged(catalogue, of: name, version: versions.nextCatalogue())
    }
}
