// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// A seeded hash of bytes; the seed keeps clients from choosing names that collide.
package struct ByteHash: Sendable {
    private let seed: UInt64
    /// The hash of the name that the unnamed statement has.
    package private(set) var unnamed: UInt64 = 0

    package init(seed: UInt64) {
        self.seed = seed
        unnamed = self([])
    }

    package func callAsFunction(_ bytes: [UInt8]) -> UInt64 { self(bytes.rawSpan) }

    package func callAsFunction(_ bytes: RawSpan) -> UInt64 {
        var hash = seed
        var offset = 0
        while offset + 8 <= bytes.byteCount {
            let word = unsafe bytes.unsafeLoadUnaligned(
                fromUncheckedByteOffset: offset, as: UInt64.self)
            hash = mix(hash ^ word)
            offset += 8
        }
        var tail = UInt64(bytes.byteCount)
        while offset < bytes.byteCount {
            tail = tail << 8 | UInt64(bytes.byte(at: offset))
            offset += 1
        }
        return mix(hash ^ tail)
    }

    /// A multiply folded onto itself, as in wyhash.
    private func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low ^ value
    }
}
