// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// What the driver remembers of a socket between events.
package struct SocketState: OptionSet, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The kernel may hold bytes: set by an edge, cleared by a read that emptied it.
    package static let readable = SocketState(rawValue: 1 << 0)
    /// The kernel takes bytes: set by an edge, cleared by a send that filled it.
    package static let writable = SocketState(rawValue: 1 << 1)
    /// The end of the stream or an error lies behind what is still to be read.
    package static let ending = SocketState(rawValue: 1 << 2)
    package static let connecting = SocketState(rawValue: 1 << 3)
    /// The core wants nothing from it for now.
    package static let paused = SocketState(rawValue: 1 << 4)
    /// Somebody must first take what it has sent already.
    package static let blocked = SocketState(rawValue: 1 << 5)
    /// Named in the driver's list of sockets to read without an event.
    package static let runnable = SocketState(rawValue: 1 << 6)
    package static let server = SocketState(rawValue: 1 << 7)
    /// Its bytes go through the TLS session that the table holds for it.
    package static let encrypted = SocketState(rawValue: 1 << 8)
    /// A client's TLS handshake is not over.
    package static let handshaking = SocketState(rawValue: 1 << 9)
    /// More than a little has come since something was last sent.
    package static let streaming = SocketState(rawValue: 1 << 10)
    /// It is read in large pieces (`BulkReading`).
    package static let bulk = SocketState(rawValue: 1 << 11)
}

extension SocketState {
    /// What an event says of a socket.
    package init(_ readiness: SocketReadiness) {
        self = []
        if readiness.contains(.writable) { insert(.writable) }
        if !readiness.isDisjoint(with: .worthReading) { insert(.readable) }
        if !readiness.isDisjoint(with: .ending) { insert(.ending) }
    }
}

/// The sockets of one shard by slot, 28 bytes each, and who waits for whom.
///
/// A source is stopped while its destination has too much output pending. The stopped ones form
/// a list through the slots, from their destination, so that stopping allocates nothing. It is one
/// element long but for the moments in which a client changes its server.
package struct ConnectionTable {
    private struct Slot {
        var socket = Socket.none
        var generation: UInt32 = 0
        var state: SocketState = []
        var isOccupied = false
        /// Bytes that have come since something was last sent, as far as it matters.
        var stream: UInt32 = 0
        /// Slot number of the first source that waits for this one's output to drain.
        var firstWaiter = ConnectionTable.nobody
        /// The next one that waits for the same destination.
        var nextWaiter = ConnectionTable.nobody
        /// The destination that this one waits for.
        var waitsFor = ConnectionTable.nobody
    }

    fileprivate static let nobody = UInt32.max

    private var slots: [Slot] = []
    /// By slot, and only as long as it must be: who uses no TLS pays one flag of `state` for it.
    private var sessions: [TLSSession?] = []
    /// Occupied slots.
    package private(set) var count = 0

    package init() {}

    /// Whether this connection is still the owner of its slot.
    package func holds(_ id: ConnectionID) -> Bool {
        let slot = Int(id.slot)
        return slot < slots.count && slots[slot].generation == id.generation
            && slots[slot].isOccupied
    }

    package func state(of id: ConnectionID) -> SocketState { slots[Int(id.slot)].state }

    package func socket(of id: ConnectionID) -> Socket { slots[Int(id.slot)].socket }

    package mutating func insert(_ state: SocketState, of id: ConnectionID) {
        slots[Int(id.slot)].state.formUnion(state)
    }

    package mutating func remove(_ state: SocketState, of id: ConnectionID) {
        slots[Int(id.slot)].state.subtract(state)
    }

    package mutating func setSocket(_ socket: Socket, of id: ConnectionID) {
        slots[Int(id.slot)].socket = socket
    }

    /// Gives a slot its next owner; the core numbers slots, and must have freed this one.
    package mutating func occupy(_ id: ConnectionID, socket: Socket, state: SocketState) {
        let slot = Int(id.slot)
        while slots.count <= slot { slots.append(Slot()) }
        precondition(!slots[slot].isOccupied, "the slot is still in use")
        slots[slot] = Slot()
        slots[slot].socket = socket
        slots[slot].generation = id.generation
        slots[slot].state = state
        slots[slot].isOccupied = true
        count += 1
    }

    // MARK: Bytes

    /// Reads a socket once, decrypted where it has to be.
    package mutating func receive(
        _ id: ConnectionID, into buffer: UnsafeMutableRawBufferPointer
    ) -> ReceiveResult {
        let slot = Int(id.slot)
        if slots[slot].state.contains(.encrypted), let session = sessions[slot] {
            let result = unsafe session.receive(from: slots[slot].socket, into: buffer)
            // An answer of libssl's own did not fit: the next edge sends the rest.
            if session.hasUnsent { slots[slot].state.remove(.writable) }
            return result
        }
        return unsafe slots[slot].socket.receive(into: buffer)
    }

    /// Sends on a socket once, encrypted where it has to be.
    package func send(_ bytes: RawSpan, to id: ConnectionID) -> SendResult {
        let slot = Int(id.slot)
        if slots[slot].state.contains(.encrypted), let session = sessions[slot] {
            return session.send(bytes, to: slots[slot].socket)
        }
        return slots[slot].socket.send(bytes)
    }

    /// From now on its bytes are encrypted.
    package mutating func encrypt(_ id: ConnectionID, _ session: TLSSession) {
        let slot = Int(id.slot)
        while sessions.count <= slot { sessions.append(nil) }
        sessions[slot] = session
        slots[slot].state.insert(.encrypted)
    }

    /// Its TLS session, if it has one.
    package func session(of id: ConnectionID) -> TLSSession? {
        slots[Int(id.slot)].state.contains(.encrypted) ? sessions[Int(id.slot)] : nil
    }

    // MARK: Streams

    /// Counts what comes in one direction.
    package mutating func lengthenStream(of id: ConnectionID, by count: Int) -> UInt32 {
        let slot = Int(id.slot)
        slots[slot].state.insert(.streaming)
        slots[slot].stream = UInt32(clamping: Int(slots[slot].stream) + count)
        return slots[slot].stream
    }

    package mutating func forgetStream(of id: ConnectionID) {
        slots[Int(id.slot)].state.remove(.streaming)
        slots[Int(id.slot)].stream = 0
    }

    // MARK: Ends

    /// Frees a slot. Its waiters must have been woken.
    package mutating func vacate(_ id: ConnectionID) -> Channel {
        let slot = Int(id.slot)
        precondition(slots[slot].firstWaiter == Self.nobody)
        leaveQueue(slot)
        let channel = Channel(slots[slot].socket, session(of: id))
        if channel.session != nil { sessions[slot] = nil }
        slots[slot].socket = .none
        slots[slot].isOccupied = false
        slots[slot].state = []
        count -= 1
        return channel
    }

    // MARK: Waiting

    /// Stops a source until its destination has drained.
    package mutating func block(_ source: ConnectionID, on destination: ConnectionID) {
        let slot = Int(source.slot)
        if slots[slot].state.contains(.blocked) { return }
        slots[slot].state.insert(.blocked)
        slots[slot].waitsFor = destination.slot
        slots[slot].nextWaiter = slots[Int(destination.slot)].firstWaiter
        slots[Int(destination.slot)].firstWaiter = source.slot
    }

    package func hasWaiters(_ destination: ConnectionID) -> Bool {
        slots[Int(destination.slot)].firstWaiter != Self.nobody
    }

    /// Lets one source that waited for this destination go on; nil when there is none left.
    package mutating func nextUnblocked(by destination: ConnectionID) -> ConnectionID? {
        let first = slots[Int(destination.slot)].firstWaiter
        guard first != Self.nobody else { return nil }
        let slot = Int(first)
        leaveQueue(slot)
        return ConnectionID(slot: first, generation: slots[slot].generation)
    }

    /// Every occupied slot's owner.
    package var all: [ConnectionID] {
        slots.indices.filter { slots[$0].isOccupied }.map {
            ConnectionID(slot: UInt32($0), generation: slots[$0].generation)
        }
    }

    private mutating func leaveQueue(_ slot: Int) {
        guard slots[slot].state.contains(.blocked) else { return }
        let destination = Int(slots[slot].waitsFor)
        let next = slots[slot].nextWaiter
        if slots[destination].firstWaiter == UInt32(slot) {
            slots[destination].firstWaiter = next
        } else {
            var before = Int(slots[destination].firstWaiter)
            while slots[before].nextWaiter != UInt32(slot) {
                before = Int(slots[before].nextWaiter)
            }
            slots[before].nextWaiter = next
        }
        slots[slot].state.remove(.blocked)
        slots[slot].nextWaiter = Self.nobody
        slots[slot].waitsFor = Self.nobody
    }
}
