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

    package init() {}
}

/// Limits of client connections.
package struct ClientPolicy: Equatable, Sendable {
    /// Clients in all; one more gets 53300.
    package var maximum = 10_000
    /// Clients of one user, or 0 for no limit of its own.
    package var maximumPerUser = 0
    /// From accept to the first `ReadyForQuery`.
    package var loginTimeout = Instant.Span.seconds(60)
    /// A client outside a transaction that sends nothing, or zero for no limit (57P05).
    package var idleTimeout = Instant.Span.zero
    /// A client inside a transaction that sends nothing, or zero for no limit (25P03).
    package var idleInTransactionTimeout = Instant.Span.zero

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

    package init() {}
    package init(mode: PoolMode, size: Int) {
        self.mode = mode
        self.size = size
    }
}

package struct PoolPolicies: Equatable, Sendable {
    package struct Override: Equatable, Sendable {
        /// Nil matches every database, or every user.
        package var database: String?
        package var user: String?
        package var mode: PoolMode?
        package var size: Int?
        package var route: Route?
        package var consistency: Consistency?
        package init(database: String? = nil, user: String? = nil) {
            self.database = database
            self.user = user
        }
    }

    package var standard = PoolPolicy()
    /// The first that matches wins, setting by setting.
    package var overrides: [Override] = []
    /// Server connections to one node in all.
    package var serversPerNode = 80
    package var serverIdleTimeout = Instant.Span.seconds(600)
    package var serverLifetime = Instant.Span.seconds(3600)
    package var connectTimeout = Instant.Span.seconds(5)
    /// How long a client waits for a free server before it gets 53300.
    package var waitTimeout = Instant.Span.seconds(120)
    /// Statements kept prepared on one server.
    package var preparedStatementsPerServer = 500

    package init() {}
}

package enum Route: String, Equatable, Sendable, CaseIterable {
    case auto, primary, replica
}

/// What a read must see (DESIGN 4.6).
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
    /// Users named in the configuration; they are not looked up.
    package var users: [User] = []
    /// Whether secrets of other users are read from the cluster by the service account.
    package var lookup = true
    /// How long a looked-up secret is used before it is read again.
    package var secretLifetime = Instant.Span.seconds(30)
    /// What a client's connection must be like before it may try.
    package var encryption = ClientEncryptionPolicy()

    package init() {}
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
