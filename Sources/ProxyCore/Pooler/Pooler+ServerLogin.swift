// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// The login at a server, from its TCP connection to its first ReadyForQuery, and what a refusal
/// means for the clients that wait.
extension Pooler {
    func login(at server: ServerConnection, _ encryption: Encryption?) {
        server.connected(
            ServerAuthentication(
                user: server.key.user, credential: logins.credential(of: server.key.user) ?? .none,
                nonce: secrets.next(18), channelBinding: encryption?.channelBinding,
                isEncrypted: encryption != nil))
        guard let message = Self.startup(for: server) else {
            return close(server, .protocolViolation)
        }
        server.requests.startUp(message)
        markDirty(server)
    }

    static func startup(for server: ServerConnection) -> StartupMessage? {
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
                keep(.keys(keys), of: server.key.user)
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
        logins.refused(user, configured: configured)
    }

    /// The first ReadyForQuery.
    func becameReady(_ server: ServerConnection, now: Instant) {
        server.loggedIn()
        counters[node: server.key.node].connects += 1
        effects.append(
            .log(
                .serverOpened(
                    server.key.node, database: server.key.database, user: server.key.user)))
        load.connected(to: server.key.node)
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
        case "t": server.report.told(isInRecovery: true)
        case "f": server.report.told(isInRecovery: false)
        default: return close(server, .protocolViolation)
        }
        opened(server, now: now)
    }

    func opened(_ server: ServerConnection, now: Instant) {
        if let pool = server.pool {
            pool.openingSucceeded()
        }
        server.opened()
        if topology.primary == server.key.node && server.isInRecovery == true {
            effects.append(.doubt(server.key.node))
        }
        release(server, isNew: true, now: now)
    }

    func openingFailed(
        _ server: ServerConnection, _ pool: ServerPool?, _ reason: String, now: Instant
    ) {
        counters[node: server.key.node].connectErrors += 1
        load.connectFailed(to: server.key.node, now: now)
        effects.append(.log(.serverFailed(server.key.node, reason: reason)))
        guard let pool else { return }
        pool.openingEnded()
        pool.openingFailed(now: now)
        rerouteWaiters(of: pool, now: now)
    }

    /// A server refused the login, by a FATAL error or in the authentication exchange.
    func loginFailed(at server: ServerConnection, _ error: ErrorResponse, now: Instant) {
        server.received(fatal: error)
        let node = server.key.node
        let mayBeBehind = mayBeBehind(node) && Self.newToReplicas.contains(error.sqlState)
        if error.sqlState == .invalidPassword && !mayBeBehind { forgetCredential(of: server.key.user) }
        effects.append(
            .log(.serverFailed(node, reason: "\(error.sqlState): \(error.message)")))
        counters[node: node].connectErrors += 1
        let pool = server.pool
        close(server, .lost)
        if let client = server.client { return replicationRefused(client, error, now: now) }
        pool?.openingFailed(now: now)
        switch error.sqlState {
        case _ where mayBeBehind:
            load.connectFailed(to: node, now: now)
            pool?.waiters.forEach { $0.unit.replay.refusedByReplica() }
            if let pool { rerouteWaiters(of: pool, now: now) }
        case .tooManyConnections where ["InitializeSessionUserId", "CheckMyDatabase"].contains(error.routine):
            // CONNECTION LIMIT of the role or database says nothing of the node: they wait.
            if let pool { rerouteWaiters(of: pool, now: now) }
        case .adminShutdown, .crashShutdown, .cannotConnectNow, .tooManyConnections, .protocolViolation:
            // It starts, stops or is full: others may have room, or it may be over soon.
            effects.append(.doubt(node))
            load.connectFailed(to: node, now: now)
            if let pool { rerouteWaiters(of: pool, now: now) }
        default:
            // It would say the same to everybody who waits.
            while let client = pool?.oldestWaiter {
                _ = takeOutOfQueue(client)
                proceed(client, .fail(error), now: now)
            }
            if let pool { announceWaiting(pool) }
        }
    }

    /// What a role or database that has just been made or changed meets on a replica that has not
    /// replayed that: no such role or password, no such database, no privilege.
    static let newToReplicas: Set<SQLState> = [
        .invalidAuthorizationSpecification, .invalidPassword, .invalidCatalogName,
        .insufficientPrivilege,
    ]

    /// Returns true when the node is a replica, which may not have replayed a change of roles.
    func mayBeBehind(_ node: NodeID) -> Bool { topology.primary.map { $0 != node } ?? false }
}
