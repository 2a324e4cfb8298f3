// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// The login policy of one configuration, with the secrets of its users prepared.
package struct LoginRules: Sendable {
    /// A user of the configuration.
    struct User: Sendable {
        let secret: StoredSecret
        /// The secret for a SCRAM exchange; nil if the configured secret is `md5`.
        let scram: ScramSecret?
    }

    /// The method that applies if there are no rules.
    let standardMethod: AuthenticationRule.Method
    let looksUp: Bool
    let processKey: [UInt8]
    let encryption: ClientEncryptionPolicy
    private let rules: [AuthenticationRule]
    private let users: [String: User]

    /// Costs a millisecond for each password in clear text: make it once a configuration.
    ///
    /// - Parameter processKey: random bytes, the same for all shards and as long as the process.
    package init(policy: AuthenticationPolicy, processKey: [UInt8]) {
        precondition(processKey.count >= 16, "mock salts must not be guessable")
        // Without rules a secret is used as what it is, which is the meaning of `md5`.
        standardMethod = policy.method == .trust ? .trust : .md5
        rules = policy.rules
        looksUp = policy.lookup
        encryption = policy.encryption
        self.processKey = processKey
        var users: [String: User] = [:]
        for user in policy.users where !user.secret.isEmpty {
            let secret = StoredSecret(text: user.secret)
            users[user.name] = User(
                secret: secret, scram: Self.scram(secret, of: user.name, processKey: processKey))
        }
        self.users = users
    }

    func user(named name: String) -> User? { users[name] }

    /// Whether roles that prove nothing by a password are looked up all the same: whether they may
    /// log in at all is for the cluster to say.
    var looksUpOthers: Bool { looksUp && !rules.isEmpty }

    // MARK: Who may try, and how

    /// Returns the required method, or the rejection. The first rule that matches decides.
    func verdict(on attempt: LoginAttempt, _ connection: Encryption?) -> LoginVerdict {
        if let refusal = refusal(user: attempt.user, connection) { return .refuse(refusal) }
        guard !rules.isEmpty else { return .ask(standardMethod) }
        guard let rule = rules.first(where: { $0.matches(attempt) }) else {
            return .refuse(.noRule(for: attempt))
        }
        switch rule.method {
        case .reject: return .refuse(.rejected(attempt))
        case .cert:
            let refusal = refusal(certificate: connection?.certificateName, user: attempt.user)
            return refusal.map { .refuse($0) } ?? .ask(.cert)
        case .scramSHA256, .md5, .trust: return .ask(rule.method)
        }
    }

    /// Why a client may not even try to log in over its connection; nil where it may.
    func refusal(user: String, _ connection: Encryption?) -> LoginRefusal? {
        let mode = encryption.mode
        guard let connection else {
            switch mode {
            case .disable, .allow: return nil
            case .require, .verifyCA, .verifyFull: return .notEncrypted
            }
        }
        guard mode.asksForCertificate else { return nil }
        guard mode == .verifyFull else {
            return connection.certificateName == nil ? .noCertificate : nil
        }
        return refusal(certificate: connection.certificateName, user: user)
    }

    private func refusal(certificate name: String?, user: String) -> LoginRefusal? {
        guard let name else { return .noCertificate }
        let isUsersOwn =
            name == user
            || encryption.userMap.contains { $0.certificate == name && $0.user == user }
        return isUsersOwn ? nil : .wrongCertificate(of: name, user: user)
    }

    /// The server credential of a configured user who logged in without a password.
    func credentialWithoutExchange(of name: String) -> ServerCredential {
        switch users[name]?.secret {
        case .clearText(let password): .password(password)
        case .md5(let secret): .md5(secret)
        case .scram, nil: .none
        }
    }

    // The salt is the one of the user's mock secret: it stays the same for the life of the process,
    // and does not show that the user stands in the configuration.
    private static func scram(
        _ secret: StoredSecret, of user: String, processKey: [UInt8]
    ) -> ScramSecret? {
        switch secret {
        case .scram(let secret): secret
        case .md5: nil
        case .clearText(let password):
            ScramKeys(
                password: password, salt: ScramSecret.mock(user: user, processKey: processKey).salt,
                iterations: ScramSecret.standardIterations
            ).secret
        }
    }
}

/// The decision on a login before authentication.
enum LoginVerdict: Equatable {
    /// The client must authenticate by this method.
    case ask(AuthenticationRule.Method)
    case refuse(LoginRefusal)
}

/// Why a client is refused before it is asked for a password; PostgreSQL's words where it has some.
struct LoginRefusal: Equatable {
    let sqlState = SQLState.invalidAuthorizationSpecification
    let message: String
    var hint: String?
    let logReason: String
    /// Whether a rule rejected it, and not the encryption policy; the two are counted apart.
    var isByRule = false

    static let notEncrypted = LoginRefusal(
        message: "this server accepts encrypted connections only",
        hint: "Connect with sslmode=require or stronger.", logReason: "not encrypted")

    static func noRule(for attempt: LoginAttempt) -> LoginRefusal {
        LoginRefusal(
            message: "no authentication rule for \(attempt.words)",
            hint: "See authentication.rules.", logReason: "no rule matches", isByRule: true)
    }

    static func rejected(_ attempt: LoginAttempt) -> LoginRefusal {
        LoginRefusal(
            message: "an authentication rule rejects \(attempt.words)",
            logReason: "a rule rejects it", isByRule: true)
    }

    static let noCertificate = LoginRefusal(
        message: "connection requires a valid client certificate",
        logReason: "no client certificate")

    static func wrongCertificate(of name: String, user: String) -> LoginRefusal {
        LoginRefusal(
            message: "certificate authentication failed for user \"\(user)\"",
            logReason: "the certificate is of \"\(name)\", who is not mapped to this user")
    }
}

extension LoginAttempt {
    /// PostgreSQL's description of a connection that no line of `pg_hba.conf` matches.
    fileprivate var words: String {
        let encryption = isEncrypted ? "SSL encryption" : "no encryption"
        return isPhysicalReplication
            ? "replication connection from host \"\(host)\", user \"\(user)\", \(encryption)"
            : "host \"\(host)\", user \"\(user)\", database \"\(database)\", \(encryption)"
    }
}
