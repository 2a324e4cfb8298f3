// SPDX-License-Identifier: Apache-2.0

/// How a client proves who it is where no rule says otherwise.
package enum AuthenticationMethod: String, Equatable, Sendable, CaseIterable {
    case scramSHA256 = "scram-sha-256"
    /// Nobody is asked for a password; only where the operator said so.
    case trust
}

/// Who may log in, and by what proof.
package struct AuthenticationPolicy: Equatable, Sendable {
    package struct User: Equatable, Sendable {
        package var name: String
        /// A SCRAM secret as in `pg_authid.rolpassword`, or a password in clear text.
        package var secret: String
        package init(name: String, secret: String) {
            self.name = name
            self.secret = secret
        }
    }

    package var method = AuthenticationMethod.scramSHA256
    /// Who may log in from where, and how; the first that matches decides. None: `method`.
    package var rules: [AuthenticationRule] = []
    /// Users named in the configuration; they are not looked up.
    package var users: [User] = []
    /// Whether secrets of other users are read from the cluster by the service account.
    package var lookup = true
    /// How long a looked-up secret is used before it is read again; zero: for one login.
    package var secretLifetime = Instant.Span.zero
    /// What a client's connection must be like before it may try.
    package var encryption = ClientEncryptionPolicy()

    package init() {}

    /// Whether clients are asked for a certificate when they begin with TLS.
    package var asksForCertificate: Bool {
        encryption.mode.asksForCertificate
            || encryption.mode.isOffered && rules.contains { $0.method == .cert }
    }
}
