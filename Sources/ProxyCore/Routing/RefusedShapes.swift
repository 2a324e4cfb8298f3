// SPDX-License-Identifier: Apache-2.0

/// Shapes of statements that a replica refused, so that the next of the kind goes to the primary.
///
/// A table of fixed size in sets of four: a new shape takes the place of the one in its set that
/// expires first. So memory is bounded, and a look-up is four comparisons. It is empty, and owns
/// nothing, until the first refusal.
package struct RefusedShapes: Equatable, Sendable {
    private static let ways = 4

    private struct Entry: Equatable, Sendable {
        var shape: UInt64
        var expiresAt: Instant
    }

    private var entries: [Entry] = []
    private let capacity: Int
    private let lifetime: Instant.Span

    package init(capacity: Int = 4096, lifetime: Instant.Span = .seconds(600)) {
        precondition(capacity >= Self.ways, "room for one set at least")
        self.capacity = capacity / Self.ways * Self.ways
        self.lifetime = lifetime
    }

    /// Whether a replica refused a statement of this shape not long ago.
    package func contains(_ shape: UInt64, now: Instant) -> Bool {
        if entries.isEmpty { return false }
        for index in set(of: shape)
        where entries[index].shape == shape && entries[index].expiresAt > now {
            return true
        }
        return false
    }

    package mutating func insert(_ shape: UInt64, now: Instant) {
        if entries.isEmpty {
            entries = Array(
                repeating: Entry(shape: 0, expiresAt: Instant(0)), count: capacity)
        }
        var place = set(of: shape).lowerBound
        for index in set(of: shape) {
            if entries[index].shape == shape {
                place = index
                break
            }
            if entries[index].expiresAt < entries[place].expiresAt { place = index }
        }
        entries[place] = Entry(shape: shape, expiresAt: now + lifetime)
    }

    /// The schema changed: what was refused may be a read now.
    package mutating func removeAll() { entries = [] }

    private func set(of shape: UInt64) -> Range<Int> {
        // The hash may be weak in its low bits.
        let mixed = (shape ^ (shape >> 32)) &* 0x9e37_79b9_7f4a_7c15
        let first = Int((mixed >> 32) % UInt64(capacity / Self.ways)) * Self.ways
        return first..<(first + Self.ways)
    }
}
