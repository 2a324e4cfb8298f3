// SPDX-License-Identifier: Apache-2.0

/// One event loop and everything that lives on it.
package struct ShardID: Hashable, Sendable {
    package let index: Int
    package init(_ index: Int) { self.index = index }
}

/// One socket of a shard, client or server: a slot and the generation of its present owner.
///
/// The pair is what epoll hands back, so that a late event finds a mismatch instead of a stranger.
package struct ConnectionID: Hashable, Sendable {
    package let slot: UInt32
    package let generation: UInt32

    package init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    package init(bits: UInt64) {
        slot = UInt32(truncatingIfNeeded: bits)
        generation = UInt32(truncatingIfNeeded: bits >> 32)
    }

    package var bits: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

/// A cluster member; small, stable for the life of the process, never reused for another member.
package struct NodeID: Hashable, Sendable {
    package let index: Int
    package init(_ index: Int) { self.index = index }
}

/// A write-ahead log location (PostgreSQL's `pg_lsn`), in bytes.
package struct LogPosition: Hashable, Comparable, Sendable {
    package var bytes: UInt64
    package init(_ bytes: UInt64) { self.bytes = bytes }

    package static let zero = LogPosition(0)
    package static func < (a: LogPosition, b: LogPosition) -> Bool { a.bytes < b.bytes }
}
