// SPDX-License-Identifier: Apache-2.0

/// One line of `martlet check`.
struct CheckFinding: Equatable, Sendable {
    /// The result of one check.
    enum Verdict: Equatable, Sendable {
        case ok
        /// It works, but needs attention.
        case warning
        case failure
    }

    let verdict: Verdict
    /// The subject, such as `pg-1: SQL`.
    let subject: String
    /// The finding.
    let detail: String
    /// How to fix it.
    let remedy: String?

    /// All is well.
    static func ok(_ subject: String, _ detail: String) -> CheckFinding {
        CheckFinding(verdict: .ok, subject: subject, detail: detail, remedy: nil)
    }

    /// A finding that needs attention.
    static func warning(
        _ subject: String, _ detail: String, _ remedy: String? = nil
    ) -> CheckFinding {
        CheckFinding(verdict: .warning, subject: subject, detail: detail, remedy: remedy)
    }

    /// martlet would not work, or not as configured.
    static func failure(_ subject: String, _ detail: String, _ remedy: String) -> CheckFinding {
        CheckFinding(verdict: .failure, subject: subject, detail: detail, remedy: remedy)
    }

    /// `ok    subject: detail`, and how to fix it on a line of its own.
    var text: String {
        let word =
            switch verdict {
            case .ok: "ok   "
            case .warning: "warn "
            case .failure: "FAIL "
            }
        let first = "\(word) \(subject): \(detail)"
        return remedy.map { "\(first)\n      -> \($0)" } ?? first
    }
}
