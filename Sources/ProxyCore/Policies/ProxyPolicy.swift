// SPDX-License-Identifier: Apache-2.0

/// Everything an operator may set that the core's decisions depend on.
///
/// One immutable value a configuration; a reload replaces it whole.
package struct ProxyPolicy: Equatable, Sendable {
    package var clients = ClientPolicy()
    package var pools = PoolPolicies()
    package var routing = RoutingPolicy()
    package var topology = TopologyPolicy()
    package var authentication = AuthenticationPolicy()
    package var limits = BufferLimits()
    package var tcp = TCPPolicy()

    package init() {}
}

extension ProxyPolicy {
    /// The policy with the overrides for these sessions.
    package func session(database: String, user: String) -> SessionPolicy {
        var policy = SessionPolicy(
            pool: pools.standard, clients: clients, route: routing.route,
            consistency: routing.consistency)
        // Backwards, so that the first that matches is applied last.
        for entry in pools.overrides.reversed()
        where (entry.database ?? database) == database && (entry.user ?? user) == user {
            entry.apply(to: &policy)
        }
        return policy
    }

    /// Whether anything is to be ended at a time that a tick of a second would miss by much.
    var timesWork: Bool {
        let spans = [clients.queryTimeout, clients.transactionTimeout]
            + pools.overrides.flatMap { [$0.queryTimeout ?? .zero, $0.transactionTimeout ?? .zero] }
        return spans.contains { $0 > .zero }
    }
}
