// SPDX-License-Identifier: Apache-2.0

/// A byte of options, then a play of two clients with servers that say anything, die at any moment
/// and change their roles: steps of two bytes, some with a block of bytes behind them.
enum BackendFuzz {
    static func run(_ input: Input) {
        var input = input
        var stage = Stage(options: input.byte())
        for _ in 0..<400 where !input.isEmpty { stage.step(&input) }
        stage.end()
    }
}
