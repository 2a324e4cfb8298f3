// SPDX-License-Identifier: Apache-2.0

/// What a shard's core wants performed; the driver is one switch over these.
package enum Effect: Equatable, Sendable {
    /// Open a connection to a server, encrypted as is configured; then `connected` or
    /// `disconnected`.
    case connect(ConnectionID, host: String, port: UInt16)
    /// Send what `withOutput` lends for it (within a few seconds), then close the socket and say
    /// `disconnected`; only then is the id free. The core ignores whatever it still receives.
    case close(ConnectionID)
    /// Send what `withOutput` lends for a client, then speak TLS with it; then `secured` or
    /// `disconnected`. The client has sent `received` already, which belongs to its handshake.
    case startTLS(ConnectionID, received: [UInt8])
    /// Stop reading a socket (data stays in the kernel) until `resumeReading`.
    case pauseReading(ConnectionID)
    case resumeReading(ConnectionID)
    /// Open a connection of its own, send these bytes, wait until the server closes it, then
    /// `cancelDelivered`. The core does not reuse the server before that.
    case deliverCancel(ConnectionID, host: String, port: UInt16, packet: [UInt8])
    /// Open a connection of its own to another martlet, send these bytes, and wait until it closes.
    case askPeer(HostAndPort, packet: [UInt8])
    /// Find a user's secret, one that was read after `newerThan`; then `secretArrived`.
    case lookUpSecret(ConnectionID, user: String, newerThan: Instant)
    /// Somebody works in this database: keep a catalogue snapshot of it.
    case needCatalogue(database: String)
    /// The snapshot of this database is out of date (DDL went through, a replica refused).
    case catalogueStale(database: String)
    /// Something was seen on a connection that contradicts the topology: probe at once.
    case doubt(NodeID)
    /// A session waits for log positions newer than the last ones: ask for them.
    case wantPositions
    /// Hand a message to another shard's core (`deliver`).
    case post(ShardID, ShardMessage)
    /// Hand a message to every other shard's core.
    case broadcast(ShardMessage)
    /// Hand an idle server, socket and all, to another shard (`adopt`).
    case transfer(ConnectionID, to: ShardID)
    case log(LogEvent)
}
