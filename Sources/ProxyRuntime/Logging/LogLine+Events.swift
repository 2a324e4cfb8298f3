// SPDX-License-Identifier: Apache-2.0

package import Logging
internal import PostgresWire
package import ProxyCore

extension LogLine {
    /// The words, level and fields of what a shard's core reports.
    ///
    /// Levels are for an operator: `warning` wants a look, `error` is somebody's fault that must be
    /// mended, `info` is rare enough to be kept, and what happens for each connection is `debug`.
    package init(_ event: ProxyCore.LogEvent, time: UInt64, node: (NodeID) -> String) {
        self.init(time: time, level: Self.level(of: event), message: Self.words(for: event))
        fields = Self.fields(of: event, node: node)
    }

    /// How much an event matters.
    package static func level(of event: ProxyCore.LogEvent) -> Logger.Level {
        switch event {
        case .clientLoggedIn, .clientLeft, .serverOpened, .pinned: .debug
        case .clientRefused(_, let sqlState, _, _):
            // 53300: clients are turned away for want of room, which is the operator's business.
            sqlState == .tooManyConnections ? .warning : .notice
        case .unitRetried: .info
        case .serverFailed: .warning
        case .serverProtocolViolation: .error
        }
    }

    private static func words(for event: ProxyCore.LogEvent) -> String {
        switch event {
        case .clientLoggedIn: "client logged in"
        case .clientRefused: "client refused"
        case .clientLeft: "client left"
        case .serverOpened: "server connection opened"
        case .serverFailed: "server connection failed"
        case .serverProtocolViolation: "protocol violation by server, connection closed"
        case .unitRetried: "statement retried on another server connection"
        case .pinned: "client pinned to its server connection"
        }
    }

    private static func fields(
        of event: ProxyCore.LogEvent, node: (NodeID) -> String
    ) -> [Field] {
        switch event {
        case .clientLoggedIn(let id, let user, let database, let peer, let encryption):
            [client(id), Field("user", user), Field("database", database), Field("peer", peer)]
                + (encryption.map { [Field("tls", $0)] } ?? [])
        case .clientRefused(let id, let sqlState, let reason, let peer):
            [client(id), Field("sqlstate", sqlState.code), Field("reason", reason), Field("peer", peer)]
        case .clientLeft(let id, let user):
            [client(id), Field("user", user)]
        case .serverOpened(let id, let database, let user):
            [Field("node", node(id)), Field("database", database), Field("user", user)]
        case .serverFailed(let id, let reason), .serverProtocolViolation(let id, let reason):
            [Field("node", node(id)), Field("reason", reason)]
        case .unitRetried(let id, let sqlState, let statement):
            [
                Field("node", node(id)), Field("sqlstate", sqlState.code),
                Field("statement", statement),
            ]
        case .pinned(let id, let reason):
            [client(id), Field("reason", reason)]
        }
    }

    /// A connection, by the slot and generation that make it unique within its shard.
    private static func client(_ id: ConnectionID) -> Field {
        Field("client", "\(id.slot).\(id.generation)")
    }
}

extension Log {
    /// Queues a line for what a shard's core reports, if its level is wanted.
    package func write(_ event: ProxyCore.LogEvent, node: (NodeID) -> String) {
        guard LogLine.level(of: event) >= rules.level else { return }
        write(LogLine(event, time: Self.now, node: node))
    }
}
