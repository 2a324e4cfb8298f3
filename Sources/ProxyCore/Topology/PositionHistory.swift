// SPDX-License-Identifier: Apache-2.0

/// The last few log positions sampled on one member, with the time at which each was asked for.
package struct PositionHistory: Equatable, Sendable {
    package init() {}
}
