// SPDX-License-Identifier: Apache-2.0

package enum PoolMode: String, Equatable, Sendable, CaseIterable {
    /// A server belongs to a client for one transaction.
    case transaction
    /// A server belongs to a client until it leaves; all its work goes to that server.
    case session
}

/// How the servers of one database and user are pooled.
package struct PoolPolicy: Equatable, Sendable {
    package var mode = PoolMode.transaction
    /// Server connections to one node, for one database and user.
    package var size = 20
    /// More of them, while a client has waited for longer than `PoolPolicies.reserveTimeout`.
    package var reserveSize = 0
    /// Server connections to one node for one user, and for one database; zero for no limit.
    package var serversPerUser = 0
    package var serversPerDatabase = 0
    /// How long a client waits for a free server before it gets 53300.
    package var waitTimeout = Instant.Span.seconds(120)

    package init() {}
    package init(mode: PoolMode, size: Int) {
        self.mode = mode
        self.size = size
    }
}
