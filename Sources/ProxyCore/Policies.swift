// SPDX-License-Identifier: Apache-2.0

/// Everything an operator may set that the core's decisions depend on.
///
/// One immutable value a configuration; a reload replaces it whole.
package struct ProxyPolicy: Equatable, Sendable {
    package var clients = ClientPolicy()
    package var pools = PoolPolicies()
    package var routing = RoutingPolicy()
    package var topology = TopologyPolicy()
    package var authentication = AuthenticationPolicy()
    package var limits = BufferLimits()
    package var tcp = TCPPolicy()

    package init() {}
}

/// Limits of client connections. A count or time of zero is no limit.
package struct ClientPolicy: Equatable, Sendable {
    /// Clients in all; one more gets 53300. Never zero.
    package var maximum = 10_000
    /// Clients of one user, and of one database (53300).
    package var maximumPerUser = 0
    package var maximumPerDatabase = 0
    /// Clients that have not proved yet who they are, in all and from one address (53300).
    package var maximumLoggingIn = 10_000
    package var maximumLoggingInPerAddress = 0
    /// From accept to the first `ReadyForQuery` (57014). Never zero.
    package var loginTimeout = Instant.Span.seconds(60)
    /// A client outside a transaction that sends nothing (57P05).
    package var idleTimeout = Instant.Span.zero
    /// A client inside a transaction that sends nothing (25P03).
    package var idleInTransactionTimeout = Instant.Span.zero
    /// A query, or the messages up to a Sync, on its server: it is cancelled there (57014).
    package var queryTimeout = Instant.Span.zero
    /// A transaction block, from its BEGIN: what runs is cancelled, and the client leaves (25P04).
    package var transactionTimeout = Instant.Span.zero

    package init() {}
}

package enum PoolMode: String, Equatable, Sendable, CaseIterable {
    /// A server belongs to a client for one transaction.
    case transaction
    /// A server belongs to a client until it leaves; all its work goes to that server.
    case session
}

/// How the servers of one database and user are pooled.
package struct PoolPolicy: Equatable, Sendable {
    package var mode = PoolMode.transaction
    /// Server connections to one node, for one database and user.
    package var size = 20
    /// More of them, while a client has waited for longer than `PoolPolicies.reserveTimeout`.
    package var reserveSize = 0
    /// Server connections to one node for one user, and for one database; zero for no limit.
    package var serversPerUser = 0
    package var serversPerDatabase = 0
    /// How long a client waits for a free server before it gets 53300.
    package var waitTimeout = Instant.Span.seconds(120)

    package init() {}
    package init(mode: PoolMode, size: Int) {
        self.mode = mode
        self.size = size
    }
}

package struct PoolPolicies: Equatable, Sendable {
    /// Other values for some sessions. Nil in a setting: as it is without.
    package struct Override: Equatable, Sendable {
        /// Nil matches every database, or every user.
        package var database: String?
        package var user: String?
        package var mode: PoolMode?
        package var size: Int?
        package var reserveSize: Int?
        package var route: Route?
        package var consistency: Consistency?
        package var serversPerUser: Int?
        package var serversPerDatabase: Int?
        package var waitTimeout: Instant.Span?
        package var clientsPerUser: Int?
        package var clientsPerDatabase: Int?
        package var idleTimeout: Instant.Span?
        package var idleInTransactionTimeout: Instant.Span?
        package var queryTimeout: Instant.Span?
        package var transactionTimeout: Instant.Span?
        package init(database: String? = nil, user: String? = nil) {
            self.database = database
            self.user = user
        }

        fileprivate func apply(to policy: inout SessionPolicy) {
            if let mode { policy.pool.mode = mode }
            if let size { policy.pool.size = size }
            if let reserveSize { policy.pool.reserveSize = reserveSize }
            if let route { policy.route = route }
            if let consistency { policy.consistency = consistency }
            if let serversPerUser { policy.pool.serversPerUser = serversPerUser }
            if let serversPerDatabase { policy.pool.serversPerDatabase = serversPerDatabase }
            if let waitTimeout { policy.pool.waitTimeout = waitTimeout }
            if let clientsPerUser { policy.clients.maximumPerUser = clientsPerUser }
            if let clientsPerDatabase { policy.clients.maximumPerDatabase = clientsPerDatabase }
            if let idleTimeout { policy.clients.idleTimeout = idleTimeout }
            if let idleInTransactionTimeout {
                policy.clients.idleInTransactionTimeout = idleInTransactionTimeout
            }
            if let queryTimeout { policy.clients.queryTimeout = queryTimeout }
            if let transactionTimeout { policy.clients.transactionTimeout = transactionTimeout }
        }
    }

    package var standard = PoolPolicy()
    /// The first that matches wins, setting by setting.
    package var overrides: [Override] = []
    /// Server connections to one node in all.
    package var serversPerNode = 80
    /// How long a client waits before it gets a server of the reserve.
    package var reserveTimeout = Instant.Span.seconds(5)
    /// Zero for never, both.
    package var serverIdleTimeout = Instant.Span.seconds(600)
    package var serverLifetime = Instant.Span.seconds(3600)
    package var connectTimeout = Instant.Span.seconds(5)
    /// Statements kept prepared on one server.
    package var preparedStatementsPerServer = 500

    package init() {}
}

/// What holds for the sessions of one database and user.
package struct SessionPolicy: Equatable, Sendable {
    package var pool: PoolPolicy
    package var clients: ClientPolicy
    package var route: Route
    package var consistency: Consistency
}

/// The same as one object, which all sessions have that it holds for.
package final class SharedPolicy: Sendable {
    static let standard = SharedPolicy(
        SessionPolicy(
            pool: PoolPolicy(), clients: ClientPolicy(), route: .auto, consistency: .session))

    let pool: PoolPolicy
    let clients: ClientPolicy

    init(_ policy: SessionPolicy) {
        pool = policy.pool
        clients = policy.clients
    }
}

/// The shared policies of a shard.
package struct SharedPolicies {
    /// So many different ones are not expected; beyond them it begins anew.
    private static let limit = 64

    private var known: [SharedPolicy] = []

    package init() {}

    mutating func one(for policy: SessionPolicy) -> SharedPolicy {
        let same = known.first { $0.pool == policy.pool && $0.clients == policy.clients }
        if let same { return same }
        if known.count >= Self.limit { known.removeAll() }
        let new = SharedPolicy(policy)
        known.append(new)
        return new
    }
}

extension ProxyPolicy {
    /// The policy with the overrides for these sessions.
    package func session(database: String, user: String) -> SessionPolicy {
        var policy = SessionPolicy(
            pool: pools.standard, clients: clients, route: routing.route,
            consistency: routing.consistency)
        // Backwards, so that the first that matches is applied last.
        for entry in pools.overrides.reversed()
        where (entry.database ?? database) == database && (entry.user ?? user) == user {
            entry.apply(to: &policy)
        }
        return policy
    }

    /// Whether anything is to be ended at a time that a tick of a second would miss by much.
    var timesWork: Bool {
        let spans = [clients.queryTimeout, clients.transactionTimeout]
            + pools.overrides.flatMap { [$0.queryTimeout ?? .zero, $0.transactionTimeout ?? .zero] }
        return spans.contains { $0 > .zero }
    }
}

package enum Route: String, Equatable, Sendable, CaseIterable {
    case auto, primary, replica
}

/// What a read must see.
package enum Consistency: String, Equatable, Sendable, CaseIterable {
    /// Own writes, and never an older state than before.
    case session
    /// Whatever the lag limits let through.
    case eventual
    /// Every write acknowledged by the cluster before the read began.
    case strong
}

package struct RoutingPolicy: Equatable, Sendable {
    package var route = Route.auto
    package var consistency = Consistency.session
    /// Whether reads may go to the primary when no replica is eligible.
    package var primaryReads = true
    /// A replica further behind gets no reads.
    package var maximumLagBytes: UInt64 = 16 << 20
    package var maximumLagTime = Instant.Span.seconds(10)
    /// How long a unit waits while there is no node for it (57P03 after that).
    package var holdTimeout = Instant.Span.seconds(30)
    /// Patroni tag (0 to 100) that scales a replica's share, or nil.
    package var weightTag: String? = "weight"
    /// Functions that are reads whatever the catalogue says; `schema.name` or `name`, lower case.
    package var readFunctions: [String] = []
    /// Functions that are writes whatever the catalogue says.
    package var writeFunctions: [String] = []
    /// Relations whose every use goes to the primary.
    package var primaryRelations: [String] = []
    /// How often the catalogue snapshot of a database is refreshed.
    package var catalogueInterval = Instant.Span.seconds(60)

    package init() {}
}

package struct TopologyPolicy: Equatable, Sendable {
    package var probeInterval = Instant.Span.seconds(1)
    /// Between probes while anything is in doubt.
    package var doubtInterval = Instant.Span.milliseconds(150)
    package var probeTimeout = Instant.Span.milliseconds(800)
    /// Between lag samples by SQL.
    package var lagInterval = Instant.Span.milliseconds(100)
    /// How long after a failover a replica may be one timeline behind.
    package var timelineGrace = Instant.Span.seconds(5)

    package init() {}
}

package enum AuthenticationMethod: String, Equatable, Sendable, CaseIterable {
    case scramSHA256 = "scram-sha-256"
    /// Nobody is asked for a password; only where the operator said so.
    case trust
}

package struct AuthenticationPolicy: Equatable, Sendable {
    package struct User: Equatable, Sendable {
        package var name: String
        /// A SCRAM secret as in `pg_authid.rolpassword`, or a password in clear text.
        package var secret: String
        package init(name: String, secret: String) {
            self.name = name
            self.secret = secret
        }
    }

    package var method = AuthenticationMethod.scramSHA256
    /// Who may log in from where, and how; the first that matches decides. None: `method`.
    package var rules: [AuthenticationRule] = []
    /// Users named in the configuration; they are not looked up.
    package var users: [User] = []
    /// Whether secrets of other users are read from the cluster by the service account.
    package var lookup = true
    /// How long a looked-up secret is used before it is read again; zero: for one login.
    package var secretLifetime = Instant.Span.zero
    /// What a client's connection must be like before it may try.
    package var encryption = ClientEncryptionPolicy()

    package init() {}

    /// Whether clients are asked for a certificate when they begin with TLS.
    package var asksForCertificate: Bool {
        encryption.mode.asksForCertificate
            || encryption.mode.isOffered && rules.contains { $0.method == .cert }
    }
}

/// Bounds of what one connection may make martlet hold in memory, in bytes.
package struct BufferLimits: Equatable, Sendable {
    /// Messages held until a unit's needs are known; beyond that it goes to the primary unread.
    package var heldMessages = 1 << 20
    /// A statement to be prepared, which is kept as long as the session may use it.
    package var statement = 16 << 20
    /// Bytes waiting for one slow receiver before its sender is no longer read.
    package var pendingOutput = 256 << 10
    /// A startup packet (PostgreSQL's MAX_STARTUP_PACKET_LENGTH).
    package var startupPacket = 10_000
    /// One message; PostgreSQL's own limit is 1 GB.
    package var message = 0x3fff_ffff
    /// Prepared statements of one client.
    package var preparedStatements = 10_000

    package init() {}
}

/// How sockets of clients and servers find out that their peer is gone (tcp(7)).
package struct TCPPolicy: Equatable, Sendable {
    /// Quiet for so long, the peer is probed.
    package var keepaliveIdle = Instant.Span.seconds(60)
    package var keepaliveInterval = Instant.Span.seconds(15)
    /// So many probes without an answer end the connection.
    package var keepaliveCount = 4
    /// How long what was sent may stay unacknowledged; zero leaves it to the system.
    package var userTimeout = Instant.Span.zero

    package init() {}
}
