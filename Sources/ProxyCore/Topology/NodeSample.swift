// SPDX-License-Identifier: Apache-2.0

/// A server's reply to the lag query.
package struct NodeSample: Equatable, Sendable {
    package var isInRecovery: Bool
    package var timeline: UInt32?
    /// Insert position of a primary (so that asynchronous commits count), replay position of a
    /// standby.
    package var position: LogPosition?
    /// A primary's flushed position: standbys cannot have more, so lag is measured against it.
    package var flushed: LogPosition?
    /// The end of the log that a standby has received, replayed or not.
    package var received: LogPosition?
    /// Time since the commit of the last replayed transaction, by the servers' clocks.
    package var replayDelay: Instant.Span?
    /// Whether a standby streams; nil when the account may not see it.
    package var isStreaming: Bool?
    package var systemIdentifier: String?
    /// The version as in `server_version_num`.
    package var serverVersion: Int?
    /// The time when the query was sent.
    package var askedAt: Instant
    /// When the answer was there.
    package var arrivedAt: Instant

    package init(isInRecovery: Bool, askedAt: Instant, arrivedAt: Instant) {
        self.isInRecovery = isInRecovery
        self.askedAt = askedAt
        self.arrivedAt = arrivedAt
    }
}

/// Why a server did not answer the lag query.
package enum SampleFailure: Equatable, Sendable {
    /// Nobody listens, the connection broke, or the server says that it stops or starts.
    case down(String)
    /// No reply in time; the server may be busy, or the network broken.
    case timeout
    /// The server rejects the service account: password, privileges, too many connections.
    case rejected(String)
}
