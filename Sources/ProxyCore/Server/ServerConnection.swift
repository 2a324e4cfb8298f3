// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// One connection to a PostgreSQL server: what it has been asked, and what state it is in.
///
///     connecting ──▶ authenticating ──▶ starting ──▶ idle ◀──▶ leased ──▶ closed
///
/// It knows nothing of routing or of waiting clients; `Pooler` moves it between these.
package final class ServerConnection {
    package enum Phase: Equatable {
        case connecting
        case authenticating
        /// Logged in; parameters and the first ReadyForQuery are on their way.
        case starting
        case idle
        /// Serves one client, or does something of martlet's own.
        case leased
        case closed
    }

    /// What martlet itself asked of the server; its answers reach no client.
    package enum Errand: Equatable {
        case none
        /// `pg_is_in_recovery()`, for servers that do not report `in_hot_standby`.
        case recoveryCheck
        /// The session's settings, before its unit.
        case settings
        /// Statements that the session has prepared by SQL, before its unit.
        case statements
        /// The columns of the statements that a unit is about to use (`Pooler+Results`).
        case results
        /// What the unit left behind in the session, after it.
        case inspection
        /// An abandoned transaction is rolled back.
        case rollback
        /// Everything a session may have left is discarded.
        case discard

        /// It parses statements of a client's.
        var mayWaitForLock: Bool { self == .statements || self == .results }
    }

    /// What it has of a prepared statement.
    package struct Prepared {
        /// When it was used last.
        package var use: UInt64
        /// Of its result, once they were described.
        package var columns = ResultColumns.unknown
    }

    /// A portal and what it was made of, by hashes of the client's names.
    package struct Bound {
        package let portal: UInt64
        package let name: UInt64
        package let statement: Int
    }

    /// An answer whose client left before it was there.
    package struct Abandonment {
        package let since: Instant
        /// Nothing can be lost by a cancel request.
        package let mayCancel: Bool
        package var cancelledAt: Instant?
        /// Bytes that came for nobody.
        package var dropped = 0
    }

    package var id: ConnectionID
    package let key: PoolKey
    package let openedAt: Instant
    /// Where it is counted, until it is closed; nil for one that replicates.
    package var pool: ServerPool?
    package var phase = Phase.connecting
    package var idleSince: Instant
    /// It has been logged in and found usable.
    package var hasOpened = false
    /// The session that it serves.
    package var client: ClientSession?
    /// What it has been sent and what it owes.
    var requests: ServerRequests
    package var errand = Errand.none
    /// The error that the errand met, if it did.
    package var errandError: ErrorResponse?
    /// Rows that the errand was answered with.
    package var errandRows: [[String?]] = []
    /// A ReadyForQuery arrived and nothing more is owed; acted on at the end of the read.
    package var isSettled = false

    /// The beginning of a message that has not wholly arrived.
    package var partial: ByteQueue
    package var isDirty = false
    /// Bytes still to come of a message that is passed on (or dropped) as it comes.
    package var passing = 0
    package var passingIsVisible = false
    /// The client whose reading stopped because this server does not read.
    package var isPausingClient = false

    /// Settings that sessions left applied, on top of the login's own.
    package var applied = ParameterSet.empty
    /// What the server last reported of the settings that it reports.
    package var reported = ParameterSet.empty
    package var backendKey: BackendKeyData?
    /// What sessions left prepared by SQL.
    package var sqlStatements = SQLStatements.empty
    /// The queries of the errand that prepares them: the statement of each, nil for one of martlet's
    /// own; how many are answered; and which failed.
    package var statementSteps: [SQLStatement?] = []
    package var statementStepsDone = 0
    package var statementErrors: [(step: Int, error: ErrorResponse)] = []
    /// Prepared statements by index.
    package var prepared: [Int: Prepared] = [:]
    /// The portal that was bound last, where the columns of its statement are to be learned.
    package var bound: Bound?
    package var useCount: UInt64 = 0
    package var authentication: ServerAuthentication?
    /// The startup packet of the one client that it is for, whose bytes it gets as they come.
    package var replication: StartupMessage?
    /// Where it is in what it says to that client.
    package var boundary = MessageBoundary()
    /// It may have state of a session that nobody knows.
    package var mustDiscard = false
    package var abandonment: Abandonment?
    /// Cancel requests on their way to it; until they are through it serves nobody else.
    package var cancelsInFlight = 0
    /// `in_hot_standby`, or what the recovery check said; nil while unknown.
    package var isInRecovery: Bool?
    /// It broke the protocol: what it was asked is not asked again of anybody.
    package var isDistrusted = false
    /// The last FATAL or PANIC that it sent.
    package var lastWords: ErrorResponse?

    package init(id: ConnectionID, key: PoolKey, bytes: BytePool, now: Instant) {
        self.id = id
        self.key = key
        openedAt = now
        idleSince = now
        partial = ByteQueue(pool: bytes)
        requests = ServerRequests(bytes: bytes)
    }

    /// The transaction status that its last ReadyForQuery told.
    package var status: TransactionStatus { requests.replies.status }

    /// Nothing is owed or skipped, no transaction is open, no cancel request is on its way.
    package var isAtRest: Bool { owesNothing && cancelsInFlight == 0 }

    /// The same, but a cancel request may still be on its way to it.
    package var owesNothing: Bool { requests.replies.isAtRest && errand == .none }

    /// The next answer is one that its client asked for.
    package var isAnsweringClient: Bool {
        guard client != nil, errand == .none, let first = requests.replies.first else {
            return false
        }
        return first.disposition == .forward
    }

    /// Messages of this kind are rows, or data of a COPY, that may be passed on without a look.
    package func isStreaming(_ kind: UInt8) -> Bool {
        guard
            kind == BackendKind.dataRow
                || kind == BackendKind.copyData && requests.replies.isCopyingOut,
            let client, !client.unit.isHoldingBack, errand == .none,
            let first = requests.replies.first
        else { return false }
        return first.disposition == .forward && (first.kind == .query || first.kind == .execute)
    }

    /// Runs a query of martlet's own; the answers go to the errand.
    package func run(_ errand: Errand, _ text: String) {
        self.errand = errand
        errandError = nil
        errandRows.removeAll(keepingCapacity: true)
        requests.query(text)
    }

    /// An authentication request arrived.
    func authenticationReceived(
        _ body: RawSpan
    ) throws(ServerAuthenticationFault) -> ServerAuthentication.Step? {
        try requests.authenticate { output throws(ServerAuthenticationFault) in
            try authentication?.received(body, into: &output)
        }
    }

    /// Forgets a statement that the server turned out not to have.
    package func forget(_ reply: OwedReply) {
        if reply.kind == .parse && reply.statement >= 0 { prepared[reply.statement] = nil }
    }

    /// The least recently used statement, when there is no room for one more.
    ///
    /// - Parameter mark: statements used after it belong to messages on their way and stay.
    package func statementToEvict(limit: Int, since mark: UInt64) -> Int? {
        guard prepared.count >= max(limit, 1) else { return nil }
        var oldest: (index: Int, use: UInt64)?
        for (index, one) in prepared where one.use <= mark {
            if oldest.map({ one.use < $0.use || (one.use == $0.use && index < $0.index) }) ?? true {
                oldest = (index, one.use)
            }
        }
        return oldest?.index
    }
}
