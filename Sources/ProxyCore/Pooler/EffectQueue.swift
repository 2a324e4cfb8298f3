// SPDX-License-Identifier: Apache-2.0

internal import DequeModule

/// What the driver is to perform, in the order in which it was decided.
struct EffectQueue {
    private var effects: Deque<Effect> = []

    mutating func append(_ effect: Effect) { effects.append(effect) }

    /// The next one to perform.
    mutating func next() -> Effect? { effects.popFirst() }
}
