// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What is sent beside a unit's own messages, and what happens to the messages that were sent.
extension Pooler {
    /// A Sync in a place of its own.
    func sync(_ server: ServerConnection, _ disposition: OwedReply.Disposition) {
        server.requests.sync(disposition)
        sent(to: server)
    }

    /// The unit will not be run again: what a server has of it goes.
    func dropSent(_ client: ClientSession) {
        client.unit.replay.messagesDropped()
        client.inbound.consume(client.unit.messages.dropSent())
    }

    /// What has been looked at is dropped, whether a server has it or not.
    func dropGathered(_ client: ClientSession) {
        client.unit.replay.messagesDropped()
        client.inbound.consume(client.unit.messages.dropAll())
    }

    /// A simple query destroys the unnamed statement (manual: "Extended Query").
    func forgetUnnamed(_ client: ClientSession) {
        if client.statements.count > 0 { client.statements.remove(hash: hashing.unnamed) }
    }

    /// Restores the names that the last messages of the unit changed without effect.
    func rollBackNames(_ count: Int, _ client: ClientSession) {
        for _ in 0..<count {
            guard let definition = client.unit.sending.undoLast() else { return }
            client.statements.restore(definition)
        }
    }

    /// An error of martlet's own in the middle of a pipeline.
    ///
    /// The server must fail there too, so that it skips to Sync and rolls back what came before: it
    /// is asked for a portal that does not exist, and the client gets the right words instead.
    func injectError(
        _ error: ErrorResponse, _ client: ClientSession, _ server: ServerConnection
    ) {
        // The first one is what the server comes to.
        client.unit.sending.inject(error)
        server.requests.executeFailing(.replaceError)
    }

    /// Ends a COPY FROM STDIN whose client is gone, or whose time is over.
    func failCopy(
        _ server: ServerConnection, needsSync: Bool, reason: String = "client left"
    ) {
        server.requests.failCopy(reason: reason)
        if needsSync { sync(server, .skip) }
        sent(to: server)
    }

    /// The unit ends with an error of martlet's own before any of it was sent, and with it the
    /// transaction on its server.
    func failOnServer(
        _ client: ClientSession, _ error: ErrorResponse, _ server: ServerConnection, now: Instant
    ) {
        client.unit.started(on: client.unit.place ?? place(of: server), now: now)
        client.unit.replay.decided()
        injectError(error, client, server)
        if client.unit.messages.end == .complete { sync(server, .forward) }
        dropGathered(client)
        sent(to: server)
    }

    /// Drops the message at the front; false when the rest of it has yet to come.
    func drop(_ header: MessageHeader, _ client: ClientSession) -> Bool {
        let available = min(client.inbound.count, header.totalCount)
        client.inbound.consume(available)
        client.inbound.dropNext(header.totalCount - available)
        return client.inbound.remaining == 0
    }

    func forward(_ bytes: RawSpan, to server: ServerConnection) -> Relay {
        if bytes.byteCount >= Relay.directCount {
            return Relay(count: bytes.byteCount, destination: server.id)
        }
        server.requests.relay(bytes)
        sent(to: server)
        return Relay(count: bytes.byteCount)
    }

    func deliver(_ bytes: RawSpan, to client: ClientSession) -> Relay {
        if bytes.byteCount >= Relay.directCount {
            return Relay(count: bytes.byteCount, destination: client.id)
        }
        send(bytes, to: client)
        return Relay(count: bytes.byteCount)
    }

    func markDirty(_ client: ClientSession) {
        slots.markDirty(client)
    }

    func markDirty(_ server: ServerConnection) {
        slots.markDirty(server)
    }

    /// Sends bytes to a client, and stops reading its server when it does not take them.
    func send(_ bytes: RawSpan, to client: ClientSession) {
        client.output.append(bytes)
        markDirty(client)
        guard client.output.count > policy.limits.pendingOutput, !client.isPausingServer,
            let server = client.server
        else { return }
        client.pausedServer(true)
        effects.append(.pauseReading(server.id))
    }

    func outputDrained(_ client: ClientSession) {
        guard client.isPausingServer, client.output.count <= policy.limits.pendingOutput / 2 else {
            return
        }
        client.pausedServer(false)
        if let server = client.server { effects.append(.resumeReading(server.id)) }
    }

    func outputDrained(_ server: ServerConnection) {
        guard server.isPausingClient, server.requests.pendingCount <= policy.limits.pendingOutput / 2 else {
            return
        }
        server.pausedClient(false)
        if let client = server.client { reconsiderReading(client) }
    }

    /// Stops or resumes reading a client: it waits while its server does not take what it sent, or
    /// while it has sent more than may be held.
    func reconsiderReading(_ client: ClientSession) {
        let backlog = client.inbound.count - client.unit.messages.byteCount
        // What has not wholly arrived has its own bounds (`gather`).
        let isGathering =
            client.unit.isGathering
            || client.unit.isRunning && !client.unit.messages.isComplete
        let pause = client.server?.isPausingClient == true
            || !isGathering && backlog > policy.limits.pendingOutput
        if pause == client.isReadingPaused { return }
        client.pausedReading(pause)
        effects.append(pause ? .pauseReading(client.id) : .resumeReading(client.id))
    }

    /// A server got bytes; its client is not read any more while they pile up.
    func sent(to server: ServerConnection) {
        markDirty(server)
        guard server.requests.pendingCount > policy.limits.pendingOutput, !server.isPausingClient,
            let client = server.client
        else { return }
        server.pausedClient(true)
        reconsiderReading(client)
    }
}
