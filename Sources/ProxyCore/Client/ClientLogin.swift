// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// A client's login, from its first byte to its greeting.
///
///     packets ───▶ admission ──▶ authentication ──▶ greeting
///       │  ▲           └──────────────┴──────────────────▶ over
///     handshake
///
/// A login owns all that is known of a client which has not proved who it is. Nothing of it reaches
/// a table of the pooler before `LoginAction.open`, so that names of an unauthenticated startup
/// message are kept nowhere else and go with the connection.
package final class ClientLogin {
    /// Where the login is; each case says which events it takes.
    private enum Phase {
        /// Requests for encryption, a cancel request or the startup message: `received`, `lost`.
        case packets
        /// The runtime negotiates TLS: `secured` or `lost`.
        case handshake(Begin)
        /// The startup message wants a place among the clients: `admitted`.
        case admission(StartupMessage)
        /// Messages of the exchange, or the user's secret: `received`, `secretArrived`.
        case authentication(AuthenticationExchange, LoginRequest)
        /// Authenticated; the pooler finds what a greeting says.
        case greeting(LoginRequest)
        case over
    }

    /// How a handshake began.
    private enum Begin {
        case byRequest
        /// With the connection's first byte, as PostgreSQL 17's `sslnegotiation=direct` does.
        case directly
    }

    /// A request for encryption, which a client may make once.
    private enum EncryptionRequest { case tls, gss }

    private let peer: String
    private var phase = Phase.packets
    private var requestsSeen: Set<EncryptionRequest> = []
    /// What TLS says of the connection; nil where it is not encrypted.
    private var encryption: Encryption?

    /// - Parameter peer: the client's address, as `LoginAttempt` takes it.
    package init(peer: String) {
        self.peer = peer
    }

    // MARK: Events

    /// Bytes arrived. Takes what is whole off the front of `inbound`, up to the next action.
    ///
    /// Called again after each action until it returns `wait`.
    package func received(
        _ inbound: inout ClientInbox, rules: LoginRules, limit: Int, into output: inout ByteQueue
    ) -> LoginAction {
        if case .packets = phase, beginsWithTLS(inbound) {
            return handshakeBegan(&inbound, isOffered: rules.encryption.mode.isOffered)
        }
        while true {
            let step: LoginAction?
            switch phase {
            case .packets:
                step = takeRequest(&inbound, rules: rules, limit: limit, into: &output)
            case .authentication(let exchange, let request):
                step = takeMessage(&inbound, exchange, request, limit: limit, into: &output)
            case .handshake, .admission, .greeting, .over: step = .wait
            }
            if let step { return step }
        }
    }

    /// The handshake is over: what comes now was encrypted.
    package func secured(_ encryption: Encryption) -> LoginAction {
        guard case .handshake(let begin) = phase else { return .wait }
        self.encryption = encryption
        if begin == .directly && !encryption.hasAgreedProtocol {
            // As PostgreSQL 17: only ALPN tells that it wants to speak with a database.
            return end(LoginFailure(unsaid: .protocolViolation, "direct TLS without ALPN"))
        }
        phase = .packets
        return .wait
    }

    /// There is a place for the client: the first rule that matches says what it has to prove.
    package func admitted(
        rules: LoginRules, secrets: inout SecretBytes, into output: inout ByteQueue
    ) -> LoginAction {
        guard case .admission(let message) = phase else { return .wait }
        let method: AuthenticationRule.Method
        switch rules.verdict(on: attempt(message), encryption) {
        case .ask(let asked): method = asked
        case .refuse(let refusal): return end(LoginFailure(refusal))
        }
        let request: LoginRequest
        do {
            request = try LoginRequest(message)
        } catch {
            return end(LoginFailure(error.sqlState, error.message))
        }
        if message.needsNegotiation { message.appendNegotiation(to: &output) }
        var exchange = AuthenticationExchange(
            user: message.user, rules: rules, method: method, nonce: secrets.next(18),
            channelBinding: encryption?.channelBinding)
        let step = exchange.begin(into: &output)
        return exchanged(step, exchange, request) ?? .wait
    }

    /// What was found out about the user's secret.
    package func secretArrived(
        _ lookup: SecretLookup, now: Instant, into output: inout ByteQueue
    ) -> LoginAction {
        guard case .authentication(var exchange, let request) = phase else { return .wait }
        let step = exchange.secretArrived(lookup, now: now, into: &output)
        return exchanged(step, exchange, request) ?? .wait
    }

    /// The connection is gone; says what there is to report of it.
    package func lost(reason: String) -> LoginFailure? {
        guard case .handshake = phase else { return nil }
        phase = .over
        return LoginFailure(unsaid: .handshakeFailed, reason)
    }

    // MARK: What it knows

    /// Who has authenticated and waits for its greeting; nil before that.
    package var greeted: LoginRequest? {
        guard case .greeting(let request) = phase else { return nil }
        return request
    }

    /// The cipher of the connection for the log; nil where it is not encrypted.
    package var encryptionWords: String? { encryption?.words }

    // MARK: Requests

    /// Takes one packet; nil when the next one may be looked at.
    private func takeRequest(
        _ inbound: inout ClientInbox, rules: LoginRules, limit: Int, into output: inout ByteQueue
    ) -> LoginAction? {
        let packet: StartupPacket
        do {
            guard let length = try StartupPacket.length(of: inbound.unread, limit: limit),
                inbound.count >= length
            else { return .wait }
            packet = try StartupPacket(body: inbound.unread.extracting(4..<length))
            inbound.consume(length)
        } catch {
            return end(LoginFailure(error))
        }
        switch packet {
        case .sslRequest:
            if encryption != nil {
                return end(LoginFailure(StartupFault.unsupportedProtocol(major: 1234, minor: 5679)))
            }
            guard isFirst(.tls, inbound) else { return end(.unencryptedData) }
            guard rules.encryption.mode.isOffered else { return reply("N", &output) }
            _ = reply("S", &output)
            phase = .handshake(.byRequest)
            return .startTLS(received: [])
        case .gssEncRequest:
            return isFirst(.gss, inbound) ? reply("N", &output) : end(.unencryptedData)
        case .cancelRequest(let processID, let secret):
            phase = .over
            return .cancel(BackendKeyData(processID: processID, secret: secret))
        case .startup(let message):
            phase = .admission(message)
            return .admit
        }
    }

    private func isFirst(_ request: EncryptionRequest, _ inbound: borrowing ClientInbox) -> Bool {
        requestsSeen.insert(request).inserted && inbound.isEmpty
    }

    private func reply(_ verdict: Unicode.Scalar, _ output: inout ByteQueue) -> LoginAction? {
        output.append(byte: UInt8(ascii: verdict))
        return nil
    }

    /// No startup packet begins like a TLS record: it would be longer than is allowed.
    private func beginsWithTLS(_ inbound: borrowing ClientInbox) -> Bool {
        encryption == nil && requestsSeen.isEmpty && !inbound.isEmpty
            && inbound.unread.byte(at: 0) == 0x16
    }

    private func handshakeBegan(_ inbound: inout ClientInbox, isOffered: Bool) -> LoginAction {
        guard isOffered else {
            return end(
                LoginFailure(
                    unsaid: .encryptionRefused, "direct TLS, which is not offered here"))
        }
        let received = inbound.unread.copy(0..<inbound.count)
        inbound.removeAll()
        phase = .handshake(.directly)
        return .startTLS(received: received)
    }

    // MARK: Authentication

    private func attempt(_ message: StartupMessage) -> LoginAttempt {
        var attempt = LoginAttempt(user: message.user, database: message.database, peer: peer)
        attempt.isEncrypted = encryption != nil
        attempt.isPhysicalReplication = message.replication == .physical
        return attempt
    }

    /// Takes one message; nil when the next one may be looked at.
    private func takeMessage(
        _ inbound: inout ClientInbox, _ exchange: AuthenticationExchange, _ request: LoginRequest,
        limit: Int, into output: inout ByteQueue
    ) -> LoginAction? {
        let header: MessageHeader
        do {
            guard let found = try MessageHeader(in: inbound.unread, at: 0) else { return .wait }
            header = found
        } catch {
            return end(.invalidLength)
        }
        guard header.bodyCount <= limit else { return end(.invalidLength) }
        guard inbound.count >= header.totalCount else { return .wait }
        let body = inbound.unread.copy(MessageHeader.size..<header.totalCount)
        inbound.consume(header.totalCount)
        var exchange = exchange
        let step = exchange.received(type: header.kind, body: body.rawSpan, into: &output)
        return exchanged(step, exchange, request)
    }

    /// The exchange made a step; nil where the next one is the client's.
    private func exchanged(
        _ step: AuthenticationExchange.Step, _ exchange: AuthenticationExchange,
        _ request: LoginRequest
    ) -> LoginAction? {
        phase = .authentication(exchange, request)
        switch step {
        case .wait: return nil
        case .lookUpSecret: return .lookUpSecret(user: request.user)
        case .authenticated(let credential):
            phase = .greeting(request)
            return .open(request, credential)
        case .failed(let failure): return end(LoginFailure(failure, of: request.user))
        }
    }

    private func end(_ failure: LoginFailure) -> LoginAction {
        phase = .over
        return .end(failure)
    }
}
