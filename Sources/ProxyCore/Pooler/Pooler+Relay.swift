// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// A server's bytes become answers: scanned by their headers, passed on by count.
///
/// Row data is never looked at. Messages that follow each other to the same client are one run; a
/// run is appended to the client's output, or named to the driver as one relay when it is large.
extension Pooler {
    func relay(_ bytes: RawSpan, from server: ServerConnection, now: Instant) -> Relay {
        if server.abandonment != nil { dropped(bytes.byteCount, of: server, now: now) }
        guard server.phase != .closed else { return Relay(count: bytes.byteCount) }
        if server.replication != nil, server.phase == .leased {
            return passReplication(bytes, from: server, now: now)
        }
        if server.passing > 0 { return passBody(bytes, from: server) }
        var relay = Relay(count: 0)
        if server.partial.count > 0 {
            relay.count = complete(bytes, from: server, now: now)
            // What was kept to be read whole need not be any more, its client having left: it has
            // gone, and these bytes are the rest of it.
            if relay.count == 0 { return self.relay(bytes, from: server, now: now) }
        } else {
            relay = scan(bytes, from: server, now: now)
        }
        settle(server, isLast: relay.count == bytes.byteCount, now: now)
        if let client = server.client, client.unit.phase == .running, !client.inbound.isEmpty,
            server.copy == .incoming || !client.unit.isComplete {
            // COPY data that waited for this.
            advance(client, now: now)
            reconsiderReading(client)
        }
        return relay
    }

    /// More of a message whose header has been seen.
    private func passBody(_ bytes: RawSpan, from server: ServerConnection) -> Relay {
        let count = min(server.passing, bytes.byteCount)
        server.passing -= count
        guard server.passingIsVisible, let client = server.client else {
            return Relay(count: count)
        }
        let part = bytes.extracting(0..<count)
        if server.passing == 0 && server.replies.first?.audience == .made {
            // What is made here comes after it, so that it must be in the output first.
            send(part, to: client)
            resolveMade(server, client)
            return Relay(count: count)
        }
        return deliver(part, to: client)
    }

    /// Adds what is missing of the message that came in part, and deals with it when it is whole.
    private func complete(
        _ bytes: RawSpan, from server: ServerConnection, now: Instant
    ) -> Int {
        var taken = 0
        if server.partial.count < MessageHeader.size {
            taken = min(MessageHeader.size - server.partial.count, bytes.byteCount)
            server.partial.append(bytes.extracting(0..<taken))
        }
        let header: MessageHeader?
        do {
            header = try MessageHeader(in: server.partial.unread, at: 0)
        } catch {
            violation(server, "a message length below four", now: now)
            return bytes.byteCount
        }
        guard let header else { return taken }
        if needsWhole(header.kind, server) {
            let missing = min(
                header.totalCount - server.partial.count, bytes.byteCount - taken)
            server.partial.append(bytes.extracting(taken..<taken + missing))
            taken += missing
            guard server.partial.count == header.totalCount else {
                if header.bodyCount > BackendShape.wholeLimit {
                    violation(server, "a message of \(header.bodyCount) bytes", now: now)
                }
                return taken
            }
        }
        var message = ByteQueue(pool: self.bytes)
        swap(&message, &server.partial)
        var offset = 0
        while offset < message.count && server.phase != .closed {
            let rest = message.unread.extracting(offset..<message.count)
            let part = scan(rest, from: server, now: now)
            if let client = server.client, part.destination == client.id {
                send(rest.extracting(0..<part.count), to: client)
            }
            offset += part.count
        }
        return taken
    }

    /// Deals with the messages at the front that go the same way: a run for the client, or one
    /// message that acts or that nobody gets.
    private func scan(_ bytes: RawSpan, from server: ServerConnection, now: Instant) -> Relay {
        var offset = 0
        while offset < bytes.byteCount {
            if offset > 0, let client = server.client, client.unit.repeated > 0 {
                // What the client has got already is taken out message by message.
                return finish(bytes, upTo: offset, server)
            }
            let header: MessageHeader?
            do {
                header = try MessageHeader(in: bytes, at: offset)
            } catch {
                violation(server, "a message length below four", now: now)
                return Relay(count: bytes.byteCount)
            }
            guard let header else { return keepPartial(bytes, from: offset, server) }
            guard header.bodyCount <= policy.limits.message else {
                violation(server, "a message of \(header.bodyCount) bytes", now: now)
                return Relay(count: bytes.byteCount)
            }
            let end = offset + header.totalCount
            if end <= bytes.byteCount, server.isStreaming(header.kind) {
                offset = MessageHeader.endOfRun(
                    of: header.kind, in: bytes, from: offset,
                    maximumBody: policy.limits.message)
                continue
            }
            let isWhole = end <= bytes.byteCount
            if !isWhole && needsWhole(header.kind, server) {
                return keepPartial(bytes, from: offset, server)
            }
            let acts = BackendShape.isSpecial(header.kind)
            if acts || !server.isAnsweringClient {
                // What came before it goes first, so that order is kept.
                if offset > 0 { return finish(bytes, upTo: offset, server) }
                let whole = bytes.extracting(0..<min(end, bytes.byteCount))
                if acts {
                    act(header.kind, whole, server, now: now)
                } else if take(
                    header.kind, whole.extracting(MessageHeader.size..<whole.byteCount), server,
                    now: now) {
                    server.passing = end - whole.byteCount
                    server.passingIsVisible = false
                    if let client = server.client { resolveMade(server, client) }
                }
                return Relay(count: whole.byteCount)
            }
            let body = bytes.extracting(
                offset + MessageHeader.size..<min(end, bytes.byteCount))
            guard take(header.kind, body, server, now: now) else {
                return Relay(count: bytes.byteCount)
            }
            offset = min(end, bytes.byteCount)
            if !isWhole {
                server.passing = end - offset
                server.passingIsVisible = true
            } else if server.replies.first?.audience == .made {
                let relay = finish(bytes, upTo: offset, server, copying: true)
                if let client = server.client { resolveMade(server, client) }
                return relay
            }
        }
        return finish(bytes, upTo: offset, server)
    }

    /// The end of a run: held back, relayed, or appended.
    private func finish(
        _ bytes: RawSpan, upTo end: Int, _ server: ServerConnection, copying: Bool = false
    ) -> Relay {
        guard end > 0, let client = server.client else { return Relay(count: end) }
        let run = bytes.extracting(0..<end)
        if client.unit.isHoldingBack {
            client.holdback.append(run)
            flushHeldBack(client, server)
            return Relay(count: end)
        }
        if copying {
            send(run, to: client)
            return Relay(count: end)
        }
        return deliver(run, to: client)
    }

    func deliver(_ bytes: RawSpan, to client: ClientSession) -> Relay {
        if bytes.byteCount >= Relay.directCount {
            return Relay(count: bytes.byteCount, destination: client.id)
        }
        send(bytes, to: client)
        return Relay(count: bytes.byteCount)
    }

    private func keepPartial(
        _ bytes: RawSpan, from offset: Int, _ server: ServerConnection
    ) -> Relay {
        if offset > 0 { return finish(bytes, upTo: offset, server) }
        server.partial.append(bytes)
        return Relay(count: bytes.byteCount)
    }

    /// Messages that are read, and while answers are held back all that may yet be withdrawn.
    private func needsWhole(_ kind: UInt8, _ server: ServerConnection) -> Bool {
        BackendShape.isSpecial(kind)
            || (server.client?.unit.isHoldingBack == true && !BackendShape.isDecisive(kind))
            || server.errand != .none
            || kind == BackendKind.commandComplete && server.client.map(mayDeallocate) == true
            || kind == BackendKind.rowDescription && server.replies.first?.learnsColumns == true
            || kind == BackendKind.dataRow && server.replies.first?.learnsConstants == true
    }
}

/// What is known of a server's message by its type alone.
enum BackendShape {
    /// Larger than any error, notice or row description that a server sends.
    static let wholeLimit = 16 << 20

    /// It is read, not only passed on.
    static func isSpecial(_ kind: UInt8) -> Bool {
        switch kind {
        case BackendKind.readyForQuery, BackendKind.errorResponse, BackendKind.parameterStatus,
            BackendKind.authentication, BackendKind.backendKeyData, BackendKind.noticeResponse,
            BackendKind.notificationResponse, BackendKind.negotiateProtocolVersion:
            true
        default: false
        }
    }

    /// It answers a message, while others may come at any time.
    static func isReply(_ kind: UInt8) -> Bool {
        kind != BackendKind.noticeResponse && kind != BackendKind.parameterStatus
            && kind != BackendKind.notificationResponse
    }

    /// After it the client has got something of the answer: the unit is not run again.
    static func isDecisive(_ kind: UInt8) -> Bool {
        switch kind {
        case BackendKind.parseComplete, BackendKind.bindComplete, BackendKind.closeComplete,
            BackendKind.parameterDescription, BackendKind.rowDescription, BackendKind.noData,
            BackendKind.noticeResponse, BackendKind.parameterStatus,
            BackendKind.notificationResponse:
            false
        default: true
        }
    }
}
