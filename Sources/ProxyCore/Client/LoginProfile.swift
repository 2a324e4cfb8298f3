// SPDX-License-Identifier: Apache-2.0

/// What a server said at the login of a client: the settings that it reports.
///
/// Clients that ask for the same database, user and settings are greeted with what the first of
/// them heard, so that a login costs no server. A server is asked again after a while, because
/// defaults may change (`ALTER ROLE ... SET`).
struct LoginProfile {
    struct Key: Hashable {
        let database: String
        let user: String
        let settings: [String: String]
    }

    static let lifetime = Instant.Span.seconds(30)
    static let limit = 1_000

    let settings: ParameterSet
    let reported: ParameterSet
    let madeAt: Instant
}
