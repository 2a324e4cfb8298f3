// SPDX-License-Identifier: Apache-2.0

/// How sockets of clients and servers find out that their peer is gone (tcp(7)).
package struct TCPPolicy: Equatable, Sendable {
    /// Idle time before the first keepalive probe.
    package var keepaliveIdle = Instant.Span.seconds(60)
    package var keepaliveInterval = Instant.Span.seconds(15)
    /// So many probes without an answer end the connection.
    package var keepaliveCount = 4
    /// How long what was sent may stay unacknowledged; zero leaves it to the system.
    package var userTimeout = Instant.Span.zero

    package init() {}
}
