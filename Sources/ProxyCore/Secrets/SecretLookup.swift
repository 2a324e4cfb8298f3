// SPDX-License-Identifier: Apache-2.0

/// What the runtime found out about a user's secret.
package enum SecretLookup: Equatable, Sendable {
    case found(RoleSecret)
    /// There is no such role, or it may not log in.
    case absent(fetchedAt: Instant)
    /// The cluster could not be asked.
    case unavailable(String)
}
