// SPDX-License-Identifier: Apache-2.0

/// What sessions left behind in a server connection: settings, statements prepared by SQL, and
/// whether there may be more that is not known.
struct ServerSession {
    /// Settings in force on top of the login's own.
    private(set) var settings = ParameterSet.empty
    /// Statements prepared by SQL.
    private(set) var statements = SQLStatements.empty
    /// The connection may hold state of a session that is not known; it must be cleaned before
    /// another session gets it.
    private(set) var mustDiscard = false

    /// These settings are in force.
    mutating func applied(_ settings: ParameterSet) { self.settings = settings }

    /// Exactly these statements are prepared.
    mutating func prepared(_ statements: SQLStatements) { self.statements = statements }

    /// Something ran, or failed, whose effects are not known.
    mutating func becameUnknown() { mustDiscard = true }

    /// `DISCARD ALL` succeeded.
    mutating func discarded() { self = ServerSession() }
}
