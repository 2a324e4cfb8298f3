// SPDX-License-Identifier: Apache-2.0

/// The pools of all databases and users.
package struct PoolPolicies: Equatable, Sendable {
    /// Other values for some sessions. Nil in a setting: as it is without.
    package struct Override: Equatable, Sendable {
        /// Nil matches every database, or every user.
        package var database: String?
        package var user: String?
        package var mode: PoolMode?
        package var size: Int?
        package var reserveSize: Int?
        package var route: Route?
        package var consistency: Consistency?
        package var serversPerUser: Int?
        package var serversPerDatabase: Int?
        package var waitTimeout: Instant.Span?
        package var clientsPerUser: Int?
        package var clientsPerDatabase: Int?
        package var idleTimeout: Instant.Span?
        package var idleInTransactionTimeout: Instant.Span?
        package var queryTimeout: Instant.Span?
        package var transactionTimeout: Instant.Span?
        package init(database: String? = nil, user: String? = nil) {
            self.database = database
            self.user = user
        }

        func apply(to policy: inout SessionPolicy) {
            if let mode { policy.pool.mode = mode }
            if let size { policy.pool.size = size }
            if let reserveSize { policy.pool.reserveSize = reserveSize }
            if let route { policy.route = route }
            if let consistency { policy.consistency = consistency }
            if let serversPerUser { policy.pool.serversPerUser = serversPerUser }
            if let serversPerDatabase { policy.pool.serversPerDatabase = serversPerDatabase }
            if let waitTimeout { policy.pool.waitTimeout = waitTimeout }
            if let clientsPerUser { policy.clients.maximumPerUser = clientsPerUser }
            if let clientsPerDatabase { policy.clients.maximumPerDatabase = clientsPerDatabase }
            if let idleTimeout { policy.clients.idleTimeout = idleTimeout }
            if let idleInTransactionTimeout {
                policy.clients.idleInTransactionTimeout = idleInTransactionTimeout
            }
            if let queryTimeout { policy.clients.queryTimeout = queryTimeout }
            if let transactionTimeout { policy.clients.transactionTimeout = transactionTimeout }
        }
    }

    package var standard = PoolPolicy()
    /// The first that matches wins, setting by setting.
    package var overrides: [Override] = []
    /// Server connections to one node in all.
    package var serversPerNode = 80
    /// How long a client waits before it gets a server of the reserve.
    package var reserveTimeout = Instant.Span.seconds(5)
    /// Zero for never, both.
    package var serverIdleTimeout = Instant.Span.seconds(600)
    package var serverLifetime = Instant.Span.seconds(3600)
    package var connectTimeout = Instant.Span.seconds(5)
    /// Statements kept prepared on one server.
    package var preparedStatementsPerServer = 500

    package init() {}
}
