// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// Why a client was not let in; `message` is for it, `logReason` for the operator only.
package struct AuthenticationFailure: Error, Equatable, Sendable {
    /// The reason, which decides how it is counted and what is kept.
    package enum Cause: Equatable, Sendable {
        /// A secret that was kept for a while may be out of date: read it again the next time.
        case wrongPassword
        case noSecret
        /// The secret is MD5's, and the rule wants SCRAM.
        case unsuitableSecret
        case expired
        /// The role does not exist or may not log in; shown only to clients without a password.
        case noLogin
        case lookupUnavailable
        case protocolViolation
        /// This machine's policy forbids MD5.
        case digestUnavailable
    }

    /// Never told to the client.
    package let cause: Cause
    /// 28P01 for all that a password decides.
    package let sqlState: SQLState
    /// PostgreSQL's message; the same for every reason to reject a login.
    package let message: String
    /// The error in the client's message, if that is the reason.
    package let detail: String?
    /// The whole truth, without anything secret.
    package let logReason: String
}

/// A client's login, from its startup packet to `AuthenticationOk` or the reason against it.
///
///     start ──▶ [secret] ──▶ mechanism ──▶ client-first ──▶ client-final ──▶ over
///                  ├───────▶ md5 ───────────────────────────────────────────▶ over
///                  └───────▶ nothing is asked (trust, cert) ────────────────▶ over
///
/// Users without a secret, unknown, expired or without a password, go the same way as a wrong
/// password and get the same answer at its end, as in PostgreSQL. Bodies are parsed strictly: a
/// client that is not logged in gets no second chance.
package struct AuthenticationExchange: Sendable {
    /// The next step of the login.
    package enum Step: Equatable, Sendable {
        /// The client's next message is needed.
        case wait
        /// The user's secret is needed: `secretArrived`.
        case lookUpSecret
        /// `AuthenticationOk` was appended. The credential opens the servers for this client.
        case authenticated(ServerCredential)
        case failed(AuthenticationFailure)
    }

    private enum Phase: Sendable {
        case start
        case lookingUp
        case mechanism(Candidate)
        case clientFirst(ScramServer, Candidate)
        case clientFinal(ScramServer, Candidate)
        case md5(secret: [UInt8], salt: [UInt8])
        case over
    }

    /// The role whose password the client must prove.
    private struct Candidate: Sendable {
        let secret: ScramSecret
        /// Nil where the secret is genuine; otherwise why the exchange is bound to fail.
        let doom: AuthenticationFailure.Cause?
        /// Known beforehand, where the configuration has the password.
        let credential: ServerCredential?
    }

    private let user: String
    private let rules: LoginRules
    private let method: AuthenticationRule.Method
    private let nonce: [UInt8]
    private let channelBinding: [UInt8]?
    private var phase = Phase.start

    /// - Parameters:
    ///   - method: what `LoginRules.verdict` said, by which a certificate has been checked; nil for
    ///     what holds without rules.
    ///   - nonce: at least 16 random bytes, never used before.
    ///   - channelBinding: the `tls-server-end-point` data of the client's TLS connection.
    package init(
        user: String, rules: LoginRules, method: AuthenticationRule.Method? = nil,
        nonce: [UInt8], channelBinding: [UInt8]? = nil
    ) {
        self.user = user
        self.rules = rules
        self.method = method ?? rules.standardMethod
        self.nonce = nonce
        self.channelBinding = channelBinding
    }

    /// The startup packet was accepted.
    package mutating func begin(into output: inout ByteQueue) -> Step {
        guard case .start = phase, method != .reject else {
            return violation("a login that has begun already, or must not begin")
        }
        guard asksForPassword else {
            if rules.looksUpOthers, rules.user(named: user) == nil {
                phase = .lookingUp
                return .lookUpSecret
            }
            return accept(rules.credentialWithoutExchange(of: user), into: &output)
        }
        if let known = rules.user(named: user) {
            return ask(known.secret, scram: known.scram, into: &output)
        }
        guard rules.looksUp else { return askInVain(.noSecret, into: &output) }
        phase = .lookingUp
        return .lookUpSecret
    }

    private var asksForPassword: Bool { method == .scramSHA256 || method == .md5 }

    /// The answer to `.lookUpSecret`.
    package mutating func secretArrived(
        _ lookup: SecretLookup, now: Instant, into output: inout ByteQueue
    ) -> Step {
        guard case .lookingUp = phase else { return violation("unexpected secret") }
        switch lookup {
        case .unavailable(let reason):
            return fail(
                .lookupUnavailable, .cannotConnectNow,
                "the password of user \"\(user)\" cannot be looked up at the moment", reason)
        case .absent where !asksForPassword:
            return fail(
                .noLogin, .invalidAuthorizationSpecification, "role \"\(user)\" is not permitted to log in",
                "the role does not exist, or may not log in")
        case .found(let secret) where !asksForPassword:
            return accept(secret.credentialWithoutExchange, into: &output)
        case .absent: return askInVain(.noSecret, into: &output)
        case .found(let secret):
            if secret.hasExpired(by: now) { return askInVain(.expired, into: &output) }
            switch secret.text.map(StoredSecret.init) {
            case .scram(let secret): return ask(.scram(secret), scram: secret, into: &output)
            case .md5(let secret): return ask(.md5(secret), scram: nil, into: &output)
            case .clearText, nil: return askInVain(.noSecret, into: &output)
            }
        }
    }

    /// A message of the client arrived, whole.
    package mutating func received(
        type: UInt8, body: RawSpan, into output: inout ByteQueue
    ) -> Step {
        guard type == UInt8(ascii: "p") else {
            return violation("expected password response, got message type \(type)")
        }
        let body = [UInt8](copying: body)
        switch phase {
        case .mechanism(let candidate):
            return chosen(body, candidate, into: &output)
        case .clientFirst(let server, let candidate):
            return first(body, server, candidate, into: &output)
        case .clientFinal(let server, let candidate):
            return final(body, server, candidate, into: &output)
        case .md5(let secret, let salt):
            return digest(body, secret: secret, salt: salt, into: &output)
        case .start, .lookingUp, .over:
            return violation("unexpected password message")
        }
    }

    // MARK: Requests to the client

    private mutating func ask(
        _ stored: StoredSecret, scram: ScramSecret?, into output: inout ByteQueue
    ) -> Step {
        switch stored {
        case .md5 where method == .scramSHA256:
            return askInVain(.unsuitableSecret, into: &output)
        case .md5(let secret):
            let salt = Array(nonce.prefix(4))
            output.appendAuthentication(AuthenticationCode.md5Password, salt)
            phase = .md5(secret: secret, salt: salt)
            return .wait
        case .clearText(let password):
            return offer(scram, credential: .password(password), into: &output)
        case .scram:
            return offer(scram, credential: nil, into: &output)
        }
    }

    private mutating func offer(
        _ secret: ScramSecret?, credential: ServerCredential?, into output: inout ByteQueue
    ) -> Step {
        guard let secret else { return askInVain(.noSecret, into: &output) }
        offerMechanisms(
            Candidate(secret: secret, doom: nil, credential: credential), into: &output)
        return .wait
    }

    /// Goes through the motions with a secret that no password fits.
    private mutating func askInVain(
        _ doom: AuthenticationFailure.Cause, into output: inout ByteQueue
    ) -> Step {
        let mock = ScramSecret.mock(user: user, processKey: rules.processKey)
        offerMechanisms(Candidate(secret: mock, doom: doom, credential: nil), into: &output)
        return .wait
    }

    private mutating func offerMechanisms(_ candidate: Candidate, into output: inout ByteQueue) {
        let names =
            channelBinding == nil
            ? [ScramServer.mechanism] : [ScramServer.bindingMechanism, ScramServer.mechanism]
        output.appendAuthentication(
            AuthenticationCode.sasl, names.flatMap { Array($0.utf8) + [0] } + [0])
        phase = .mechanism(candidate)
    }

    // MARK: Answers

    private mutating func chosen(
        _ body: [UInt8], _ candidate: Candidate, into output: inout ByteQueue
    ) -> Step {
        guard let initial = SASLInitialResponse(body: body) else {
            return violation("invalid SASL initial response")
        }
        let bindsChannel: Bool
        if initial.mechanism.elementsEqual(ScramServer.mechanism.utf8) {
            bindsChannel = false
        } else if channelBinding != nil,
            initial.mechanism.elementsEqual(ScramServer.bindingMechanism.utf8)
        {
            bindsChannel = true
        } else {
            return violation("client selected an invalid SASL authentication mechanism")
        }
        let server = ScramServer(
            secret: candidate.secret, isGenuine: candidate.doom == nil, nonce: nonce,
            channelBinding: channelBinding, bindsChannel: bindsChannel)
        guard let response = initial.response else {
            // No initial response: an empty challenge asks for it (RFC 4422, section 3).
            output.appendAuthentication(AuthenticationCode.saslContinue)
            phase = .clientFirst(server, candidate)
            return .wait
        }
        return first(response, server, candidate, into: &output)
    }

    private mutating func first(
        _ message: [UInt8], _ server: ScramServer, _ candidate: Candidate,
        into output: inout ByteQueue
    ) -> Step {
        var server = server
        do {
            let reply = try server.received(first: message)
            output.appendAuthentication(AuthenticationCode.saslContinue, reply)
            phase = .clientFinal(server, candidate)
            return .wait
        } catch {
            return refuse(error)
        }
    }

    private mutating func final(
        _ message: [UInt8], _ server: ScramServer, _ candidate: Candidate,
        into output: inout ByteQueue
    ) -> Step {
        var server = server
        do {
            switch try server.received(final: message) {
            case .accepted(let reply, let keys):
                output.appendAuthentication(AuthenticationCode.saslFinal, reply)
                return accept(candidate.credential ?? .keys(keys), into: &output)
            case .rejected:
                return passwordFailed(candidate.doom ?? .wrongPassword)
            }
        } catch {
            return refuse(error)
        }
    }

    private mutating func digest(
        _ body: [UInt8], secret: [UInt8], salt: [UInt8], into output: inout ByteQueue
    ) -> Step {
        guard body.firstIndex(of: 0) == body.count - 1 else {
            return violation("invalid password packet size")
        }
        guard let expected = MD5Password.response(secret: secret, salt: salt) else {
            return fail(
                .digestUnavailable, .featureNotSupported, "MD5 passwords cannot be used on this machine",
                "the machine's policy forbids MD5")
        }
        guard Digests.areEqual(Array(body.dropLast()), expected) else {
            return passwordFailed(.wrongPassword)
        }
        return accept(.md5(secret), into: &output)
    }

    // MARK: Ends

    private mutating func accept(
        _ credential: ServerCredential, into output: inout ByteQueue
    ) -> Step {
        phase = .over
        output.appendAuthentication(AuthenticationCode.ok)
        return .authenticated(credential)
    }

    private mutating func passwordFailed(_ cause: AuthenticationFailure.Cause) -> Step {
        let reason =
            switch cause {
            case .noSecret: "the user does not exist or has no password"
            case .unsuitableSecret: "the secret is MD5's, and the rule asks for SCRAM"
            case .expired: "the password has expired"
            default: "the password does not match"
            }
        return fail(
            cause, .invalidPassword, "password authentication failed for user \"\(user)\"", reason)
    }

    private mutating func refuse(_ fault: ScramFault) -> Step {
        fail(
            .protocolViolation, fault.sqlState, fault.message,
            [fault.message, fault.detail].compactMap(\.self).joined(separator: ": "),
            detail: fault.detail)
    }

    private mutating func violation(_ message: String) -> Step {
        fail(.protocolViolation, .protocolViolation, message, message)
    }

    private mutating func fail(
        _ cause: AuthenticationFailure.Cause, _ sqlState: SQLState, _ message: String,
        _ logReason: String, detail: String? = nil
    ) -> Step {
        phase = .over
        return .failed(
            AuthenticationFailure(
                cause: cause, sqlState: sqlState, message: message, detail: detail,
                logReason: logReason))
    }
}
