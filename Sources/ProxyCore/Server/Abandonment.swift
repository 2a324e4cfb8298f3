// SPDX-License-Identifier: Apache-2.0

/// A reply whose client left before it was there.
///
/// PostgreSQL notices that a client is gone when it next writes to it: then the statement ends and is
/// rolled back. Until then it runs, and a write without output runs to its end and commits. martlet
/// does the same: a statement that sends more than a buffer of its reply is ended, one that sends
/// nothing goes on, so that a statement of a client that does not wait has the effect that it would
/// have without martlet. But server connections are few: where the outcome is known to be nothing (a
/// read, or a transaction that will be rolled back) the statement is cancelled after a moment in which
/// most end by themselves. A cancelled server connection is used again, a closed one is not.
struct Abandonment {
    private static let patience = Instant.Span.seconds(1)
    private static let patienceAfterCancel = Instant.Span.seconds(5)

    /// What is to be done about the statement.
    enum Verdict: Equatable {
        case wait
        case cancel
        case close
    }

    private let since: Instant
    /// A cancel request cannot lose anything.
    private let mayCancel: Bool
    private var cancelledAt: Instant?
    private var droppedCount = 0

    init(since: Instant, mayCancel: Bool) {
        self.since = since
        self.mayCancel = mayCancel
    }

    /// More of the reply arrived, which is dropped.
    mutating func dropped(_ count: Int, limit: Int) -> Verdict {
        droppedCount += count
        guard droppedCount > limit, cancelledAt == nil else { return .wait }
        return mayCancel ? .cancel : .close
    }

    /// Time passed and the reply is not complete.
    func verdict(now: Instant) -> Verdict {
        guard mayCancel else { return .wait }
        if let cancelledAt {
            return now - cancelledAt >= Self.patienceAfterCancel ? .close : .wait
        }
        return now - since >= Self.patience ? .cancel : .wait
    }

    /// A cancel request is on its way.
    mutating func cancelled(at now: Instant) { cancelledAt = now }
}
