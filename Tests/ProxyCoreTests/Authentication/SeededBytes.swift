// SPDX-License-Identifier: Apache-2.0

/// SplitMix64, so that a property test that fails can be repeated from its seed.
struct SeededBytes: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// One to three bytes of a message changed, dropped or doubled.
    mutating func mutation(of message: [UInt8]) -> [UInt8] {
        var message = message
        for _ in 0..<Int.random(in: 1...3, using: &self) where !message.isEmpty {
            let at = Int.random(in: 0..<message.count, using: &self)
            switch Int.random(in: 0..<3, using: &self) {
            case 0: message[at] = UInt8(truncatingIfNeeded: next())
            case 1: message.remove(at: at)
            default: message.insert(message[at], at: at)
            }
        }
        return message
    }
}
