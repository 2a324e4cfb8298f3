// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// One connection to a PostgreSQL server: its phase, who it serves, and the machines that know
/// what it was sent (`requests`), what it sends (`incoming`) and what sessions left in it.
package final class ServerConnection {
    /// What the connection is doing.
    ///
    ///     connecting ──▶ authenticating ──▶ starting ──▶ leased ◀──▶ idle
    ///          └───────────────┴───────────────┴───────────┴──────────┴────▶ closed
    package enum Phase {
        case connecting
        /// Logging in.
        indirect case authenticating(ServerAuthentication)
        /// Logged in; parameters and the first ReadyForQuery are on their way.
        case starting
        /// Serves one client, or runs something of martlet's own.
        case leased
        case idle(since: Instant)
        case closed
    }

    package private(set) var id: ConnectionID
    package let key: PoolKey
    package let openedAt: Instant
    package private(set) var phase = Phase.connecting
    /// The pool that counts it, until it is closed; nil for one that replicates.
    private(set) var pool: ServerPool?
    /// It was logged in and found usable at least once.
    private(set) var hasOpened = false
    /// The session that it serves.
    private(set) var client: ClientSession?

    var requests: ServerRequests
    var incoming: IncomingReplies
    var statements = ServerStatements()
    var session = ServerSession()
    /// The query of martlet's own that it runs.
    private(set) var internalQuery: InternalQuery?

    var report = ServerReport()

    /// Its client left before the reply was complete.
    private(set) var abandonment: Abandonment?
    /// Cancel requests on their way to it; until they have arrived it serves no other client.
    private(set) var cancelsInFlight = 0
    /// Why it is the last thing that this connection says, or ever will.
    private(set) var ending = Ending.none

    /// The startup packet of the one client that it is for, whose bytes it gets as they come.
    package private(set) var replication: StartupMessage?
    /// Where it is in what it says to that client.
    package var boundary = MessageBoundary()
    /// Its client is not read, because this connection does not take what the client sent.
    private(set) var isPausingClient = false
    /// It is named among those that have bytes to send.
    private var isDirty = false

    /// What is known of the end of the connection.
    enum Ending {
        case none
        /// The server sent this FATAL or PANIC.
        case fatal(ErrorResponse)
        /// The server broke the protocol: what it was asked is not asked again of another one.
        case protocolViolation
    }

    package init(id: ConnectionID, key: PoolKey, bytes: BytePool, now: Instant) {
        self.id = id
        self.key = key
        openedAt = now
        incoming = IncomingReplies(bytes: bytes)
        requests = ServerRequests(bytes: bytes)
    }

    // MARK: State

    /// The settings that the server reports, as they were last reported.
    var reported: ParameterSet { report.parameters }
    var backendKey: BackendKeyData? { report.backendKey }
    /// `in_hot_standby`, or what the recovery check said; nil while unknown.
    var isInRecovery: Bool? { report.isInRecovery }

    /// The transaction status that its last ReadyForQuery told.
    package var status: TransactionStatus { requests.replies.status }

    package var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }

    package var isConnecting: Bool {
        if case .connecting = phase { return true }
        return false
    }

    package var isStarting: Bool {
        if case .starting = phase { return true }
        return false
    }

    package var isLeased: Bool {
        if case .leased = phase { return true }
        return false
    }

    /// Since when it is idle; nil when it is not.
    package var idleSince: Instant? {
        if case .idle(let since) = phase { return since }
        return nil
    }

    /// It has not logged in yet.
    package var isLoggingIn: Bool {
        switch phase {
        case .connecting, .authenticating, .starting: true
        case .idle, .leased, .closed: false
        }
    }

    /// Nothing is owed or skipped, no transaction is open, no cancel request is on its way.
    package var isAtRest: Bool { owesNothing && cancelsInFlight == 0 }

    /// The same, but a cancel request may still be on its way to it.
    package var owesNothing: Bool { requests.replies.isAtRest && internalQuery == nil }

    /// The last FATAL or PANIC that it sent.
    package var lastFatal: ErrorResponse? {
        if case .fatal(let error) = ending { return error }
        return nil
    }

    package var brokeProtocol: Bool {
        if case .protocolViolation = ending { return true }
        return false
    }

    /// The next reply is one to a message of its client's.
    package var isAnsweringClient: Bool {
        guard client != nil, internalQuery == nil, let first = requests.replies.first else {
            return false
        }
        return first.disposition == .forward
    }

    /// Messages of this kind are rows, or data of a COPY, that may be passed on without a look.
    package func isStreaming(_ kind: UInt8) -> Bool {
        guard
            kind == BackendKind.dataRow
                || kind == BackendKind.copyData && requests.replies.isCopyingOut,
            let client, !client.unit.replay.withholds, internalQuery == nil,
            let first = requests.replies.first
        else { return false }
        return first.disposition == .forward && (first.kind == .query || first.kind == .execute)
    }

    // MARK: Opening

    /// It is counted in this pool.
    func joined(_ pool: ServerPool) { self.pool = pool }

    /// It is not counted in a pool any more.
    func leftPool() { pool = nil }

    /// It is connected: the login begins.
    func connected(_ authentication: ServerAuthentication) { phase = .authenticating(authentication) }

    /// An authentication request arrived. Returns the keys that the login taught, once it succeeded.
    ///
    /// - Throws: why the login failed; `malformed` where no login is going on.
    func authenticationReceived(
        _ body: RawSpan
    ) throws(ServerAuthenticationFault) -> ServerAuthentication.Outcome {
        guard case .authenticating(var authentication) = phase else {
            throw .malformed("an authentication request outside of a login")
        }
        let step = try requests.authenticate { output throws(ServerAuthenticationFault) in
            try authentication.received(body, into: &output)
        }
        guard step == .authenticated else {
            phase = .authenticating(authentication)
            return .goesOn
        }
        phase = .starting
        return .authenticated(learned: authentication.learned)
    }

    /// The first ReadyForQuery arrived.
    func loggedIn() { phase = .leased }

    /// It was found usable.
    func opened() { hasOpened = true }

    // MARK: Serving

    /// It serves this client from now on.
    func leased(to client: ClientSession?) {
        phase = .leased
        self.client = client
    }

    /// It is opened for this client alone, by the client's own startup packet.
    func reserved(for client: ClientSession, startup: StartupMessage?) {
        self.client = client
        replication = startup
    }

    /// Its client is gone, whatever it still owes.
    func lostClient() { client = nil }

    /// It has bytes to send; returns false when that is known already.
    func becameDirty() -> Bool {
        if isDirty { return false }
        isDirty = true
        return true
    }

    /// Its bytes are about to be sent.
    func flushed() { isDirty = false }

    /// Its client is not read any more, or is read again.
    func pausedClient(_ isPaused: Bool) { isPausingClient = isPaused }

    /// Its client left, and the reply is not complete.
    func abandoned(since now: Instant, mayCancel: Bool) {
        abandonment = Abandonment(since: now, mayCancel: mayCancel)
    }

    /// More of an abandoned reply arrived.
    func dropped(_ count: Int, limit: Int) -> Abandonment.Verdict {
        abandonment?.dropped(count, limit: limit) ?? .wait
    }

    /// The abandoned statement is being cancelled.
    func abandonedStatementCancelled(at now: Instant) { abandonment?.cancelled(at: now) }

    /// The abandoned reply is complete.
    func abandonmentEnded() { abandonment = nil }

    /// It waits for its next client.
    func becameIdle(now: Instant) { phase = .idle(since: now) }

    /// It is closed, or the socket is gone.
    func closed() {
        phase = .closed
        pool = nil
    }

    // MARK: Cancel requests

    func cancelSent() { cancelsInFlight += 1 }
    func cancelArrived() { cancelsInFlight -= 1 }

    // MARK: The end

    /// The server sent a FATAL or PANIC.
    func received(fatal error: ErrorResponse) { ending = .fatal(error) }

    /// The server broke the protocol.
    func violatedProtocol() { ending = .protocolViolation }

    // MARK: Another shard

    /// It belongs to another shard now, with a new id and that shard's storage.
    func moved(to id: ConnectionID, bytes: BytePool) {
        self.id = id
        phase = .leased
        isDirty = false
        incoming.moved(to: bytes)
        requests.moved(to: bytes)
    }

    // MARK: Queries of martlet's own

    /// Runs a query of martlet's own, or one more of the same purpose.
    ///
    /// - Parameter statement: the statement that the query prepares, if it prepares one.
    func run(
        _ purpose: InternalQuery.Purpose, _ text: String, preparing statement: SQLStatement? = nil
    ) {
        began(purpose)
        internalQuery?.sent(preparing: statement)
        requests.query(text)
    }

    /// Messages of martlet's own were sent that end with a Sync.
    func began(_ purpose: InternalQuery.Purpose) {
        if internalQuery?.purpose != purpose { internalQuery = InternalQuery(purpose) }
    }

    /// A row of its reply arrived.
    func internalQueryReceived(row: RawSpan) { internalQuery?.received(row: row) }

    /// It, or one of its queries, failed.
    func internalQueryFailed(_ error: ErrorResponse) { internalQuery?.failed(error) }

    /// One of its queries is answered.
    func internalQueryReady() { internalQuery?.ready() }

    /// It is over; returns it with what came back.
    func endInternalQuery() -> InternalQuery? {
        defer { internalQuery = nil }
        return internalQuery
    }

    /// The server reported an error and skips to its next Sync: statements whose Parse it skips are
    /// not there. `skipped` sees each reply that will not come.
    func failed(_ skipped: (OwedReply) -> Void = { _ in }) {
        requests.failed { reply in
            forget(reply)
            skipped(reply)
        }
    }

    private func forget(_ reply: OwedReply) {
        if reply.kind == .parse && reply.statement >= 0 { statements.forget(reply.statement) }
    }
}
