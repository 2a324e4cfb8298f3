// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// Sockets on which a long stream comes in, such as the rows of a large result or a COPY.
///
/// PostgreSQL writes 8 KB at a time, and each piece would be a wake-up, a read and a send. Once a
/// stream is long, the kernel is asked to wake us only when `lowWater` bytes are there
/// (`SO_RCVLOWAT`); what stays below that, as its end does, is looked for every `pause`. A stream
/// that has become a trickle is read piece by piece again, and so is a socket to which something is
/// sent, since its peer will answer.
package struct BulkReading {
    /// How much must have come in one direction before a stream is long: a delay of `pause` at its
    /// end is then no matter.
    package static let longStream: UInt32 = 8 << 20
    package static let lowWater: Int32 = 64 << 10
    package static let pause = Instant.Span.milliseconds(1)
    /// Pieces of less say nothing of a stream.
    package static let smallPiece = 4 << 10
    /// Further streams are read as they come.
    private static let limit = 64

    private struct Stream {
        let id: ConnectionID
        /// Bytes since it was last looked at.
        var fresh = 0
    }

    private var streams: [Stream] = []
    /// When to look at all of them.
    package private(set) var deadline: Instant?

    package init() {}

    /// Takes in a stream that has become long; false when there are too many.
    package mutating func begin(_ id: ConnectionID, now: Instant) -> Bool {
        guard streams.count < Self.limit else { return false }
        streams.append(Stream(id: id, fresh: Int(Self.lowWater)))
        deadline = deadline ?? now + Self.pause
        return true
    }

    package mutating func received(_ count: Int, on id: ConnectionID) {
        guard let index = streams.firstIndex(where: { $0.id == id }) else { return }
        streams[index].fresh += count
    }

    package mutating func end(_ id: ConnectionID) {
        streams.removeAll { $0.id == id }
        if streams.isEmpty { deadline = nil }
    }

    /// All that are to be read now whatever they have, and whether each is still a stream.
    package mutating func visit(now: Instant) -> [(id: ConnectionID, isStream: Bool)] {
        guard let deadline, deadline <= now else { return [] }
        self.deadline = now + Self.pause
        let visited = streams.map { ($0.id, $0.fresh >= Self.smallPiece) }
        for index in streams.indices { streams[index].fresh = 0 }
        return visited
    }
}
