// SPDX-License-Identifier: Apache-2.0

/// The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677): we log in at a server.
///
///     start ──▶ first ──server-first──▶ final ──server-final──▶ verified
///
/// With keys from a client's own login no password is needed, provided that the server has the
/// very secret that they belong to; a server with another one is told apart before we answer it.
package struct ScramClient: Sendable {
    /// The password or the keys of the user.
    package enum Credential: Equatable, Sendable {
        case password([UInt8])
        case keys(ScramKeys)
    }

    /// The TLS channel that the exchange can be bound to.
    package enum ChannelBinding: Equatable, Sendable {
        /// No TLS, or nothing to bind to.
        case none
        /// We could, the server did not offer it.
        case notOffered
        /// `tls-server-end-point` data; the mechanism is `-PLUS`.
        case endPoint([UInt8])
    }

    private enum Phase {
        case start
        case first
        case final(serverSignature: [UInt8])
        case over
    }

    /// More than that is work that a server must not be able to ask for (a million: some 0.2 s).
    package static let maximumIterations = 1_000_000

    private let credential: Credential
    private let nonce: [UInt8]
    private let header: [UInt8]
    private let bindingData: [UInt8]
    private var phase = Phase.start

    /// The keys that opened the server; from a password they are worth keeping for the next login.
    package private(set) var keys: ScramKeys?

    /// - Parameter nonce: random bytes, never used before; libpq takes 18.
    package init(credential: Credential, nonce: [UInt8], channelBinding: ChannelBinding = .none) {
        precondition(nonce.count >= 16, "a nonce must not be guessable")
        self.credential = credential
        self.nonce = Base64.encode(nonce)
        switch channelBinding {
        case .none: (header, bindingData) = (Array("n,,".utf8), [])
        case .notOffered: (header, bindingData) = (Array("y,,".utf8), [])
        case .endPoint(let data):
            (header, bindingData) = (Array("p=tls-server-end-point,,".utf8), data)
        }
    }

    /// The first message, for `SASLInitialResponse`.
    ///
    /// Its name is empty, as libpq's: PostgreSQL takes the one of the startup packet.
    package mutating func start() -> [UInt8] {
        phase = .first
        return header + bareFirst
    }

    /// The server's first message arrived; returns our last one.
    package mutating func received(first message: [UInt8]) throws(ScramFault) -> [UInt8] {
        let current = phase
        phase = .over
        guard case .first = current else {
            throw .malformed("The exchange is not at its first message.")
        }
        var text = try ScramText(message)
        if text.next == UInt8(ascii: "e") { throw try refusal(&text) }
        if text.next == UInt8(ascii: "m") {
            throw .unsupported("the server requires an unsupported SCRAM extension")
        }
        let fullNonce = try text.value(of: "r")
        guard fullNonce.count > nonce.count, fullNonce.starts(with: nonce),
            ScramText.isNonce(fullNonce)
        else { throw .malformed("The server's nonce does not continue ours.") }
        guard let salt = Base64.decode(try text.value(of: "s")), !salt.isEmpty else {
            throw .malformed("Malformed salt in server-first-message.")
        }
        guard let iterations = ScramText.decimal(try text.value(of: "i")) else {
            throw .malformed("Malformed iteration count in server-first-message.")
        }
        try text.skipExtensions()
        let keys = try keys(salt: salt, iterations: iterations)

        let withoutProof =
            Array("c=".utf8) + Base64.encode(header + bindingData) + Array(",r=".utf8) + fullNonce
        let authMessage = bareFirst + [0x2c] + message + [0x2c] + withoutProof
        let signature = Digests.hmacSHA256(key: keys.secret.storedKey, authMessage)
        let proof = Digests.exclusiveOr(keys.clientKey, signature)
        self.keys = keys
        phase = .final(
            serverSignature: Digests.hmacSHA256(key: keys.secret.serverKey, authMessage))
        return withoutProof + Array(",p=".utf8) + Base64.encode(proof)
    }

    /// The server's last message arrived; returns when it proved that it knows the secret.
    package mutating func received(final message: [UInt8]) throws(ScramFault) {
        let current = phase
        phase = .over
        guard case .final(let expected) = current else {
            throw .malformed("The exchange is not at its last message.")
        }
        var text = try ScramText(message)
        if text.next == UInt8(ascii: "e") { throw try refusal(&text) }
        guard let signature = Base64.decode(try text.value(of: "v")) else {
            throw .malformed("Malformed signature in server-final-message.")
        }
        try text.skipExtensions()
        guard Digests.areEqual(signature, expected) else { throw .serverNotVerified }
    }

    private var bareFirst: [UInt8] { Array("n=,r=".utf8) + nonce }

    private func keys(salt: [UInt8], iterations: Int) throws(ScramFault) -> ScramKeys {
        switch credential {
        case .keys(let keys):
            guard keys.secret.salt == salt, keys.secret.iterations == iterations else {
                throw .secretChanged
            }
            return keys
        case .password(let password):
            guard iterations <= Self.maximumIterations else {
                throw .tooManyIterations(iterations)
            }
            return ScramKeys(password: password, salt: salt, iterations: iterations)
        }
    }

    // Letters and dashes only (RFC 5802, section 7), so that it can go into a log line as it is.
    private func refusal(_ text: inout ScramText) throws(ScramFault) -> ScramFault {
        let value = try text.value(of: "e")
        return .refusedByServer(
            String(utf8: value.prefix(64).map { (0x21...0x7e).contains($0) ? $0 : 0x3f }))
    }
}
