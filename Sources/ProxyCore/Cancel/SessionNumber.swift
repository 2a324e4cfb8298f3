// SPDX-License-Identifier: Apache-2.0

/// The process id in a session's cancel key: it says where the session lives.
///
///     bit 31      bits 30…24    bits 23…0
///     forwarded   instance      slot × shards + shard
///
/// It is no secret and proves nothing; the key's other part is and does. Bit 31 is never in a key
/// that a client gets, so that clients which read the number as signed find it positive.
package struct SessionNumber: Equatable, Sendable {
    /// Which martlet (`Peers.tag`); 0 where that is not known.
    package var instance: UInt8
    package var shard: ShardID
    package var slot: UInt32
    /// Another martlet has passed the request on: it is not passed on again.
    package var isForwarded = false

    private static let forwarded: UInt32 = 1 << 31
    /// More sockets than all shards together may have.
    private static let places: UInt32 = 1 << 24

    package init(instance: UInt8, shard: ShardID, slot: UInt32) {
        self.instance = instance
        self.shard = shard
        self.slot = slot
    }

    /// What a cancel request names, read as one of an instance with so many shards.
    package init(processID: UInt32, shards: Int) {
        let place = processID % Self.places
        instance = UInt8(processID >> 24 & 0x7f)
        shard = ShardID(Int(place) % shards)
        slot = place / UInt32(shards)
        isForwarded = processID & Self.forwarded != 0
    }

    package func processID(shards: Int) -> UInt32 {
        let place = (slot &* UInt32(shards) &+ UInt32(shard.index)) % Self.places
        return (isForwarded ? Self.forwarded : 0) | UInt32(instance & 0x7f) << 24 | place
    }
}
