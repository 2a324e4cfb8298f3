// SPDX-License-Identifier: Apache-2.0

/// What a shard keeps of logins, so that the next ones are cheaper. Every table is bounded, and only
/// users who exist come into one.
struct LoginCaches {
    /// Beyond this number, the credentials of users without clients are forgotten.
    private static let mostCredentials = 10_000

    private var credentials: [String: ServerCredential] = [:]
    /// When a password of a user with a secret last did not match: the secret is read again.
    private var mismatches: [String: Instant] = [:]
    private var profiles: [LoginProfile.Key: LoginProfile] = [:]

    // MARK: Credentials

    /// What opens server connections for a user.
    func credential(of user: String) -> ServerCredential? { credentials[user] }

    /// A login of the user, here or at a server, brought this credential.
    ///
    /// - Parameter present: the users who have clients, asked for when there are too many.
    mutating func keep(
        _ credential: ServerCredential, of user: String, present: () -> Set<String>
    ) {
        if credentials.count >= Self.mostCredentials {
            let present = present()
            credentials = credentials.filter { present.contains($0.key) }
        }
        credentials[user] = credential
    }

    /// A server refused the credential; the configured one, if any, takes its place.
    mutating func refused(_ user: String, configured: ServerCredential) {
        credentials[user] = configured == .none ? nil : configured
        profiles = profiles.filter { $0.key.user != user }
    }

    // MARK: Secrets that did not match

    /// The secret of a user must be newer than this.
    func secretNewerThan(of user: String) -> Instant { mismatches[user] ?? Instant(0) }

    /// A password did not match the secret of a user.
    mutating func mismatched(_ user: String, now: Instant) {
        if mismatches.count >= LoginProfile.limit { mismatches.removeAll() }
        mismatches[user] = now
    }

    // MARK: Profiles

    /// What a server said at a login like this one, if that was not long ago.
    func profile(_ key: LoginProfile.Key, now: Instant) -> LoginProfile? {
        guard let profile = profiles[key], now - profile.madeAt < LoginProfile.lifetime else {
            return nil
        }
        return profile
    }

    /// A server said this at a login.
    mutating func learned(_ profile: LoginProfile, for key: LoginProfile.Key) {
        if profiles.count >= LoginProfile.limit { profiles.removeAll() }
        profiles[key] = profile
    }

    /// The configuration changed.
    mutating func forgetProfiles() { profiles.removeAll() }
}
