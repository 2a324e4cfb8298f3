// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// One event for the log; the runtime words it and chooses the level.
package enum LogEvent: Equatable, Sendable {
    case clientLoggedIn(
        ConnectionID, user: String, database: String, peer: String, encryption: String? = nil)
    case clientRefused(ConnectionID, sqlState: SQLState, reason: String, peer: String)
    case clientLeft(ConnectionID, user: String)
    case serverOpened(NodeID, database: String, user: String)
    case serverFailed(NodeID, reason: String)
    case serverProtocolViolation(NodeID, reason: String)
    /// The runtime shows the statement only where the operator asked for it.
    case unitRetried(NodeID, sqlState: SQLState, statement: String)
    case pinned(ConnectionID, reason: String)
}
