// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// The listening sockets that one shard accepts clients from, for itself and for the others.
///
/// They are in the shard's epoll set like every other socket, edge-triggered: a flag remembers that
/// clients may still wait.
struct ShardListeners {
    private struct Entry {
        var acceptor: Acceptor
        let route: Route?
        var mayHaveMore = false
    }

    /// Neither a table's, nor that of the loop or of the side connections.
    private static let slot = UInt32.max - 2
    private static let rest = Instant.Span.milliseconds(100)

    private var entries: [Entry] = []
    /// When it tries again, after the system had no means for another client.
    private(set) var deadline: Instant?

    /// What is set on a listener its clients' sockets inherit (tcp(7)), without a call for each.
    func tune(_ policy: TCPPolicy) { entries.forEach { $0.acceptor.listener.tune(policy) } }

    /// Takes a socket over; returns whom its events are for.
    mutating func add(_ acceptor: Acceptor, route: Route?) -> ConnectionID {
        entries.append(Entry(acceptor: acceptor, route: route))
        return ConnectionID(slot: Self.slot, generation: UInt32(entries.count - 1))
    }

    /// Marks the listener whose event it is; false if it is nobody's.
    mutating func noticed(_ id: ConnectionID) -> Bool {
        guard id.slot == Self.slot else { return false }
        if Int(id.generation) < entries.count { entries[Int(id.generation)].mayHaveMore = true }
        return true
    }

    /// Whether somebody may wait who need not wait for the deadline.
    func hasWork(now: Instant) -> Bool {
        if let deadline, deadline > now { return false }
        return entries.contains(where: \.mayHaveMore)
    }

    /// Accepts a batch of each listener.
    mutating func accept(now: Instant, _ take: (Socket, _ peer: String, Route?) -> Bool) {
        deadline = nil
        for index in entries.indices where entries[index].mayHaveMore {
            let route = entries[index].route
            switch entries[index].acceptor.acceptBatch({ take($0, $1, route) }) {
            case .drained: entries[index].mayHaveMore = false
            case .mayHaveMore: break
            case .mustRest: deadline = now + Self.rest
            }
        }
    }

    /// Stops listening.
    mutating func closeAll() {
        for index in entries.indices { entries[index].acceptor.close() }
        entries = []
        deadline = nil
    }
}
