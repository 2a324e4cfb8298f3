// SPDX-License-Identifier: Apache-2.0

package import PostgresWire
package import ProxyCore
internal import Synchronization

/// As whom control connections log in.
package struct ControlAccount: Sendable {
    package var user: String
    package var database: String
    /// One for all copies, so that each connection made from now on uses the newest.
    private let newestPassword: NewestPassword
    /// Further libpq parameters, such as `sslmode`.
    package var parameters: [Parameter] = []

    package struct Parameter: Equatable, Sendable {
        package var name: String
        package var value: String
        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(user: String, password: String?, database: String) {
        self.user = user
        self.database = database
        newestPassword = NewestPassword(password)
    }

    package var password: String? { newestPassword.text.withLock { $0 } }

    /// Another password for the next connections of this account and of all its copies; those
    /// that are open stay, as PostgreSQL asks no second time.
    package func passwordChanged(to password: String?) {
        newestPassword.text.withLock { $0 = password }
    }

    /// The same account in another database.
    package func with(database: String) -> ControlAccount {
        var other = self
        other.database = database
        return other
    }
}

private final class NewestPassword: Sendable {
    let text: Mutex<String?>

    init(_ text: String?) { self.text = Mutex(text) }
}

/// Why a control query has no answer.
package enum ControlFault: Error, Equatable, Sendable {
    /// The server could not be reached, or the connection to it broke.
    case lost(String)
    /// The server said no, at login or to the query.
    case refused(sqlState: SQLState, message: String)
    case timeout
    /// The owner has closed the connection.
    case closed

    /// What it says about the server.
    package var sampleFailure: SampleFailure {
        switch self {
        case .lost(let reason): .down(reason)
        case .timeout, .closed: .timeout
        case .refused(let sqlState, let message):
            // Shut down by an operator, crashed, starting: the server is not there for anybody.
            [.adminShutdown, .crashShutdown, .cannotConnectNow].contains(sqlState)
                ? .down(message) : .rejected(words)
        }
    }

    /// For a log line: of a refusal the server's own words, without libpq's on the way there.
    package var words: String {
        switch self {
        case .lost(let reason): reason
        case .refused(let sqlState, let message):
            "\(sqlState): " + Self.ownWords(message, after: "FATAL:  \(sqlState): ")
        case .timeout: "no answer in time"
        case .closed: "closed"
        }
    }

    /// What follows the last `mark`: libpq lists all that it tried.
    private static func ownWords(_ message: String, after mark: String) -> Substring {
        var words = message[...]
        var rest = words
        while !rest.isEmpty {
            if rest.hasPrefix(mark) { words = rest.dropFirst(mark.count) }
            rest.removeFirst()
        }
        return words
    }
}

/// The answer to a control query.
package struct ControlAnswer: Equatable, Sendable {
    package var rows: [[String?]]
    /// When the query was sent.
    package var sentAt: Instant
    /// When its last row was here.
    package var arrivedAt: Instant
}
