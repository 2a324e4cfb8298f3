// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What happens because time passes, or because the world changed.
extension Pooler {
    private static let tick = Instant.Span.milliseconds(100)
    private static let housekeeping = Instant.Span.seconds(1)

    /// When to call `deadlineReached`: soon while somebody waits or work is timed, else once a
    /// second, and never when there is nothing that could grow old.
    package var nextDeadline: Instant? {
        if timesWork && clients.connected > 0 { return lastHousekeeping + Self.tick }
        if !held.isEmpty || pools.isAnyQueued || clients.loggingIn > 0 {
            return lastHousekeeping + Self.tick
        }
        return clients.connected > 0 || !pools.isEmpty ? lastHousekeeping + Self.housekeeping : nil
    }

    package func deadlineReached(now: Instant) {
        keptHouse(at: now)
        expireHeld(now: now)
        for pool in pools.all { tend(pool, now: now) }
        for occupant in slots.occupants {
            switch occupant {
            case .vacant: break
            case .client(let client): expire(client, now: now)
            case .server(let server):
                expire(server, now: now)
                expireOpening(of: server, now: now)
            }
        }
    }

    /// A server that takes a connection and then says nothing, in TLS or after it, is not there.
    private func expireOpening(of server: ServerConnection, now: Instant) {
        guard server.isLoggingIn else { return }
        guard now - server.openedAt >= policy.pools.connectTimeout else { return }
        lost(server, reason: "it did not log us in within pools.connect_timeout", now: now)
        effects.append(.close(server.id))
    }

    private func expireHeld(now: Instant) {
        let limit = policy.routing.holdTimeout
        for client in held.clients {
            guard case .held(let reason, let since) = client.unit.phase, now - since >= limit else {
                continue
            }
            leaveQueue(client)
            counters.errors.count(.holdTimeout)
            let (sqlState, message, hint) = reason.timeoutError
            proceed(client, .fail(ErrorResponse(.error, sqlState, message, hint: hint)), now: now)
        }
        retryHeld(now: now)
    }

    func retryHeld(now: Instant) {
        for client in held.takeAll() {
            guard case .held(_, let since) = client.unit.phase else { continue }
            client.unit.routed()
            let answer = client.isLoggingIn ? nil : answerLocally(client, now: now)
            proceed(client, answer ?? .route, now: now)
            // The next unit may be held now, which began to wait at this moment.
            if case .held(_, since) = client.unit.phase { continue }
            counters.holds.record(now - since)
        }
    }

    private func tend(_ pool: ServerPool, now: Instant) {
        while let client = pool.oldestWaiter, let since = client.unit.waitingSince,
            now - since >= pool.policy.waitTimeout {
            leaveQueue(client)
            counters.errors.count(.waitTimeout)
            proceed(client, .fail(.noServer(pool.policy.size)), now: now)
        }
        if pool.waitingCount > 0 { grow(pool, now: now) }
        let idleTimeout = policy.pools.serverIdleTimeout
        for server in pool.idleServers {
            let isTooOld = isTooOld(server, now: now)
            let isUnused = idleTimeout > .zero && now - (server.idleSince ?? now) >= idleTimeout
            guard isTooOld || isUnused else { continue }
            close(server, isTooOld ? .lifetime : .idleTimeout)
        }
        guard pool.isEmpty else { return }
        pool.retired()
        pools.remove(pool)
    }

    private func expire(_ client: ClientSession, now: Instant) {
        switch client.phase {
        case .closed: return
        case .loggingIn:
            guard now - client.acceptedAt >= policy.clients.loginTimeout else { return }
            counters.logins.count(.timeout)
            refuse(client, .queryCanceled, "canceling authentication due to timeout")
        case .ready:
            if client.replication != nil { return }
            expireWork(of: client, now: now)
            // One that stops in the middle of a message keeps its server waiting.
            let isAmidMessage = client.inbound.remaining > 0 && !client.isReadingPaused
            guard client.phase == .ready, client.unit.isGathering || isAmidMessage else {
                return
            }
            let idle = now - client.lastActivity
            let limit =
                client.status == .idle
                ? client.policy.clients.idleTimeout : client.policy.clients.idleInTransactionTimeout
            guard limit > .zero, idle >= limit else { return }
            counters.errors.count(.idleTimeout)
            if client.status == .idle {
                refuse(client, .idleSessionTimeout, "terminating connection due to idle-session timeout")
            } else {
                refuse(
                    client, .idleInTransactionSessionTimeout,
                    "terminating connection due to idle-in-transaction timeout")
            }
        }
    }

    // MARK: Work that takes too long

    /// A cancel request may come before the server has begun, or get lost: it is made again.
    private static let cancelInterval = Instant.Span.seconds(1)

    private func expireWork(of client: ClientSession, now: Instant) {
        let limits = client.policy.clients
        let isTransactionOver = client.transaction.since.map {
            Self.isOver(limits.transactionTimeout, since: $0, now)
        }
        switch client.unit.phase {
        case .running where client.server?.requests.replies.isEmpty == false:
            if let since = client.unit.runningSince,
                Self.isOver(limits.queryTimeout, since: since, now) {
                cancelWork(of: client, .query, now: now)
            } else if isTransactionOver == true && !client.unit.needs.mayCommit {
                // Nobody could say any more what became of a COMMIT.
                cancelWork(of: client, .transaction, now: now)
            }
        case .gathering, .routing, .queued, .held, .running:
            guard isTransactionOver == true, client.inbound.remaining == 0 else { return }
            counters.errors.count(.transactionTimeout)
            refuse(client, .transactionTimeout, "terminating connection due to transaction timeout")
        case .preparing where client.server?.internalQuery?.purpose.mayWaitForLock == true:
            if let since = client.unit.runningSince,
                Self.isOver(limits.queryTimeout, since: since, now) {
                cancelWork(of: client, .query, now: now)
            }
        case .preparing, .answered, .inspecting: break
        }
    }

    private static func isOver(_ limit: Instant.Span, since: Instant, _ now: Instant) -> Bool {
        limit > .zero && now - since >= limit
    }

    private func cancelWork(
        of client: ClientSession, _ subject: Unit.Overdue.Subject, now: Instant
    ) {
        if let last = client.unit.overdue?.cancelledAt, now - last < Self.cancelInterval { return }
        guard let server = client.server else { return }
        if server.requests.replies.isCopyingIn && client.inbound.remaining == 0 {
            // A server that waits for the rows of a COPY does not heed cancel requests.
            failCopy(server, needsSync: false, reason: "\(subject.rawValue) timeout")
        } else if !deliverCancel(to: server) {
            return
        }
        if client.unit.overdue == nil && subject == .query { counters.errors.count(.queryTimeout) }
        client.unit.cancelled(Unit.Overdue(subject: subject, cancelledAt: now))
    }

}
