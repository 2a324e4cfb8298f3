// SPDX-License-Identifier: Apache-2.0

/// The connections of one shard by their ids, and which of them have bytes to send.
///
/// A slot's generation rises when its connection ends, so that a late event finds the slot vacant
/// and not the next connection.
struct ConnectionSlots {
    enum Occupant {
        case vacant
        case client(ClientSession)
        case server(ServerConnection)
    }

    private struct Slot {
        var occupant = Occupant.vacant
        var generation: UInt32 = 0
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private var dirty: [ConnectionID] = []

    /// The connection of an id, if it is still there.
    func occupant(_ id: ConnectionID) -> Occupant {
        let index = Int(id.slot)
        guard index < slots.count, slots[index].generation == id.generation else { return .vacant }
        return slots[index].occupant
    }

    /// The connection that is in a slot now.
    func occupant(ofSlot slot: UInt32) -> Occupant {
        Int(slot) < slots.count ? slots[Int(slot)].occupant : .vacant
    }

    /// All slots, vacant ones too, in their order.
    var occupants: some Sequence<Occupant> { slots.lazy.map(\.occupant) }

    /// Takes a slot; `place` puts a connection into it.
    mutating func take() -> ConnectionID {
        if let slot = free.popLast() {
            return ConnectionID(slot: slot, generation: slots[Int(slot)].generation)
        }
        slots.append(Slot())
        return ConnectionID(slot: UInt32(slots.count - 1), generation: 0)
    }

    /// Puts a connection into the slot that was taken for it.
    mutating func place(_ occupant: Occupant, at id: ConnectionID) {
        slots[Int(id.slot)].occupant = occupant
    }

    /// Ends an id.
    mutating func release(_ id: ConnectionID) {
        let index = Int(id.slot)
        slots[index].occupant = .vacant
        slots[index].generation &+= 1
        free.append(id.slot)
    }

    /// A client has bytes to send.
    mutating func markDirty(_ client: ClientSession) {
        if client.becameDirty() { dirty.append(client.id) }
    }

    /// A server connection has bytes to send.
    mutating func markDirty(_ server: ServerConnection) {
        if server.becameDirty() { dirty.append(server.id) }
    }

    /// A connection with bytes to send, each named once; nil when there is none left.
    mutating func nextDirty() -> ConnectionID? {
        while let id = dirty.popLast() {
            switch occupant(id) {
            case .vacant: continue
            case .client(let client): client.flushed()
            case .server(let server): server.flushed()
            }
            return id
        }
        return nil
    }
}
