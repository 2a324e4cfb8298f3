// SPDX-License-Identifier: Apache-2.0

/// What holds for the sessions of one database and user.
package struct SessionPolicy: Equatable, Sendable {
    package var pool: PoolPolicy
    package var clients: ClientPolicy
    package var route: Route
    package var consistency: Consistency
}
