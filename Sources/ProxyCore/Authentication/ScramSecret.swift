// SPDX-License-Identifier: Apache-2.0

/// The SCRAM-SHA-256 secret of a password (RFC 5803, `pg_authid.rolpassword`).
///
/// It lets a server check a client and prove itself to it. It does not let anybody log in: that
/// takes the `ClientKey`, of which `storedKey` is the digest.
package struct ScramSecret: Hashable, Sendable {
    /// PostgreSQL's default of `scram_iterations`.
    package static let standardIterations = 4096

    /// Rounds of HMAC between the password and the keys.
    package let iterations: Int
    /// Random, of any length but zero.
    package let salt: [UInt8]
    /// The digest of the `ClientKey`: checks a client's proof.
    package let storedKey: [UInt8]
    /// Signs what proves to the client that the server has the secret.
    package let serverKey: [UInt8]

    /// Keys must be SHA-256 digests.
    package init(iterations: Int, salt: [UInt8], storedKey: [UInt8], serverKey: [UInt8]) {
        precondition(storedKey.count == Digests.sha256Length)
        precondition(serverKey.count == Digests.sha256Length)
        self.iterations = iterations
        self.salt = salt
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// Reads `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`; nil where it is anything else.
    package init?(text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].elementsEqual("SCRAM-SHA-256".utf8) else { return nil }
        let colon = UInt8(ascii: ":")
        let costs = parts[1].split(separator: colon, omittingEmptySubsequences: false)
        let keys = parts[2].split(separator: colon, omittingEmptySubsequences: false)
        guard costs.count == 2, keys.count == 2,
            let iterations = ScramText.decimal(costs[0]),
            let salt = Base64.decode(costs[1]), !salt.isEmpty,
            let storedKey = Base64.decode(keys[0]), storedKey.count == Digests.sha256Length,
            let serverKey = Base64.decode(keys[1]), serverKey.count == Digests.sha256Length
        else { return nil }
        self.init(iterations: iterations, salt: salt, storedKey: storedKey, serverKey: serverKey)
    }

    /// The form that PostgreSQL stores and accepts in `CREATE ROLE ... PASSWORD`.
    package var text: String {
        let encoded = [salt, storedKey, serverKey].map { String(utf8: Base64.encode($0)) }
        return "SCRAM-SHA-256$\(iterations):\(encoded[0])$\(encoded[1]):\(encoded[2])"
    }
}

/// Everything that follows from a clear-text password, a salt and a number of iterations.
package struct ScramKeys: Hashable, Sendable {
    /// The secret that `clientKey` belongs to, and to no other.
    package let secret: ScramSecret
    /// Opens every server whose secret has this salt and these iterations.
    package let clientKey: [UInt8]

    /// Keys that a login has shown to belong together.
    package init(secret: ScramSecret, clientKey: [UInt8]) {
        self.secret = secret
        self.clientKey = clientKey
    }

    /// Costs `iterations` rounds of HMAC: about a millisecond for PostgreSQL's 4096.
    package init(password: [UInt8], salt: [UInt8], iterations: Int) {
        let salted = Digests.pbkdf2SHA256(
            password: PreparedPassword.bytes(of: password), salt: salt, iterations: iterations)
        clientKey = Digests.hmacSHA256(key: salted, Array("Client Key".utf8))
        secret = ScramSecret(
            iterations: iterations, salt: salt, storedKey: Digests.sha256(clientKey),
            serverKey: Digests.hmacSHA256(key: salted, Array("Server Key".utf8)))
    }
}

/// A value of `pg_authid.rolpassword`, or a configured user's secret.
package enum StoredSecret: Hashable, Sendable {
    case scram(ScramSecret)
    /// `md5` and 32 hexadecimal digits: the digest of password and user name.
    case md5([UInt8])
    /// Anything else. PostgreSQL stores no such thing; the configuration may hold a password.
    case clearText([UInt8])

    /// Told apart as PostgreSQL's `get_password_type` does.
    package init(text: String) {
        let bytes = Array(text.utf8)
        if let secret = ScramSecret(text: text) {
            self = .scram(secret)
        } else if bytes.count == 35, bytes.starts(with: Array("md5".utf8)),
            bytes.dropFirst(3).allSatisfy(Self.isHexadecimal)
        {
            self = .md5(bytes)
        } else {
            self = .clearText(bytes)
        }
    }

    // Lower case only: that is how PostgreSQL writes it, and answers are compared as bytes.
    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

/// The secret of a role, and what else its login depends on.
package struct RoleSecret: Equatable, Sendable {
    /// `pg_authid.rolpassword`; nil where it has none.
    package var text: String?
    /// VALID UNTIL, on our clock; nil where it has none.
    package var validUntil: Instant?
    /// When it was asked for.
    package var fetchedAt: Instant

    package init(text: String?, validUntil: Instant? = nil, fetchedAt: Instant) {
        self.text = text
        self.validUntil = validUntil
        self.fetchedAt = fetchedAt
    }

    func hasExpired(by now: Instant) -> Bool { validUntil.map { $0 < now } ?? false }

    /// The server credential of a role that logged in without a password: its MD5 secret, if any.
    var credentialWithoutExchange: ServerCredential {
        if case .md5(let secret) = text.map(StoredSecret.init) { .md5(secret) } else { .none }
    }
}

/// The `md5` method: `md5(md5(password user) salt)`, each digest in hexadecimal.
package enum MD5Password {
    /// The form that PostgreSQL stores, or nil where MD5 is forbidden.
    package static func secret(password: [UInt8], user: String) -> [UInt8]? {
        Digests.md5Hexadecimal(password + Array(user.utf8)).map { Array("md5".utf8) + $0 }
    }

    /// The answer to `AuthenticationMD5Password`, or nil where MD5 is forbidden.
    package static func response(secret: [UInt8], salt: [UInt8]) -> [UInt8]? {
        Digests.md5Hexadecimal(Array(secret.dropFirst(3)) + salt).map { Array("md5".utf8) + $0 }
    }
}

extension String {
    /// Text from bytes that were just made of ASCII characters or checked to be UTF-8.
    init(utf8 bytes: some Collection<UInt8>) { self = String(decoding: bytes, as: UTF8.self) }
}
