// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// A query of martlet's own that a server connection runs, and what came back; its replies reach no
/// client.
struct InternalQuery {
    enum Purpose: Equatable {
        /// `pg_is_in_recovery()`, for servers that do not report `in_hot_standby`.
        case recoveryCheck
        /// The session's settings, before its unit.
        case settings
        /// Statements that the session has prepared by SQL, before its unit.
        case sqlStatements
        /// The columns of the statements that a unit is about to use.
        case columns
        /// The state that the unit left behind in the session, after it.
        case inspection
        /// The rollback of an abandoned transaction.
        case rollback
        /// The removal of everything that a session may have left.
        case discard

        /// Statements of a client's are parsed, which may wait for a lock.
        var mayWaitForLock: Bool { self == .sqlStatements || self == .columns }

        /// What the server reports meanwhile is told to the client afterwards, once.
        var delaysReports: Bool { self == .settings || self == .sqlStatements }
    }

    /// An error, and the statement whose PREPARE met it; nil for one of martlet's own queries.
    struct Failure {
        let statement: SQLStatement?
        let error: ErrorResponse
    }

    private static let rowLimit = 1_000

    let purpose: Purpose
    private(set) var rows: [[String?]] = []
    private(set) var failures: [Failure] = []
    /// The statement that each query of it prepares, in their order; nil for martlet's own.
    private var statements: [SQLStatement?] = []
    private var completed = 0

    init(_ purpose: Purpose) { self.purpose = purpose }

    /// The last error.
    var error: ErrorResponse? { failures.last?.error }

    /// One more query was sent.
    mutating func sent(preparing statement: SQLStatement? = nil) { statements.append(statement) }

    /// A row arrived.
    mutating func received(row body: RawSpan) {
        guard failures.isEmpty else { return }
        guard rows.count < Self.rowLimit, let row = try? DataRow.parse(body: body) else {
            return failed(ErrorResponse(.error, .internalError, "unexpected rows"))
        }
        rows.append(row)
    }

    /// One of its queries failed.
    mutating func failed(_ error: ErrorResponse) {
        let statement = completed < statements.count ? statements[completed] : nil
        failures.append(Failure(statement: statement, error: error))
    }

    /// One of its queries is answered.
    mutating func ready() { completed += 1 }
}
