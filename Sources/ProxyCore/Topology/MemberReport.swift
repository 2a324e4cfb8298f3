// SPDX-License-Identifier: Apache-2.0

/// Patroni's reply to `GET /primary`: the status code and the parts of the body that
/// decisions depend on.
///
/// The code alone is wrong in both directions during a handover: the old leader answers 200 for
/// seconds while it stops, the new one answers 200 before it takes writes, and in failsafe mode a
/// working primary flaps between 200 and 503. So the rules read both.
package struct MemberReport: Equatable, Sendable {
    package var status: Int
    package var role: RoleWord
    /// Patroni's word: running, starting, stopping, crashed, ...
    package var state: String
    package var timeline: UInt32?
    /// `streaming`, `in archive recovery`, or nil (absent before Patroni 3.0.4).
    package var replicationState: String?
    package var tags = MemberTags()
    /// `database_system_identifier`; nil when the server could not be asked.
    package var systemIdentifier: String?
    package var isFailsafeActive = false
    /// The cluster is in maintenance mode: roles change by hand and the lock does not matter.
    package var isPaused = false
    /// The version as in `server_version_num`.
    package var serverVersion: Int?
    package var isRestartPending = false
    package var scope: String?
    package var patroniVersion: String?

    package init(status: Int, role: RoleWord, state: String) {
        self.status = status
        self.role = role
        self.state = state
    }

    /// Whether this member holds the leader lock, whatever its server does.
    package var holdsLock: Bool { status == 200 }

    /// A healthy replica is `running`; newer versions of some endpoints say `streaming`.
    package var isRunning: Bool { state == "running" || state == "streaming" }

    /// Whether this report by itself describes a primary that may take writes.
    package var describesWritablePrimary: Bool {
        role == .primary && state == "running" && (holdsLock || isFailsafeActive || isPaused)
    }
}

/// Patroni's role of a member, in both vocabularies.
package enum RoleWord: Equatable, Sendable {
    case primary
    case replica
    /// The leader of a standby cluster: it holds the lock and takes no writes.
    case standbyLeader
    /// Demoted, promoted (but not confirmed by the server), uninitialized, or a word of the future.
    case other(String)

    package init(_ word: String) {
        switch word {
        case "primary", "master": self = .primary
        case "replica": self = .replica
        case "standby_leader": self = .standbyLeader
        default: self = .other(word)
        }
    }
}

/// The tags of a member, as text.
package struct MemberTags: Equatable, Sendable {
    private var values: [String: String]

    package init(_ values: [String: String] = [:]) { self.values = values }

    package subscript(name: String) -> String? { values[name] }

    /// Patroni reads these words as true in a tag.
    package var isNoLoadBalance: Bool {
        guard let value = values["noloadbalance"]?.lowercased() else { return false }
        return ["true", "yes", "on", "1"].contains(value)
    }

    /// The share that a tag of 0 to 100 asks for, between 0 and 1; 1 when absent or not a number.
    package func share(_ name: String?) -> Double {
        guard let name, let text = values[name], let percent = Double(text), percent.isFinite
        else { return 1 }
        return min(max(percent / 100, 0), 1)
    }
}
