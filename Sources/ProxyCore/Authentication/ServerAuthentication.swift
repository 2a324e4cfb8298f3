// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// The credential with which martlet logs in to servers as one user.
package enum ServerCredential: Equatable, Sendable {
    /// Learned from the user's login to martlet, or from an earlier login to a server.
    case keys(ScramKeys)
    case password([UInt8])
    /// `md5` and 32 digits, as the server stores it.
    case md5([UInt8])
    /// Good for servers that do not ask.
    case none
}

/// Why a login at a server came to nothing.
package enum ServerAuthenticationFault: Error, Equatable, Sendable {
    /// The server's message is not one that the protocol allows here.
    case malformed(String)
    /// GSSAPI, SSPI and other methods that no credential here is for.
    case unsupportedMethod(String)
    /// The server asks for something that our credential cannot answer.
    case credentialUnsuitable(askedFor: String)
    /// A password in clear text, over an unencrypted connection.
    case clearTextRefused
    /// This machine's policy forbids MD5.
    case digestUnavailable
    case scram(ScramFault)

    /// Whether the user's secret should be looked up again: the role may have a new password.
    package var needsNewSecret: Bool {
        switch self {
        case .credentialUnsuitable, .scram(.secretChanged), .scram(.refusedByServer): true
        case .malformed, .unsupportedMethod, .clearTextRefused, .digestUnavailable, .scram: false
        }
    }

    /// The SQLSTATE for the client that waits for this server connection.
    package var sqlState: SQLState {
        switch self {
        case .malformed: .protocolViolation
        case .unsupportedMethod, .clearTextRefused, .digestUnavailable: .featureNotSupported
        case .credentialUnsuitable: .invalidAuthorizationSpecification
        case .scram(let fault): fault.sqlState
        }
    }

    /// The message for the log, and for the client that waits for this server connection.
    package var message: String {
        switch self {
        case .malformed(let what): what
        case .unsupportedMethod(let name): "the server asks for \(name), which is not supported"
        case .credentialUnsuitable(let method):
            "the server asks for \(method), and nothing that is known of the user answers it"
        case .clearTextRefused:
            "the server asks for the password in clear text over an unencrypted connection"
        case .digestUnavailable: "MD5 passwords cannot be used on this machine"
        case .scram(let fault): fault.message
        }
    }
}

/// Our login at a server, from our startup packet to its `AuthenticationOk`.
///
/// Fed with the bodies of all `R` messages. Fails closed: a server that began SCRAM is believed
/// only after it proved that it knows the secret, whatever else it says in between.
package struct ServerAuthentication: Sendable {
    /// The next step of the login.
    package enum Step: Equatable, Sendable {
        /// The server's next message is needed.
        case wait
        /// We are in; parameters and `ReadyForQuery` follow.
        case authenticated
    }

    /// What a message of the server brought about.
    package enum Outcome: Equatable, Sendable {
        /// The server's next message is needed.
        case goesOn
        /// The login succeeded; the keys that it taught are cheaper than the password.
        case authenticated(learned: ScramKeys?)
    }

    private enum Phase: Sendable {
        case start
        case answered
        case scramFirst(ScramClient)
        case scramFinal(ScramClient)
        case scramVerified
        case over
    }

    private let user: String
    private let credential: ServerCredential
    private let nonce: [UInt8]
    private let channelBinding: [UInt8]?
    private let isEncrypted: Bool
    private var phase = Phase.start

    /// Cheaper than the password that they came from: the credential for the next login.
    package private(set) var learned: ScramKeys?

    /// - Parameters:
    ///   - nonce: at least 16 random bytes, never used before.
    ///   - channelBinding: the `tls-server-end-point` data of the connection to the server.
    ///   - isEncrypted: whether a password may be sent in clear text.
    package init(
        user: String, credential: ServerCredential, nonce: [UInt8],
        channelBinding: [UInt8]? = nil, isEncrypted: Bool = false
    ) {
        self.user = user
        self.credential = credential
        self.nonce = nonce
        self.channelBinding = channelBinding
        self.isEncrypted = isEncrypted
    }

    /// An `R` message arrived; `body` is what follows its length.
    package mutating func received(
        _ body: RawSpan, into output: inout ByteQueue
    ) throws(ServerAuthenticationFault) -> Step {
        let current = phase
        phase = .over
        let body = [UInt8](copying: body)
        guard body.count >= 4 else { throw .malformed("an authentication request too short") }
        let code = Int32(bitPattern: body.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        let payload = Array(body.dropFirst(4))

        switch (code, current) {
        case (AuthenticationCode.ok, .start), (AuthenticationCode.ok, .answered),
            (AuthenticationCode.ok, .scramVerified):
            guard payload.isEmpty else { throw .malformed("AuthenticationOk with a payload") }
            return .authenticated
        case (AuthenticationCode.cleartextPassword, .start):
            try answerClearText(payload, into: &output)
        case (AuthenticationCode.md5Password, .start):
            try answerMD5(payload, into: &output)
        case (AuthenticationCode.sasl, .start):
            try beginScram(payload, into: &output)
        case (AuthenticationCode.saslContinue, .scramFirst(let client)):
            try continueScram(client, payload, into: &output)
        case (AuthenticationCode.saslFinal, .scramFinal(let client)):
            try finishScram(client, payload)
        default:
            throw Self.unexpected(code)
        }
        return .wait
    }

    // MARK: Answers

    private mutating func answerClearText(
        _ payload: [UInt8], into output: inout ByteQueue
    ) throws(ServerAuthenticationFault) {
        guard payload.isEmpty else { throw .malformed("a request for a password with a payload") }
        guard case .password(let password) = credential else {
            throw .credentialUnsuitable(askedFor: "a password in clear text")
        }
        guard isEncrypted else { throw .clearTextRefused }
        output.appendPasswordFamily(password + [0])
        phase = .answered
    }

    private mutating func answerMD5(
        _ payload: [UInt8], into output: inout ByteQueue
    ) throws(ServerAuthenticationFault) {
        guard payload.count == 4 else { throw .malformed("an MD5 salt that is not four bytes") }
        let secret: [UInt8]?
        switch credential {
        case .md5(let known): secret = known
        case .password(let password): secret = MD5Password.secret(password: password, user: user)
        case .keys, .none: throw .credentialUnsuitable(askedFor: "an MD5 password")
        }
        guard let secret, let response = MD5Password.response(secret: secret, salt: payload) else {
            throw .digestUnavailable
        }
        output.appendPasswordFamily(response + [0])
        phase = .answered
    }

    private mutating func beginScram(
        _ payload: [UInt8], into output: inout ByteQueue
    ) throws(ServerAuthenticationFault) {
        // Names, each with a zero at its end, and one more zero.
        guard payload.count >= 2, payload.suffix(2).elementsEqual([0, 0]) else {
            throw .malformed("a list of SASL mechanisms without its end")
        }
        let names = payload.dropLast(2).split(separator: 0).map { String(utf8: $0) }
        let (mechanism, binding) = choose(from: names)
        guard let mechanism else { throw .unsupportedMethod("an unknown SASL mechanism") }
        let known: ScramClient.Credential
        switch credential {
        case .keys(let keys): known = .keys(keys)
        case .password(let password): known = .password(password)
        case .md5, .none: throw .credentialUnsuitable(askedFor: mechanism)
        }
        var client = ScramClient(credential: known, nonce: nonce, channelBinding: binding)
        output.appendSASLInitialResponse(mechanism: mechanism, response: client.start())
        phase = .scramFirst(client)
    }

    private func choose(from names: [String]) -> (String?, ScramClient.ChannelBinding) {
        if let channelBinding, names.contains(ScramServer.bindingMechanism) {
            return (ScramServer.bindingMechanism, .endPoint(channelBinding))
        }
        guard names.contains(ScramServer.mechanism) else { return (nil, .none) }
        return (ScramServer.mechanism, channelBinding == nil ? .none : .notOffered)
    }

    private mutating func continueScram(
        _ client: ScramClient, _ payload: [UInt8], into output: inout ByteQueue
    ) throws(ServerAuthenticationFault) {
        var client = client
        do {
            output.appendPasswordFamily(try client.received(first: payload))
        } catch {
            throw .scram(error)
        }
        phase = .scramFinal(client)
    }

    private mutating func finishScram(
        _ client: ScramClient, _ payload: [UInt8]
    ) throws(ServerAuthenticationFault) {
        var client = client
        do {
            try client.received(final: payload)
        } catch {
            throw .scram(error)
        }
        learned = client.keys
        phase = .scramVerified
    }

    private static func unexpected(_ code: Int32) -> ServerAuthenticationFault {
        switch code {
        case 2: .unsupportedMethod("Kerberos")
        case 6: .unsupportedMethod("SCM credentials")
        case 7, 8: .unsupportedMethod("GSSAPI")
        case 9: .unsupportedMethod("SSPI")
        case 0, 3, 5, 10, 11, 12: .malformed("authentication request \(code) out of order")
        default: .unsupportedMethod("authentication method \(code)")
        }
    }
}
