// SPDX-License-Identifier: Apache-2.0

internal import DequeModule
package import ProxyCore

/// Sockets of a shard that its core does not know (any more): farewells, cancel requests, and those
/// that are passed on to other martlets.
///
/// All do the same: send what there is to send, then read until the peer closes or a deadline
/// passes. A *endForShutdown* is a client that must get its last message: closing a socket with unread
/// input would reset the connection, and the reset can overtake the message, so the writing side is
/// shut and the client is given a moment to leave. A *cancel request* is a connection of its own that
/// PostgreSQL closes when it has acted on it; so does another martlet. Those to other martlets have a
/// limit of their own, because strangers can bring them about.
package struct SideConnections {
    private enum Purpose: Equatable {
        case endForShutdown
        /// Cancels the query of this server.
        case cancel(ConnectionID)
        /// Passes a cancel request on.
        case peer
    }

    private struct Entry {
        var channel: Channel
        var unsent: ArraySlice<UInt8>
        var purpose: Purpose
        /// Bytes of a endForShutdown that were read and dropped.
        var dropped = 0
    }

    /// A request to cancel what a server is doing.
    package struct Cancel: Equatable {
        package let server: ConnectionID
        package let host: String
        package let port: UInt16
        package let packet: [UInt8]
    }

    /// What has become of a connection.
    package enum Outcome: Equatable {
        case unchanged
        /// The cancel of this server's query is over, well or badly.
        case cancelled(ConnectionID)
    }

    private var entries: [ConnectionID: Entry] = [:]
    /// Oldest first; each kind lives equally long, so the front is the next to expire.
    private var farewellDeadlines: Deque<(id: ConnectionID, at: Instant)> = []
    private var cancelDeadlines: Deque<(id: ConnectionID, at: Instant)> = []
    private var peerDeadlines: Deque<(id: ConnectionID, at: Instant)> = []
    private var attempts: ConnectAttempts
    private var unsentBytes = 0
    private var lastToken: UInt32 = 0
    private var cancelCount = 0
    private var peerCount = 0
    private var waitingCancels: Deque<Cancel> = []

    /// Time that a client has to read its last message.
    package static let farewellTime = Instant.Span.seconds(5)
    package static let cancelTime = Instant.Span.seconds(10)
    /// Cancel requests under way at a time.
    package static let maximumCancels = 64
    package static let peerTime = Instant.Span.seconds(3)
    /// Requests that are being passed on at a time; one more is dropped.
    package static let maximumPeers = 32
    private static let maximumWaiting = 4096
    /// Bytes kept for all farewells of the shard; beyond that sockets are closed as they are.
    private static let maximumUnsent = 64 << 20
    /// A client that goes on sending this much after its endForShutdown is cut off.
    private static let maximumDropped = 1 << 20

    package init(_ tls: ShardTLS) { attempts = ConnectAttempts(tls) }

    package var isEmpty: Bool { entries.isEmpty }
    package var count: Int { entries.count }

    package var nextDeadline: Instant? {
        [farewellDeadlines, cancelDeadlines, peerDeadlines].compactMap { $0.first?.at }.min()
    }

    // MARK: Farewells

    /// Takes a socket that the core has closed, and what it still has to be sent.
    package mutating func bidFarewell(
        _ id: ConnectionID, _ channel: Channel, unsent: [UInt8], now: Instant
    ) {
        guard unsentBytes + unsent.count <= Self.maximumUnsent else { return channel.close() }
        unsentBytes += unsent.count
        if unsent.isEmpty && !channel.hasUnsent { channel.shutDownWriting() }
        entries[id] = Entry(channel: channel, unsent: unsent[...], purpose: .endForShutdown)
        farewellDeadlines.append((id, now + Self.farewellTime))
    }

    // MARK: Cancel requests

    /// Leaves a request; false when there are so many that this one will not be made.
    package mutating func enqueue(_ cancel: Cancel) -> Bool {
        guard waitingCancels.count < Self.maximumWaiting else { return false }
        waitingCancels.append(cancel)
        return true
    }

    /// The next request that may begin now, and the id of its socket to be; then `resolved`.
    package mutating func beginCancel(now: Instant) -> (ConnectionID, Cancel)? {
        guard cancelCount < Self.maximumCancels, let cancel = waitingCancels.popFirst() else {
            return nil
        }
        cancelCount += 1
        let id = begin(.cancel(cancel.server), cancel.packet)
        attempts.begin(id, host: cancel.host)
        cancelDeadlines.append((id, now + Self.cancelTime))
        return (id, cancel)
    }

    /// The id of a socket to be, by which another martlet is asked to cancel; then `resolved`. Nil
    /// when so many are being asked that this one will not be.
    package mutating func askPeer(
        host: String, packet: [UInt8], now: Instant
    ) -> ConnectionID? {
        guard peerCount < Self.maximumPeers else { return nil }
        peerCount += 1
        let id = begin(.peer, packet)
        attempts.begin(id, host: host, isPeer: true)
        peerDeadlines.append((id, now + Self.peerTime))
        return id
    }

    private mutating func begin(_ purpose: Purpose, _ packet: [UInt8]) -> ConnectionID {
        lastToken &+= 1
        // A slot that no table reaches and that is not the loop's own.
        let id = ConnectionID(slot: .max - 1, generation: lastToken)
        entries[id] = Entry(channel: Channel(.none), unsent: packet[...], purpose: purpose)
        unsentBytes += packet.count
        return id
    }

    /// Connects a cancel request to the first of these addresses that answers.
    package mutating func resolved(
        _ id: ConnectionID, _ answer: Resolver.Answer, epoll: EpollSet
    ) -> Outcome {
        guard entries[id] != nil else { return .unchanged }
        guard case .success(let addresses) = answer else { return end(id) }
        attempts.resolved(id, addresses)
        return connectNext(id, epoll: epoll)
    }

    // MARK: Events

    package mutating func ready(
        _ id: ConnectionID, _ readiness: SocketReadiness, epoll: EpollSet
    ) -> Outcome {
        guard let entry = entries[id], entry.channel.socket.isOpen else { return .unchanged }
        var isWritable = readiness.contains(.writable)
        if attempts.isPending(id) {
            switch attempts.advance(id, entry.channel.socket, readiness) {
            case .waiting: return .unchanged
            case .failedHere: return connectNext(id, epoll: epoll)
            case .failed: return end(id)
            case .connected(let session):
                entries[id]?.channel.session = session
                isWritable = true
            }
        }
        if isWritable && !sendRest(of: id) { return end(id) }
        if !readiness.isDisjoint(with: .worthReading) && !skipInput(of: id) { return end(id) }
        return .unchanged
    }

    /// Ends one connection whose time is up; nil when there is none.
    package mutating func expireNext(now: Instant) -> Outcome? {
        while let first = farewellDeadlines.first, entries[first.id] == nil || first.at <= now {
            farewellDeadlines.removeFirst()
            if entries[first.id] != nil { return end(first.id) }
        }
        while let first = cancelDeadlines.first, entries[first.id] == nil || first.at <= now {
            cancelDeadlines.removeFirst()
            if entries[first.id] != nil { return end(first.id) }
        }
        while let first = peerDeadlines.first, entries[first.id] == nil || first.at <= now {
            peerDeadlines.removeFirst()
            if entries[first.id] != nil { return end(first.id) }
        }
        return nil
    }

    package mutating func closeAll() {
        for entry in entries.values { entry.channel.close() }
        entries = [:]
    }

    // MARK: -

    private mutating func connectNext(_ id: ConnectionID, epoll: EpollSet) -> Outcome {
        entries[id]?.channel.close()
        entries[id]?.channel = Channel(.none)
        do throws(SocketError) {
            let socket = try attempts.next(id)
            entries[id]?.channel = Channel(socket)
            try epoll.add(socket.descriptor, as: id)
            return .unchanged
        } catch {
            return end(id)
        }
    }

    /// False when the peer is gone.
    private mutating func sendRest(of id: ConnectionID) -> Bool {
        guard var entry = entries[id], !entry.unsent.isEmpty || entry.channel.hasUnsent else {
            return true
        }
        guard case .sent(let count, _) = unsafe entry.channel.send(entry.unsent.span.bytes) else {
            return false
        }
        entry.unsent = entry.unsent.dropFirst(count)
        unsentBytes -= count
        if entry.unsent.isEmpty && !entry.channel.hasUnsent && entry.purpose == .endForShutdown {
            entry.channel.shutDownWriting()
        }
        entries[id] = entry
        return true
    }

    /// Reads and drops; false when the peer has closed.
    private mutating func skipInput(of id: ConnectionID) -> Bool {
        guard let entry = entries[id] else { return true }
        var dropped = entry.dropped
        let isOpen = unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            while dropped < Self.maximumDropped {
                switch unsafe entry.channel.receive(into: buffer) {
                case .received(let count, _): dropped += count
                case .nothing: return true
                case .ended: return false
                case .failed: return false
                }
            }
            return false
        }
        entries[id]?.dropped = dropped
        return isOpen
    }

    private mutating func end(_ id: ConnectionID) -> Outcome {
        attempts.end(id)
        guard let entry = entries.removeValue(forKey: id) else { return .unchanged }
        entry.channel.close()
        unsentBytes -= entry.unsent.count
        switch entry.purpose {
        case .endForShutdown: return .unchanged
        case .peer:
            peerCount -= 1
            return .unchanged
        case .cancel(let server):
            cancelCount -= 1
            return .cancelled(server)
        }
    }
}
