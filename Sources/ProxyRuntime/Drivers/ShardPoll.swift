// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// One question to every shard: who has answered, until all have or the time is up.
///
/// A shard that is stuck answers never, or much later; it must not make those wait who ask
/// whether one is stuck.
final class ShardPoll<Answer: Sendable>: Sendable {
    private struct State {
        var answers: [Answer?]
        /// Taken by whoever ends it.
        var finished: (@Sendable ([Answer?]) -> Void)?
    }

    private let state: Mutex<State>

    /// `finished` is called once, with nil for each shard that did not answer.
    init(shards: Int, finished: @escaping @Sendable ([Answer?]) -> Void) {
        state = Mutex(State(answers: Array(repeating: nil, count: shards), finished: finished))
    }

    /// A shard has answered; of no use any more when the time is up.
    func answered(_ shard: Int, _ answer: Answer) {
        end { state in
            state.answers[shard] = answer
            return !state.answers.contains { $0 == nil }
        }
    }

    func timeIsUp() { end { _ in true } }

    private func end(_ isOver: (inout sending State) -> Bool) {
        let last = state.withLock { state -> (@Sendable () -> Void)? in
            guard let finished = state.finished, isOver(&state) else { return nil }
            state.finished = nil
            let answers = state.answers
            return { finished(answers) }
        }
        last?()
    }
}
