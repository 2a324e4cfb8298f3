// SPDX-License-Identifier: Apache-2.0

/// Limits of client connections. A count or time of zero means unlimited.
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
