// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// A server's bytes become answers: scanned by their headers, passed on by count.
///
/// Row data is never looked at. Messages that follow each other to the same client are one run; a
/// run is appended to the client's output, or named to the driver as one relay when it is large.
extension Pooler {
    func relay(_ bytes: RawSpan, from server: ServerConnection, now: Instant) -> Relay {
        if server.abandonment != nil { dropped(bytes.byteCount, of: server, now: now) }
        guard !server.isClosed else { return Relay(count: bytes.byteCount) }
        if server.replication != nil, server.isLeased {
            return passReplication(bytes, from: server, now: now)
        }
        if server.incoming.remaining > 0 { return passBody(bytes, from: server) }
        var relay = Relay(count: 0)
        if server.incoming.partialCount > 0 {
            relay.count = complete(bytes, from: server, now: now)
            // What was kept to be read whole need not be any more, its client having left: it has
            // gone, and these bytes are the rest of it.
            if relay.count == 0 { return self.relay(bytes, from: server, now: now) }
        } else {
            relay = scan(bytes, from: server, now: now)
        }
        settle(server, isLast: relay.count == bytes.byteCount, now: now)
        if let client = server.client, client.unit.isRunning, !client.inbound.isEmpty,
            server.requests.replies.isCopyingIn || !client.unit.messages.isComplete {
            // COPY data that waited for this.
            proceed(client, .gather, now: now)
        }
        return relay
    }

    /// More of a message whose header has been seen.
    private func passBody(_ bytes: RawSpan, from server: ServerConnection) -> Relay {
        let count = min(server.incoming.remaining, bytes.byteCount)
        let isForwarded = server.incoming.isAmidForwarded
        server.incoming.passed(count)
        guard isForwarded, let client = server.client else {
            return Relay(count: count)
        }
        let part = bytes.extracting(0..<count)
        if server.incoming.remaining == 0 && server.requests.replies.first?.disposition == .fake {
            // What is made here comes after it, so that it must be in the output first.
            send(part, to: client)
            makeFakeReplies(server, client)
            return Relay(count: count)
        }
        return deliver(part, to: client)
    }

    /// Adds what is missing of the message that came in part, and deals with it when it is whole.
    private func complete(
        _ bytes: RawSpan, from server: ServerConnection, now: Instant
    ) -> Int {
        var taken = 0
        if server.incoming.partialCount < MessageHeader.size {
            taken = min(MessageHeader.size - server.incoming.partialCount, bytes.byteCount)
            server.incoming.keep(bytes.extracting(0..<taken))
        }
        let header: MessageHeader?
        do {
            header = try server.incoming.partialHeader()
        } catch {
            violation(server, "a message length below four", now: now)
            return bytes.byteCount
        }
        guard let header else { return taken }
        if needsWhole(header.kind, server) {
            let missing = min(
                header.totalCount - server.incoming.partialCount, bytes.byteCount - taken)
            server.incoming.keep(bytes.extracting(taken..<taken + missing))
            taken += missing
            guard server.incoming.partialCount == header.totalCount else {
                if header.bodyCount > BackendShape.wholeLimit {
                    violation(server, "a message of \(header.bodyCount) bytes", now: now)
                }
                return taken
            }
        }
        let message = server.incoming.takePartial(ByteQueue(pool: self.bytes))
        var offset = 0
        while offset < message.count && !server.isClosed {
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
    /// message that acts or that is dropped.
    private func scan(_ bytes: RawSpan, from server: ServerConnection, now: Instant) -> Relay {
        var offset = 0
        while offset < bytes.byteCount {
            if offset > 0, let client = server.client, client.unit.replay.repliesToSuppress > 0 {
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
                    server.incoming.began(remaining: end - whole.byteCount, forwards: false)
                    if let client = server.client { makeFakeReplies(server, client) }
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
                server.incoming.began(remaining: end - offset, forwards: true)
            } else if server.requests.replies.first?.disposition == .fake {
                let relay = finish(bytes, upTo: offset, server, copying: true)
                if let client = server.client { makeFakeReplies(server, client) }
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
        if client.unit.replay.withholds {
            client.withheld.append(run)
            forwardWithheldAtFlush(client, server)
            return Relay(count: end)
        }
        if copying {
            send(run, to: client)
            return Relay(count: end)
        }
        return deliver(run, to: client)
    }

    private func keepPartial(
        _ bytes: RawSpan, from offset: Int, _ server: ServerConnection
    ) -> Relay {
        if offset > 0 { return finish(bytes, upTo: offset, server) }
        server.incoming.keep(bytes)
        return Relay(count: bytes.byteCount)
    }

    /// Messages that are read, and while answers are held back all that may yet be withdrawn.
    private func needsWhole(_ kind: UInt8, _ server: ServerConnection) -> Bool {
        BackendShape.isSpecial(kind)
            || (server.client?.unit.replay.withholds == true && !BackendShape.isDecisive(kind))
            || server.internalQuery != nil
            || kind == BackendKind.commandComplete && server.client.map(mayDeallocate) == true
            || kind == BackendKind.rowDescription && server.requests.replies.first?.reportsColumns == true
            || kind == BackendKind.dataRow && server.requests.replies.first?.reportsLiteralSettings == true
    }
}
