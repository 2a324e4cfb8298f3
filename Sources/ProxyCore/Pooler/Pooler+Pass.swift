// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What goes from a client to its server as it comes: COPY data, and messages too long to be held.
extension Pooler {
    // MARK: COPY

    /// How many bytes at the front are whole CopyData messages, or the beginning of one.
    func copyRun(_ bytes: RawSpan) -> Int {
        var offset = 0
        while let header = try? MessageHeader(in: bytes, at: offset),
            header.kind == FrontendKind.copyData, header.bodyCount <= policy.limits.message {
            offset += header.totalCount
            if offset >= bytes.byteCount { break }
        }
        return offset
    }

    /// Relays a run of CopyData that may end in the middle of a message.
    func relayCopy(
        _ bytes: RawSpan, _ count: Int, from client: ClientSession, to server: ServerConnection
    ) -> Relay {
        let available = min(count, bytes.byteCount)
        client.inbound.forwardNext(count - available)
        return forward(bytes.extracting(0..<available), to: server)
    }

    /// Forwards the copy message at the front of `inbound`; false when it is not wholly there, or
    /// when it is none.
    func forwardCopy(_ client: ClientSession, _ server: ServerConnection) -> Bool {
        if client.unit.messages.sentBytes > 0 { dropSent(client) }
        if client.unit.messages.byteCount > 0 { client.unit.messages.copyStarted() }
        let header: MessageHeader?
        do {
            header = try MessageHeader(in: client.unread, at: 0)
        } catch {
            _ = violation(client, "invalid message length")
            return false
        }
        guard let header else { return false }
        guard header.bodyCount <= FrontendShape.limit(of: header.kind, policy.limits) else {
            _ = violation(client, "invalid message length")
            return false
        }
        let available = min(client.inbound.count, header.totalCount)
        switch header.kind {
        case FrontendKind.copyData:
            client.inbound.forwardNext(header.totalCount - available)
        case FrontendKind.copyDone, FrontendKind.copyFail:
            guard available == header.totalCount else { return false }
            server.requests.forwardEndOfCopy(client.unread.extracting(0..<available))
            client.inbound.consume(available)
            sent(to: server)
            return true
        case FrontendKind.flush, FrontendKind.sync:
            // The server ignores these while it copies (manual: "COPY Operations").
            guard available == header.totalCount else { return false }
            client.inbound.consume(available)
            return true
        default:
            guard FrontendShape.isKnown(header.kind) else {
                _ = violation(client, "invalid frontend message type \(header.kind)")
                return false
            }
            // Anything else ends the COPY with an error that the server words best.
            guard available == header.totalCount else { return false }
        }
        server.requests.relay(client.unread.extracting(0..<available))
        client.inbound.consume(available)
        sent(to: server)
        return client.inbound.remaining == 0
    }

    // MARK: Long messages

    /// More of a message that is passed on as it comes.
    func pass(_ bytes: RawSpan, from client: ClientSession, now: Instant) -> Relay {
        let count = min(client.inbound.remaining, bytes.byteCount)
        let isForwarded = client.inbound.isAmidForwarded
        client.inbound.passed(count)
        var relay = Relay(count: count)
        if isForwarded, let server = client.server {
            relay = forward(bytes.extracting(0..<count), to: server)
        }
        if client.inbound.remaining == 0 {
            if let server = client.server { settle(server, isLast: true, now: now) }
            proceed(client, .gather, now: now)
        }
        return relay
    }

    /// Sends the beginning of the long message at the front of `inbound`; the rest is passed.
    func passFront(_ client: ClientSession, now: Instant) {
        guard let server = client.server,
            let header = try? MessageHeader(in: client.unread, at: 0)
        else { return }
        switch header.kind {
        case FrontendKind.bind: passBind(header, client, server)
        case FrontendKind.query, FrontendKind.functionCall:
            if header.kind == FrontendKind.query { forgetUnnamed(client) }
            client.unit.messages.completed()
            passAll(
                header, owing: header.kind == FrontendKind.query ? .query : .functionCall, client,
                server)
        default: passAll(header, owing: nil, client, server)
        }
        client.transaction.sentUnseen()
        sent(to: server)
    }

    private func passAll(
        _ header: MessageHeader, owing reply: OwedReply.Kind?, _ client: ClientSession,
        _ server: ServerConnection
    ) {
        let available = min(client.inbound.count, header.totalCount)
        server.requests.forward(client.unread.extracting(0..<available), owing: reply)
        client.inbound.consume(available)
        client.inbound.forwardNext(header.totalCount - available)
    }

    /// A long Bind: its names are rewritten, its parameters pass.
    private func passBind(
        _ header: MessageHeader, _ client: ClientSession, _ server: ServerConnection
    ) {
        let available = min(client.inbound.count, header.totalCount)
        let prefix = client.unread.extracting(MessageHeader.size..<available)
        guard let message = try? Bind(bodyPrefix: prefix) else {
            _ = violation(client, "invalid message format")
            return
        }
        let portal = prefix.copy(0..<message.portal.upperBound + 1)
        let name = prefix.copy(message.statement)
        let hash = hashing(name)
        let entry = client.statements.find(name.rawSpan, hash: hash)
        if let entry, !ensure(
            entry, hash: hash, for: prefix.extracting(message.portal), on: server, client) {
            injectError(.changedResult, client, server)
            _ = drop(header, client)
            return
        }
        let known = entry?.text.canonicalName ?? Self.unknown(name)
        // The zero after the name comes from the client's own message.
        let rest = MessageHeader.size + message.statement.upperBound..<available
        server.requests.bindBeginning(
            bodyCount: header.bodyCount - name.count + known.count, portal: portal.rawSpan,
            statement: known, rest: client.unread.extracting(rest))
        client.inbound.consume(available)
        client.inbound.forwardNext(header.totalCount - available)
    }
}
