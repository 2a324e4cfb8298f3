// SPDX-License-Identifier: Apache-2.0

package import PostgresWire
internal import StatementClassifier

/// One client: what it has sent, what its session holds, what it is doing.
///
///     loggingIn ──▶ ready ──▶ closed
///
/// The session outlives servers: all that a server must be told before it can stand in for the
/// last one is here (settings, prepared statements, the deferred BEGIN, the log position).
@safe
package final class ClientSession {
    package enum Phase: Equatable {
        /// How far it has come, its `login` knows.
        case loggingIn
        case ready
        case closed
    }

    package let id: ConnectionID
    package let peer: String
    package let listenerRoute: Route?
    package let acceptedAt: Instant
    package private(set) var phase = Phase.loggingIn

    // What it sent and what it gets.
    package var inbound: ClientInbox
    package var output: ByteQueue
    package var withheld: ByteQueue
    /// It is not read, because its server does not take what it sent, or too much is held of it.
    package private(set) var isReadingPaused = false
    /// It is named among those that have bytes to send.
    private var isDirty = false
    /// Its server is not read, because it does not take its replies.
    package private(set) var isPausingServer = false
    package private(set) var lastActivity: Instant

    // Who it is.
    /// Until its first ReadyForQuery.
    package private(set) var login: ClientLogin?
    var account: ClientAccount
    /// Pools this client has leased from, one per node.
    private var pools: [ServerPool] = []
    /// Where it asked for replication.
    package private(set) var replication: Replication?

    // What its session holds.
    var state = SessionState()
    var martletSettings = MartletSettings()
    package var statements = ClientStatements()
    package var position = SessionPosition()

    // What it is doing.
    package var transaction = SessionTransaction()
    package private(set) var server: ServerConnection?
    /// The unit of work while there is something in it.
    private var activeUnit: UnsafeMutablePointer<Unit>?
    private let units: UnitPool
    /// What the unnamed portal runs, where martlet will execute it.
    package private(set) var localPortal: PreparedText?

    package init(
        id: ConnectionID, peer: String, route: Route?, database: DatabaseState, bytes: BytePool,
        units: UnitPool, now: Instant
    ) {
        self.id = id
        self.peer = peer
        listenerRoute = route
        account = ClientAccount(database: database)
        self.units = units
        login = ClientLogin(peer: peer)
        unsafe activeUnit = nil
        acceptedAt = now
        lastActivity = now
        inbound = ClientInbox(pool: bytes)
        output = ByteQueue(pool: bytes)
        withheld = ByteQueue(pool: bytes)
    }

    // By then its shard may have ended, and the pool be nobody's.
    deinit { if let unit = unsafe activeUnit { unsafe UnitPool.free(unit) } }

    /// What it is doing; taken from the pool when it is first written.
    ///
    /// By address, as with `_read` and `_modify` the compiler makes a coroutine of each access that is
    /// not inlined, with a frame on the heap.
    package var unit: Unit {
        unsafeAddress { unsafe UnsafePointer(activeUnit ?? UnitPool.none) }
        unsafeMutableAddress {
            if let unit = unsafe activeUnit { return unsafe unit }
            let unit = unsafe units.take()
            unsafe activeUnit = unit
            return unsafe unit
        }
    }

    /// The unit is over; nobody may be in the middle of changing it.
    package func endUnit() {
        guard let unit = unsafe activeUnit else { return }
        unsafe activeUnit = nil
        unsafe units.give(unit)
    }

    /// It has not been greeted yet.
    var isLoggingIn: Bool { phase == .loggingIn }

    /// The client has been greeted.
    func loggedIn() {
        login = nil
        phase = .ready
    }

    /// The client is gone, or is to go.
    func closed() { phase = .closed }

    /// It sent something.
    func spoke(at now: Instant) { lastActivity = now }

    /// Its connection is encrypted from now on.
    func secured() { account.secured() }

    /// Its startup packet asked for replication.
    func replicates(from startup: StartupMessage) { replication = Replication(startup: startup) }

    // MARK: Who it is

    package var isEncrypted: Bool { account.isEncrypted }
    package var user: String { account.user }
    package var database: DatabaseState { account.database }
    package var policy: SharedPolicy { account.policy }
    package var route: Route { account.route }
    package var consistency: Consistency { account.consistency }
    package var cancelSecret: [UInt8] { account.cancelSecret }

    // MARK: What its session holds

    package var startup: ParameterSet { state.startup }
    package var settings: ParameterSet { state.settings }
    package var reported: ParameterSet { state.reported }
    package var customNames: Set<String> { state.customNames }
    package var pins: Set<Pin> { state.pins }
    package var sqlStatements: SQLStatements { state.sqlStatements }

    // MARK: Its server connection

    /// It has a server connection.
    func attached(to server: ServerConnection) { self.server = server }

    /// It has none any more.
    func detached() { server = nil }

    /// The pool of a node that it leased from before.
    func knownPool(on node: NodeID) -> ServerPool? {
        for pool in pools where pool.key.node == node && !pool.isRetired { return pool }
        return nil
    }

    /// It leases from this pool; one for each node is remembered.
    func leases(from pool: ServerPool) {
        pools.removeAll { $0.key.node == pool.key.node || $0.isRetired }
        pools.append(pool)
    }

    /// Its server is not read any more, or is read again.
    func pausedServer(_ isPaused: Bool) { isPausingServer = isPaused }

    /// It is not read any more, or is read again.
    func pausedReading(_ isPaused: Bool) { isReadingPaused = isPaused }

    /// It has bytes to send; returns false when that is known already.
    func becameDirty() -> Bool {
        if isDirty { return false }
        isDirty = true
        return true
    }

    /// Its bytes are about to be sent.
    func flushed() { isDirty = false }

    // MARK: What it asked for

    /// The unnamed portal runs this text, if martlet executes it.
    func boundLocally(_ text: PreparedText?) { localPortal = text }

    /// A cancel request came before its unit was sent.
    func cancelRequested() { unit.cancelRequested() }

    /// Returns true when a cancel request came, once.
    func takeCancelRequest() -> Bool { unit.takeCancelRequest() }

    /// The address that it connects from, without the port.
    package var host: String { String(IPAddress.host(of: peer)) }

    /// What it sent and martlet still has; valid until `inbound` is changed.
    package var unread: RawSpan {
        @_lifetime(borrow self)
        get { unsafe _overrideLifetime(inbound.unread, borrowing: self) }
    }

    /// The transaction status that the client knows.
    package var status: TransactionStatus { transaction.status }

    /// What a text that it parses now means.
    package var parseContext: ParseContext {
        var context = ParseContext()
        context.catalogueVersion = database.catalogueVersion
        context.schemaVersion = database.schemaVersion
        context.temporaryVersion = state.temporaryVersion
        context.parseSettingsHash = settings.parseSettingsHash
        context.changes = transaction.settingsHash
        context.sqlVersion = state.sqlVersion
        return context
    }

    /// Whether its server stays with it when a unit ends.
    package var keepsServer: Bool {
        policy.pool.mode == .session || !pins.isEmpty
    }

    /// What only a session that replicates needs.
    package final class Replication {
        let startup: StartupMessage
        /// Where it is in what it sends.
        var boundary = MessageBoundary()

        init(startup: StartupMessage) { self.startup = startup }
    }
}
