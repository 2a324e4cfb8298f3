// SPDX-License-Identifier: Apache-2.0

/// Bounds of what one connection may make martlet hold in memory, in bytes.
package struct BufferLimits: Equatable, Sendable {
    /// Messages held until a unit's needs are known; beyond that it goes to the primary unread.
    package var heldMessages = 1 << 20
    /// A statement to be prepared, which is kept as long as the session may use it.
    package var statement = 16 << 20
    /// Bytes waiting for one slow receiver before its sender is no longer read.
    package var pendingOutput = 256 << 10
    /// A startup packet (PostgreSQL's MAX_STARTUP_PACKET_LENGTH).
    package var startupPacket = 10_000
    /// One message; PostgreSQL's own limit is 1 GB.
    package var message = 0x3fff_ffff
    /// Prepared statements of one client.
    package var preparedStatements = 10_000

    package init() {}
}
