// SPDX-License-Identifier: Apache-2.0

/// One object for all sets of settings, and one for all policies, that say the same.
struct SharedValues {
    private var parameterSets = ParameterSets()
    private var policies = SharedPolicies()

    /// The set that says the same.
    mutating func parameters(_ set: ParameterSet) -> ParameterSet { parameterSets.one(for: set) }

    /// The policy that says the same.
    mutating func policy(_ policy: SessionPolicy) -> SharedPolicy { policies.one(for: policy) }

    /// The configuration changed.
    mutating func forgetPolicies() { policies = SharedPolicies() }
}
