// SPDX-License-Identifier: Apache-2.0

/// Clients that a limit is for.
package enum ClientGroup: Hashable, Sendable {
    /// Those that have asked to log in.
    case all
    /// Those that have logged in.
    case user(String)
    case database(String)
    /// Those that have not proved yet who they are, in all and from one address.
    case loggingIn
    case loggingInFrom(String)
}
