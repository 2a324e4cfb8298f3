// SPDX-License-Identifier: Apache-2.0

import ProxyCore

/// How the bytes of a connection are cut on their way to the pooler.
struct Chunking {
    enum Cut { case whole, single, random }

    let cut: Cut
    private var generator: SplitMix64

    init(_ cut: Cut = .whole, seed: UInt64 = 0) {
        self.cut = cut
        generator = SplitMix64(seed: seed)
    }

    mutating func choose(among indices: [Int]) -> Int? {
        cut == .random ? indices.randomElement(using: &generator) : indices.first
    }

    mutating func count(of available: Int) -> Int {
        switch cut {
        case .whole: available
        case .single: 1
        // Mostly small pieces, now and then everything.
        case .random where Int.random(in: 0..<8, using: &generator) == 0: available
        case .random: Int.random(in: 1...min(available, 40), using: &generator)
        }
    }
}
