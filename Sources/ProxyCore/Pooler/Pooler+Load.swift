// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What a unit counts as while it waits and runs, and its end.
extension Pooler {
    func countAsRead(_ client: ClientSession, _ isRead: Bool, now: Instant) {
        // A login is not a read of the client's.
        if client.isLoggingIn || !client.unit.load.became(read: isRead) { return }
        load.read(began: isRead, now: now)
    }

    /// A read that has a server executes; one that has none (any more) is queued.
    func countAsExecuting(_ client: ClientSession, _ hasServer: Bool, now: Instant) {
        guard client.unit.load.became(executing: hasServer) else { return }
        load.executingRead(began: hasServer, now: now)
    }

    /// Where a unit runs on a server connection that the client has already.
    func place(of server: ServerConnection) -> Unit.Place {
        Unit.Place(node: server.key.node, asReplica: server.isInRecovery == true)
    }

    /// The unit is over, well or not; its traces in the counters and in `inbound` go.
    func finishUnit(_ client: ClientSession, now: Instant, latency: Instant.Span? = nil) {
        countAsExecuting(client, false, now: now)
        if client.unit.load.isRead { load.read(began: false, now: now) }
        uncount(client, now: now, latency: latency)
        if client.unit.messages.byteCount > 0 { dropGathered(client) }
        client.withheld.removeAll()
        client.endUnit()
    }

    /// The node's load no longer has this unit.
    func uncount(_ client: ClientSession, now: Instant, latency: Instant.Span? = nil) {
        guard let node = client.unit.load.node else { return }
        client.unit.load.counted(on: nil)
        load.unitEnded(on: node, latency: latency, now: now)
    }

    func detach(_ client: ClientSession, _ server: ServerConnection) {
        client.detached()
        server.lostClient()
        if client.isPausingServer {
            client.pausedServer(false)
            effects.append(.resumeReading(server.id))
        }
        if server.isPausingClient {
            server.pausedClient(false)
            reconsiderReading(client)
        }
    }

    /// Returns true when a unit changes nothing. A COMMIT ends what may have changed something, unless
    /// its server is in recovery.
    func isRead(_ client: ClientSession, on server: ServerConnection) -> Bool {
        server.isInRecovery == true || client.unit.isRead
    }
}
