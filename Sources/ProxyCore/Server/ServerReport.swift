// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// What a server has told of itself.
struct ServerReport {
    /// The settings that it reports, as they were last reported.
    private(set) var parameters = ParameterSet.empty
    /// The key by which it is cancelled.
    private(set) var backendKey: BackendKeyData?
    /// `in_hot_standby`, or what the recovery check said; nil while unknown.
    private(set) var isInRecovery: Bool?

    /// It reported a setting; all of them are now these.
    mutating func told(_ parameters: ParameterSet) { self.parameters = parameters }

    /// It told the key by which it is cancelled.
    mutating func told(_ key: BackendKeyData) { backendKey = key }

    /// It told whether it is in recovery.
    mutating func told(isInRecovery: Bool) { self.isInRecovery = isInRecovery }
}
