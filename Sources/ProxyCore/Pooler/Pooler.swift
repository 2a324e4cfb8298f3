// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Every decision of one shard: its clients, its servers, who serves whom.
///
/// Owned by one shard and confined to it. The driver owns the sockets, under the ids that the core
/// gives; it feeds what it reads, performs the effects, and sends what `withOutput` lends.
/// After every call the driver drains `nextEffect()`; before it sleeps it flushes all that
/// `nextDirty()` names.
///
/// The life of a unit of work is the list of steps in `Pooler+Units`. Files call each other downwards
/// only, but for `proceed` there (ARCHITECTURE.md has the picture, which a test holds).
package final class Pooler {
    let shard: ShardID
    /// Of this process.
    let shardCount: Int
    let ledger: any ServerLedger
    let hashing: ByteHash
    let classifier = StatementClassifier()
    let bytes = BytePool()
    let units = UnitPool()
    let registry: StatementRegistry
    private(set) var policy: ProxyPolicy {
        didSet {
            timesWork = policy.timesWork
            if !policy.routing.hasSameOverrides(as: oldValue.routing) {
                overrides = RoutingOverrides(policy.routing)
                let version = versions.nextCatalogue()
                databases.overridesChanged(version: version)
            }
        }
    }
    /// Of `policy`, at hand.
    private(set) var timesWork: Bool
    /// What the operator says about names, in all databases.
    private(set) var overrides: RoutingOverrides
    private(set) var rules: LoginRules
    private(set) var topology: Topology
    /// The other martlets, which a cancel key may mean.
    package private(set) var peers = Peers()
    /// For choices; secrets come from `secrets`.
    var random: SplitMix64
    var secrets: SecretBytes

    var slots = ConnectionSlots()
    var effects = EffectQueue()

    var pools = ServerPools()
    var databases = Databases()
    var logins = LoginCaches()
    var shared = SharedValues()
    var load: ShardLoad
    var held = HeldClients()
    var clients = ClientCounts()
    package internal(set) var counters = ShardCounters()
    private(set) var lastHousekeeping = Instant(0)
    var versions = VersionCounters()

    package init(
        shard: ShardID, of shardCount: Int = 1, policy: ProxyPolicy, rules: LoginRules, topology: Topology,
        ledger: any ServerLedger, randomSeed: UInt64, now: Instant
    ) {
        self.shard = shard
        self.shardCount = shardCount
        self.policy = policy
        timesWork = policy.timesWork
        overrides = RoutingOverrides(policy.routing)
        self.rules = rules
        self.topology = topology
        self.ledger = ledger
        random = SplitMix64(seed: randomSeed)
        secrets = SecretBytes(processKey: rules.processKey, stream: shard.index)
        hashing = ByteHash(seed: random.next())
        registry = StatementRegistry(shard: shard, hashing: hashing)
        load = ShardLoad(now: now)
    }

    // MARK: The world

    /// The other martlets that a cancel key may mean are known.
    package func replace(_ peers: Peers) { self.peers = peers }

    /// What grows old was looked at.
    func keptHouse(at now: Instant) { lastHousekeeping = now }

    /// There is a new topology.
    func replace(_ topology: Topology) { self.topology = topology }

    /// There is a new configuration.
    func replace(_ policy: ProxyPolicy, _ rules: LoginRules) {
        self.policy = policy
        self.rules = rules
    }

    // MARK: Sockets

    /// A client connected.
    package func accepted(
        peer: String, listener route: Route?, now: Instant
    ) -> ConnectionID {
        let id = slots.take()
        let client = ClientSession(
            id: id, peer: peer, route: route, database: databases.none, bytes: bytes, units: units,
            now: now)
        slots.place(.client(client), at: id)
        clients.accepted()
        admit(client)
        return id
    }

    /// A server asked for by `.connect` is there; `encryption` where it speaks TLS.
    package func connected(_ id: ConnectionID, encryption: Encryption? = nil, now: Instant) {
        guard case .server(let server) = slots.occupant(id), server.isConnecting else { return }
        login(at: server, encryption)
    }

    /// The handshake asked for by `.startTLS` is over: what comes now was encrypted.
    package func secured(_ id: ConnectionID, _ encryption: Encryption, now: Instant) {
        guard case .client(let client) = slots.occupant(id), let login = client.login else { return }
        client.secured()
        perform(login.secured(encryption), of: login, for: client, now: now)
    }

    /// The socket is gone: end of stream, reset, or connecting failed. The driver has closed it.
    package func disconnected(_ id: ConnectionID, reason: String, now: Instant) {
        switch slots.occupant(id) {
        case .vacant: return
        case .client(let client):
            if let failure = client.login?.lost(reason: reason) { report(failure, of: client) }
            if client.phase != .closed { leave(client, now: now) }
        case .server(let server):
            if !server.isClosed { lost(server, reason: reason, now: now) }
        }
        slots.release(id)
    }

    /// Bytes arrived. Deals with `count` of them at the front and says who gets them; the driver
    /// calls again with the rest, until the span is used up.
    package func received(
        _ bytes: RawSpan, from id: ConnectionID, now: Instant
    ) -> Relay {
        switch slots.occupant(id) {
        case .vacant: return Relay(count: bytes.byteCount)
        case .client(let client): return received(bytes, from: client, now: now)
        case .server(let server): return relay(bytes, from: server, now: now)
        }
    }

    private func received(_ bytes: RawSpan, from client: ClientSession, now: Instant) -> Relay {
        client.spoke(at: now)
        switch client.phase {
        case .closed: break
        case .ready:
            if client.replication != nil { return passReplication(bytes, from: client) }
            return receivedWhenReady(bytes, from: client, now: now)
        case .loggingIn:
            // Statements sent without waiting for the greeting are kept, up to a bound.
            client.inbound.append(bytes)
            continueLogin(of: client, now: now)
            reconsiderReading(client)
        }
        return Relay(count: bytes.byteCount)
    }

    // MARK: Output

    /// A connection with bytes to send (each named once); nil when there is none left.
    package func nextDirty() -> ConnectionID? {
        slots.nextDirty()
    }

    /// Lends the bytes that wait for a connection, and forgets as many as the body says were sent.
    package func withOutput(of id: ConnectionID, _ send: (RawSpan) -> Int) {
        switch slots.occupant(id) {
        case .vacant: return
        case .client(let client):
            client.output.consume(send(client.output.unread))
            outputDrained(client)
        case .server(let server):
            server.requests.send(send)
            outputDrained(server)
        }
    }

    /// Appends what could not be sent at once of a relayed span.
    package func append(_ bytes: RawSpan, toOutputOf id: ConnectionID) {
        switch slots.occupant(id) {
        case .vacant: return
        case .client(let client): send(bytes, to: client)
        case .server(let server):
            server.requests.relay(bytes)
            markDirty(server)
        }
    }

    package func outputCount(of id: ConnectionID) -> Int {
        switch slots.occupant(id) {
        case .vacant: 0
        case .client(let client): client.output.count
        case .server(let server): server.requests.pendingCount
        }
    }

    // MARK: Effects

    package func nextEffect() -> Effect? { effects.next() }

    /// Clients connected at this moment.
    package var numberOfClients: Int { clients.connected }

    /// Reads at this moment, and those of them that have a server connection.
    package var readLevels: [Int] { load.levels }
}
