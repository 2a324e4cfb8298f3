// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

extension AsyncStream {
    /// The next element, or nil once the task is cancelled.
    fileprivate func first() async -> Element? {
        for await element in self { return element }
        return nil
    }
}

/// The answer that a callback brings, or `otherwise` once the time limit of the test has passed.
///
/// A continuation would wait on: a test whose task is cancelled fails, and does not end. With this
/// each wait ends, and so does the test.
func answer<T: Sendable>(
    otherwise: T, _ begin: (@escaping @Sendable (T) -> Void) -> Void
) async -> T {
    let (stream, arrival) = AsyncStream<T>.makeStream()
    let count = Counter()
    begin { answer in
        if count.next() > 1 { Issue.record("it was answered twice") }
        arrival.yield(answer)
    }
    return await stream.first() ?? otherwise
}

/// Waits until a callback is called, or the time limit of the test has passed.
func completion(of begin: (@escaping @Sendable () -> Void) -> Void) async {
    await answer(otherwise: ()) { done in begin { done(()) } }
}

/// Counts from 1.
final class Counter: Sendable {
    private let count = Mutex(0)

    func next() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}
