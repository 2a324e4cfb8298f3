// SPDX-License-Identifier: Apache-2.0

/// The same as one object, which all sessions have that it holds for.
package final class SharedPolicy: Sendable {
    static let standard = SharedPolicy(
        SessionPolicy(
            pool: PoolPolicy(), clients: ClientPolicy(), route: .auto, consistency: .session))

    let pool: PoolPolicy
    let clients: ClientPolicy

    init(_ policy: SessionPolicy) {
        pool = policy.pool
        clients = policy.clients
    }
}

/// The shared policies of a shard.
package struct SharedPolicies {
    /// So many different ones are not expected; beyond them it begins anew.
    private static let limit = 64

    private var known: [SharedPolicy] = []

    package init() {}

    mutating func one(for policy: SessionPolicy) -> SharedPolicy {
        let same = known.first { $0.pool == policy.pool && $0.clients == policy.clients }
        if let same { return same }
        if known.count >= Self.limit { known.removeAll() }
        let new = SharedPolicy(policy)
        known.append(new)
        return new
    }
}
