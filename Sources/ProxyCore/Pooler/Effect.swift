// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// What a shard's core wants performed; the driver is one switch over these.
package enum Effect: Equatable, Sendable {
    /// Open a connection to a server, encrypted as is configured; then `connected` or
    /// `disconnected`.
    case connect(ConnectionID, host: String, port: UInt16)
    /// Send what `withOutput` lends for it (within a few seconds), then close the socket and say
    /// `disconnected`; only then is the id free. The core ignores whatever it still receives.
    case close(ConnectionID)
    /// Send what `withOutput` lends for a client, then speak TLS with it; then `secured` or
    /// `disconnected`. The client has sent `received` already, which belongs to its handshake.
    case startTLS(ConnectionID, received: [UInt8])
    /// Stop reading a socket (data stays in the kernel) until `resumeReading`.
    case pauseReading(ConnectionID)
    case resumeReading(ConnectionID)
    /// Open a connection of its own, send these bytes, wait until the server closes it, then
    /// `cancelDelivered`. The core does not reuse the server before that.
    case deliverCancel(ConnectionID, host: String, port: UInt16, packet: [UInt8])
    /// Open a connection of its own to another martlet, send these bytes, and wait until it closes.
    case askPeer(Peers.Address, packet: [UInt8])
    /// Find a user's secret, one that was read after `newerThan`; then `secretArrived`.
    case lookUpSecret(ConnectionID, user: String, newerThan: Instant)
    /// Somebody works in this database: keep a catalogue snapshot of it.
    case needCatalogue(database: String)
    /// The snapshot of this database is out of date (DDL went through, a replica refused).
    case catalogueStale(database: String)
    /// Something was seen on a connection that contradicts the topology: probe at once.
    case doubt(NodeID)
    /// A session waits for log positions newer than the last ones: ask for them.
    case wantPositions
    /// Hand a message to another shard's core (`deliver`).
    case post(ShardID, ShardMessage)
    /// Hand a message to every other shard's core.
    case broadcast(ShardMessage)
    /// Hand an idle server, socket and all, to another shard (`adopt`).
    case transfer(ConnectionID, to: ShardID)
    case log(LogEvent)
}

/// What one shard's core says to another's.
package enum ShardMessage: Equatable, Sendable {
    /// A user logged in: this opens the servers for it from now on.
    case credential(user: String, ServerCredential)
    /// A `CancelRequest` for a session that lives there.
    case cancel(BackendKeyData)
    /// Shard `from` has clients waiting for this pool and no slot: give it an idle server.
    case starving(PoolKey, from: ShardID)
    /// A limit of servers is reached: close an idle one of those that nobody waits for.
    case makeRoom(ServerScope)
}

/// Whose servers, on which member.
package struct PoolKey: Hashable, Sendable {
    package let node: NodeID
    package let database: String
    package let user: String
    package init(node: NodeID, database: String, user: String) {
        self.node = node
        self.database = database
        self.user = user
    }
}

/// One event for the log; the runtime words it and chooses the level.
package enum LogEvent: Equatable, Sendable {
    case clientLoggedIn(
        ConnectionID, user: String, database: String, peer: String, encryption: String? = nil)
    case clientRefused(ConnectionID, sqlState: String, reason: String, peer: String)
    case clientLeft(ConnectionID, user: String)
    case serverOpened(NodeID, database: String, user: String)
    case serverFailed(NodeID, reason: String)
    case serverProtocolViolation(NodeID, reason: String)
    /// The runtime shows the statement only where the operator asked for it.
    case unitRetried(NodeID, sqlState: String, statement: String)
    case pinned(ConnectionID, reason: String)
}

/// What the driver does with the first bytes of what it has just read.
package struct Relay: Equatable, Sendable {
    /// Bytes of the span that are dealt with; the driver calls again with the rest.
    package var count: Int
    /// Who gets exactly these bytes; nil when the core kept or dropped them.
    package var destination: ConnectionID?

    package init(count: Int, destination: ConnectionID? = nil) {
        self.count = count
        self.destination = destination
    }
}

/// Slots for server connections and places for clients, counted exactly over all shards; the
/// runtime's is thread-safe.
package protocol ServerLedger: AnyObject, Sendable {
    /// Whether there is another shard that could wait, or have something to give.
    var isShared: Bool { get }
    /// Takes a slot, or says which limit is reached.
    func acquire(_ pool: PoolKey, _ limits: ServerLimits) -> SlotVerdict
    func release(_ pool: PoolKey)
    /// Says since when the oldest client of a shard waits for a pool; nil: none does any more.
    func setWaiting(_ pool: PoolKey, shard: ShardID, since: Instant?)
    /// The other shard whose oldest waiter came before `since` (nil: whoever waits), if any.
    /// Cheap when nobody waits anywhere: called at each release of a server.
    func longerWaiting(_ pool: PoolKey, than since: Instant?, shard: ShardID) -> ShardID?
    /// A place for one more client, or false at the limit; zero is no limit.
    func acquireClient(in group: ClientGroup, maximum: Int) -> Bool
    func releaseClient(in group: ClientGroup)
}

/// Server connections that a limit is for.
package enum ServerScope: Equatable, Sendable {
    case node(NodeID)
    case user(String, on: NodeID)
    case database(String, on: NodeID)

    package func contains(_ pool: PoolKey) -> Bool {
        switch self {
        case .node(let node): pool.node == node
        case .user(let user, let node): pool.node == node && pool.user == user
        case .database(let name, let node): pool.node == node && pool.database == name
        }
    }
}

/// How many server connections there may be; zero is no limit but for `pool` and `node`.
package struct ServerLimits: Equatable, Sendable {
    /// To one node for one database and user.
    package var pool: Int
    /// To one node in all, for one user, and for one database.
    package var node: Int
    package var user = 0
    package var database = 0

    package init(pool: Int, node: Int, user: Int = 0, database: Int = 0) {
        self.pool = pool
        self.node = node
        self.user = user
        self.database = database
    }
}

package enum SlotVerdict: Equatable, Sendable {
    case granted
    case poolFull
    /// Another pool's servers count for this limit, too.
    case full(ServerScope)
}

/// Clients that a limit is for.
package enum ClientGroup: Hashable, Sendable {
    /// Those that have asked to log in.
    case all
    /// Those that have logged in.
    case user(String)
    case database(String)
    /// Those that have not proved yet who they are, in all and from one address.
    case loggingIn
    case loggingInFrom(String)
}

/// What the runtime found out about a user's secret.
package enum SecretLookup: Equatable, Sendable {
    case found(RoleSecret)
    /// There is no such role, or it may not log in.
    case absent(fetchedAt: Instant)
    /// The cluster could not be asked.
    case unavailable(String)
}
