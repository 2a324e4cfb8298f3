// SPDX-License-Identifier: Apache-2.0

/// What keeps a session on one server.
package enum Pin: String, Hashable, Sendable, CaseIterable {
    case temporary = "temporary objects"
    case holdCursor = "cursor with hold"
    case advisoryLock = "session advisory lock"
    case listen = "listen"
    case preparedStatement = "prepared statement (SQL)"
    case sessionAuthorization = "session authorization"
    case opaque = "state that cannot be known"
    case replication = "replication"
}

extension Pin {
    var metric: PinReason {
        switch self {
        case .temporary: .temporaryObject
        case .holdCursor: .heldCursor
        case .advisoryLock: .advisoryLock
        case .listen: .listen
        case .preparedStatement: .sqlPrepared
        case .sessionAuthorization: .role
        case .opaque: .opaque
        case .replication: .replication
        }
    }
}
