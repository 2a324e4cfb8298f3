// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore
internal import Synchronization

/// One question for the members, put to several addresses: the first good answer counts.
final class DiscoveryRound: Sendable {
    /// What an answer means for the round.
    enum Outcome: Equatable {
        case wait
        case found(ClusterReport)
        case failed(String)
    }

    /// Questions without an answer yet; none any more once the round is over.
    private let outstanding: Mutex<Int>

    init(questions: Int) { outstanding = Mutex(questions) }

    /// Called once a question; gives an outcome other than `wait` once.
    func answered(_ answer: HTTPAnswer) -> Outcome {
        let outcome = Self.outcome(of: answer)
        return outstanding.withLock { outstanding in
            guard outstanding > 0 else { return .wait }
            outstanding -= 1
            if case .found = outcome { outstanding = 0 }
            return outstanding == 0 ? outcome : .wait
        }
    }

    private static func outcome(of answer: HTTPAnswer) -> Outcome {
        switch answer {
        case .failed(let words): return .failed(words)
        case .answered(200, let body):
            guard let report = PatroniAnswer.cluster(body: body), !report.members.isEmpty else {
                return .failed("the answer names no members")
            }
            return .found(report)
        case .answered(let status, _): return .failed("the answer has status \(status)")
        }
    }
}
