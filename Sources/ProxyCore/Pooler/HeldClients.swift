// SPDX-License-Identifier: Apache-2.0

/// Clients whose unit has no node to go to, in the order in which they began to wait.
struct HeldClients {
    /// One request for newer log positions serves all sessions for this long.
    private static let requestSpacing = Instant.Span.milliseconds(2)

    private(set) var clients: [ClientSession] = []
    private var positionsRequestedAt = Instant(0)

    var isEmpty: Bool { clients.isEmpty }

    mutating func append(_ client: ClientSession) { clients.append(client) }

    mutating func remove(_ client: ClientSession) {
        if let place = clients.firstIndex(where: { $0 === client }) { clients.remove(at: place) }
    }

    /// Empties the queue; each client that still has no node comes back.
    mutating func takeAll() -> [ClientSession] {
        defer { clients.removeAll(keepingCapacity: true) }
        return clients
    }

    /// Newer log positions would help; returns true when they are to be requested now.
    mutating func needPositions(now: Instant) -> Bool {
        guard now - positionsRequestedAt >= Self.requestSpacing else { return false }
        positionsRequestedAt = now
        return true
    }
}
