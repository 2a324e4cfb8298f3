// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// The two queues that clients wait in: for a server connection of a pool, and for a node.
///
/// There is one way into each (`enqueue`, `hold`), one way out (`leaveQueue`), and one for the client
/// that a server connection is given to (`attach`).
extension Pooler {
    /// The way into the queue of a pool.
    func enqueue(
        _ client: ClientSession, _ place: Unit.Place, in pool: ServerPool, now: Instant
    ) {
        client.unit.queued(place, in: pool, now: now)
        pool.enqueue(client)
        pools.queued()
    }

    /// The way into the queue of those that no node is there for.
    func hold(_ client: ClientSession, _ reason: HoldReason, now: Instant) {
        if reason == .position { wantPositions(now: now) }
        client.unit.held(reason, now: now)
        held.append(client)
    }

    /// The way out of either queue, but for the client that a server connection is given to.
    func leaveQueue(_ client: ClientSession) {
        if let pool = takeOutOfQueue(client) { announceWaiting(pool) }
    }

    /// The same, for who announces once for many clients; returns the pool in whose queue it was.
    func takeOutOfQueue(_ client: ClientSession) -> ServerPool? {
        var left: ServerPool?
        switch client.unit.phase {
        case .held:
            held.remove(client)
        case .queued(_, let pool, _):
            pool.remove(client)
            pools.leftQueue()
            left = pool
        case .gathering, .routing, .preparing, .running, .answered, .inspecting: return nil
        }
        client.unit.routed()
        return left
    }

    /// Gives a server connection to a client.
    func attach(
        _ server: ServerConnection, to client: ClientSession, _ place: Unit.Place, now: Instant
    ) {
        if case .queued(_, _, let since) = client.unit.phase {
            counters.waits.record(now - since)
            pools.leftQueue()
        }
        server.leased(to: client)
        client.attached(to: server)
        client.unit.leased(place, now: now)
    }

    /// Where a read has to wait for a replica, or to do without one, newer positions would help.
    func wantPositions(now: Instant) {
        guard held.needPositions(now: now) else { return }
        effects.append(.wantPositions)
    }

    /// Tells the other shards since when a client waits here.
    func announceWaiting(_ pool: ServerPool) {
        guard ledger.isShared else { return }
        let since = pool.oldestWaiter?.unit.waitingSince
        guard since != nil || pool.isAnnounced else { return }
        pool.announced(since != nil)
        ledger.setWaiting(pool.key, shard: shard, since: since)
        if since != nil && pool.opening == 0 {
            effects.append(.broadcast(.starving(pool.key, from: shard)))
        }
    }

    /// Lets all clients that wait in a pool choose again; those that need this node come back to it.
    func rerouteWaiters(of pool: ServerPool, now: Instant) {
        for client in Array(pool.waiters) where client.unit.isWaiting {
            _ = takeOutOfQueue(client)
            client.unit.replay.avoid(pool.key.node)
            uncount(client, now: now)
            proceed(client, .route, now: now)
        }
        announceWaiting(pool)
    }
}
