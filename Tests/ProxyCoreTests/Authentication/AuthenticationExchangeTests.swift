// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import Testing

/// A client and the exchange with it, message by message.
private struct Login: ~Copyable {
    var exchange: AuthenticationExchange
    var output = ByteQueue(pool: BytePool())

    init(
        user: String = "alice", policy: AuthenticationPolicy = .init(),
        method: AuthenticationRule.Method? = nil, channelBinding: [UInt8]? = nil
    ) {
        exchange = AuthenticationExchange(
            user: user,
            rules: LoginRules(policy: policy, processKey: [UInt8](repeating: 1, count: 32)),
            method: method, nonce: [UInt8](repeating: 2, count: 18), channelBinding: channelBinding)
    }

    mutating func begin() -> AuthenticationExchange.Step { exchange.begin(into: &output) }

    mutating func lookUp(
        _ secret: String?, validUntil: Instant? = nil
    ) -> AuthenticationExchange.Step {
        arrive(.found(RoleSecret(text: secret, validUntil: validUntil, fetchedAt: Instant(10))))
    }

    mutating func arrive(_ lookup: SecretLookup) -> AuthenticationExchange.Step {
        exchange.secretArrived(lookup, now: Instant(100), into: &output)
    }

    mutating func send(_ body: [UInt8], type: UInt8 = 0x70) -> AuthenticationExchange.Step {
        unsafe exchange.received(type: type, body: body.span.bytes, into: &output)
    }

    /// Takes the messages that wait: code and payload of each.
    mutating func messages() -> [(code: Int32, payload: [UInt8])] {
        let bytes = [UInt8](copying: output.unread)
        output.removeAll()
        return Self.messages(in: bytes)
    }

    private static func messages(in bytes: [UInt8]) -> [(code: Int32, payload: [UInt8])] {
        guard !bytes.isEmpty else { return [] }
        func word(_ at: Int) -> Int { bytes[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) } }
        let end = 1 + word(1)
        return [(Int32(word(5)), Array(bytes[9..<end]))] + messages(in: Array(bytes[end...]))
    }

    /// Runs a client with SCRAM to the verdict.
    mutating func scram(
        password: String, binding: ScramClient.ChannelBinding = .none,
        mechanism: String = "SCRAM-SHA-256"
    ) throws -> AuthenticationExchange.Step {
        var client = ScramClient(
            credential: .password(Array(password.utf8)),
            nonce: [UInt8](repeating: 3, count: 18), channelBinding: binding)
        _ = messages()
        let step = send(initialResponse(client.start(), mechanism: mechanism))
        guard step == .wait else { return step }
        let challenge = messages()
        #expect(challenge.map(\.code) == [11])
        let verdict = send(try client.received(first: challenge[0].payload))
        if case .authenticated = verdict {
            let answers = messages()
            #expect(answers.map(\.code) == [12, 0])
            try client.received(final: answers[0].payload)
        } else {
            #expect(output.count == 0)
        }
        return verdict
    }
}

private func initialResponse(
    _ response: [UInt8]?, mechanism: String = "SCRAM-SHA-256"
) -> [UInt8] {
    let length = response.map { UInt32($0.count) } ?? .max
    return Array(mechanism.utf8) + [0]
        + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } + (response ?? [])
}

private let aliceKeys = ScramKeys(
    password: Array("wonder".utf8), salt: [1, 2, 3, 4], iterations: 1000)
private let aliceMD5 = "md5" + "3f94e93ce9a9b8a8cd6a4a2e0d8b2d2a"

private func cause(of step: AuthenticationExchange.Step) -> AuthenticationFailure.Cause? {
    if case .failed(let failure) = step { return failure.cause }
    return nil
}

private func failure(of step: AuthenticationExchange.Step) -> AuthenticationFailure? {
    if case .failed(let failure) = step { return failure }
    return nil
}

@Suite struct AuthenticationExchangeTests {
    private func policy(
        _ method: AuthenticationMethod = .scramSHA256, users: [(String, String)] = [],
        lookup: Bool = true
    ) -> AuthenticationPolicy {
        var policy = AuthenticationPolicy()
        policy.method = method
        policy.users = users.map { .init(name: $0.0, secret: $0.1) }
        policy.lookup = lookup
        return policy
    }

    @Test func `a looked-up user logs in, and the keys of the login open the servers`() throws {
        var login = Login()
        #expect(login.begin() == .lookUpSecret)
        #expect(login.lookUp(aliceKeys.secret.text) == .wait)
        #expect(try login.scram(password: "wonder") == .authenticated(.keys(aliceKeys)))
    }

    @Test func `the offer is SCRAM, and PLUS where there is a channel to bind to`() {
        for (binding, names) in [
            (nil, "SCRAM-SHA-256\0\0"), ([1] as [UInt8]?, "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
        ] {
            var login = Login(channelBinding: binding)
            _ = login.begin()
            _ = login.lookUp(nil)
            let offer = login.messages()
            #expect(offer.map(\.code) == [10])
            #expect(offer.first?.payload == Array(names.utf8))
        }
    }

    @Test func `a client may bind to the channel`() throws {
        var login = Login(channelBinding: [1, 2])
        _ = login.begin()
        _ = login.lookUp(aliceKeys.secret.text)
        #expect(
            try login.scram(
                password: "wonder", binding: .endPoint([1, 2]), mechanism: "SCRAM-SHA-256-PLUS")
                == .authenticated(.keys(aliceKeys)))
    }

    @Test func `wrong, unknown, expired and unusable all end in the same answer`() throws {
        let cases: [(String?, Instant?, AuthenticationFailure.Cause)] = [
            (aliceKeys.secret.text, nil, .wrongPassword), (nil, nil, .noSecret),
            (aliceKeys.secret.text, Instant(99), .expired), ("in clear text", nil, .noSecret),
        ]
        for (secret, validUntil, expected) in cases {
            var login = Login()
            _ = login.begin()
            #expect(login.lookUp(secret, validUntil: validUntil) == .wait)
            let password = expected == .wrongPassword ? "Wonder" : "wonder"
            let failure = try #require(failure(of: try login.scram(password: password)))
            #expect(failure.cause == expected)
            #expect(failure.sqlState == "28P01")
            #expect(failure.message == "password authentication failed for user \"alice\"")
            #expect(failure.detail == nil)
        }
    }

    @Test func `a password that is still valid is valid`() throws {
        var login = Login()
        _ = login.begin()
        _ = login.lookUp(aliceKeys.secret.text, validUntil: Instant(100))
        #expect(try login.scram(password: "wonder") == .authenticated(.keys(aliceKeys)))
    }

    @Test func `an unknown user sees the same salt every time`() throws {
        var challenges: [[UInt8]] = []
        for _ in 0..<2 {
            var login = Login(user: "nobody")
            _ = login.begin()
            _ = login.lookUp(nil)
            _ = login.messages()
            _ = login.send(initialResponse(Array("n,,n=,r=abc".utf8)))
            challenges.append(try #require(login.messages().first).payload)
        }
        #expect(challenges[0] == challenges[1])
        #expect(String(decoding: challenges[0], as: UTF8.self).hasSuffix("==,i=4096"))
    }

    @Test func `a user of the configuration is not looked up`() throws {
        let policy = policy(users: [("alice", aliceKeys.secret.text), ("bob", "in clear")])
        var login = Login(policy: policy)
        #expect(login.begin() == .wait)
        #expect(try login.scram(password: "wonder") == .authenticated(.keys(aliceKeys)))
        login = Login(user: "bob", policy: policy)
        #expect(login.begin() == .wait)
        #expect(
            try login.scram(password: "in clear")
                == .authenticated(.password(Array("in clear".utf8))))
        login = Login(user: "bob", policy: policy)
        #expect(login.begin() == .wait)
        #expect(cause(of: try login.scram(password: "In clear")) == .wrongPassword)
    }

    @Test func `without a look-up an unknown user goes through the motions`() throws {
        var login = Login(policy: policy(lookup: false))
        #expect(login.begin() == .wait)
        #expect(cause(of: try login.scram(password: "x")) == .noSecret)
    }

    @Test func `an empty secret lets nobody in`() throws {
        var login = Login(policy: policy(users: [("alice", "")], lookup: false))
        #expect(login.begin() == .wait)
        #expect(cause(of: try login.scram(password: "")) == .noSecret)
    }

    @Test func `trust asks nobody, and knows only what the configuration says`() {
        let policy = policy(.trust, users: [("bob", "pw"), ("carol", aliceMD5)])
        for (user, credential) in [
            ("alice", ServerCredential.none), ("bob", .password(Array("pw".utf8))),
            ("carol", .md5(Array(aliceMD5.utf8))),
        ] {
            var login = Login(user: user, policy: policy)
            #expect(login.begin() == .authenticated(credential))
            #expect(login.messages().map(\.code) == [0])
        }
    }

    @Test func `an MD5 secret is asked for as MD5, and opens the servers`() throws {
        let secret = try #require(MD5Password.secret(password: Array("old".utf8), user: "alice"))
        for (typed, isRight) in [("old", true), ("older", false)] {
            var login = Login()
            _ = login.begin()
            #expect(login.lookUp(String(decoding: secret, as: UTF8.self)) == .wait)
            let request = login.messages()
            #expect(request.map(\.code) == [5])
            let salt = try #require(request.first).payload
            #expect(salt.count == 4)
            let typedSecret = try #require(
                MD5Password.secret(password: Array(typed.utf8), user: "alice"))
            let answer = try #require(MD5Password.response(secret: typedSecret, salt: salt))
            let step = login.send(answer + [0])
            if isRight {
                #expect(step == .authenticated(.md5(secret)))
                #expect(login.messages().map(\.code) == [0])
            } else {
                #expect(failure(of: step)?.sqlState == "28P01")
                #expect(cause(of: step) == .wrongPassword)
            }
        }
    }

    @Test func `an MD5 answer must be one string`() {
        for body in [[], [0x6d], [0x6d, 0, 0], [0, 0x6d]] as [[UInt8]] {
            var login = Login()
            _ = login.begin()
            _ = login.lookUp(aliceMD5)
            #expect(cause(of: login.send(body)) == .protocolViolation)
        }
    }

    @Test func `a cluster that cannot be asked is not a wrong password`() {
        var login = Login()
        _ = login.begin()
        let step = login.exchange.secretArrived(
            .unavailable("no primary"), now: Instant(1), into: &login.output)
        #expect(failure(of: step)?.sqlState == "57P03")
        #expect(failure(of: step)?.logReason == "no primary")
        #expect(failure(of: step)?.message.contains("no primary") == false)
    }

    @Test func `a client without an initial response is asked for it`() throws {
        var login = Login()
        _ = login.begin()
        _ = login.lookUp(aliceKeys.secret.text)
        _ = login.messages()
        #expect(login.send(initialResponse(nil)) == .wait)
        let challenge = login.messages()
        #expect(challenge.map(\.code) == [11] && challenge[0].payload.isEmpty)
        #expect(login.send(Array("n,,n=,r=abc".utf8)) == .wait)
        #expect(login.messages().map(\.code) == [11])
    }

    @Test func `initial responses that are not exact are refused`() {
        let good = initialResponse(Array("n,,n=,r=abc".utf8))
        for body in [
            [], Array(good.dropLast()), good + [0], Array("SCRAM-SHA-256".utf8), [0],
            initialResponse(Array("n,,n=,r=abc".utf8), mechanism: "SCRAM-SHA-1"),
            initialResponse(Array("p=tls-server-end-point,,n=,r=abc".utf8),
                mechanism: "SCRAM-SHA-256-PLUS"),
            initialResponse(nil) + [1], Array("SCRAM-SHA-256".utf8) + [0, 0x80, 0, 0, 0],
        ] {
            var login = Login()
            _ = login.begin()
            _ = login.lookUp(aliceKeys.secret.text)
            #expect(cause(of: login.send(body)) == .protocolViolation)
            #expect(failure(of: login.send(good))?.sqlState == "08P01")
        }
    }

    @Test func `another message than the password is a violation`() {
        var login = Login()
        _ = login.begin()
        #expect(cause(of: login.send([], type: 0x70)) == .protocolViolation)
        login = Login()
        _ = login.begin()
        _ = login.lookUp(nil)
        #expect(cause(of: login.send([], type: 0x51)) == .protocolViolation)
    }

    @Test func `any password message is survived`() {
        var random = SeededBytes(seed: 5)
        let good = initialResponse(Array("n,,n=user,r=abcdefgh".utf8))
        for _ in 0..<2_000 {
            var login = Login()
            _ = login.begin()
            _ = login.lookUp(aliceKeys.secret.text)
            if login.send(random.mutation(of: good)) == .wait {
                let last = login.send(random.bytes(Int.random(in: 0..<80, using: &random)))
                #expect(cause(of: last) == .protocolViolation)
            }
        }
    }

    // MARK: Methods of rules

    private static let md5Secret = "md5" + String(repeating: "0", count: 32)

    /// With a rule, so that roles which prove nothing by a password are looked up.
    private func ruled(
        _ method: AuthenticationRule.Method, users: [AuthenticationPolicy.User] = []
    ) -> Login {
        var policy = AuthenticationPolicy()
        policy.rules = [AuthenticationRule(method: method)]
        policy.users = users
        return Login(policy: policy, method: method)
    }

    @Test func `a rule for SCRAM takes no secret of MD5, and does not tell`() throws {
        for users in [[], [AuthenticationPolicy.User(name: "alice", secret: Self.md5Secret)]] {
            var login = ruled(.scramSHA256, users: users)
            if login.begin() == .lookUpSecret {
                #expect(login.lookUp(Self.md5Secret) == .wait)
            }
            let failure = try #require(failure(of: try login.scram(password: "wonder")))
            #expect(failure.cause == .unsuitableSecret)
            #expect(failure.message == "password authentication failed for user \"alice\"")
        }
    }

    @Test func `a rule for MD5 asks for what the secret is for`() {
        for (secret, code) in [(aliceKeys.secret.text, 10), (Self.md5Secret, 5), (nil, 10)] {
            var login = ruled(.md5)
            _ = login.begin()
            #expect(login.lookUp(secret) == .wait)
            #expect(login.messages().map(\.code) == [Int32(code)])
        }
    }

    @Test(arguments: [AuthenticationRule.Method.trust, .cert])
    func `who proves nothing by a password must still be a role that may log in`(
        method: AuthenticationRule.Method
    ) throws {
        var login = ruled(method)
        #expect(login.begin() == .lookUpSecret)
        let refused = try #require(failure(of: login.arrive(.absent(fetchedAt: Instant(1)))))
        #expect(refused.sqlState == "28000")
        #expect(refused.message == "role \"alice\" is not permitted to log in")
        for (secret, credential) in [
            (aliceKeys.secret.text, ServerCredential.none), (nil, .none),
            (Self.md5Secret, .md5(Array(Self.md5Secret.utf8))),
        ] {
            var login = ruled(method)
            _ = login.begin()
            // VALID UNTIL is about the password, which is not used.
            #expect(login.lookUp(secret, validUntil: Instant(1)) == .authenticated(credential))
        }
        var known = ruled(method, users: [.init(name: "alice", secret: "wonder")])
        #expect(known.begin() == .authenticated(.password(Array("wonder".utf8))))
    }

    @Test func `who is to be rejected is never let in`() {
        var login = ruled(.reject)
        #expect(failure(of: login.begin())?.sqlState == "08P01")
    }
}
