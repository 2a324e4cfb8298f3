// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing
@testable import ProxyCore

/// A client's login by itself: what arrives, and what the pooler is to do.
struct ClientLoginTests {
    private static let sslRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]
    private static let gssRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]
    private static let cancelRequest: [UInt8] = [
        0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 42, 1, 2, 3, 4,
    ]
    private static let hello: [UInt8] = [0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]

    /// A login with the buffers of its connection.
    private final class Play {
        let login = ClientLogin(peer: "127.0.0.1:5000")
        var inbound = ClientInbox(pool: BytePool())
        var output = ByteQueue(pool: BytePool())
        var secrets = SecretBytes(processKey: [UInt8](repeating: 7, count: 32), stream: 0)
        let rules: LoginRules
        let limit: Int

        init(_ change: (inout AuthenticationPolicy) -> Void = { _ in }, limit: Int = 10_000) {
            var policy = AuthenticationPolicy()
            change(&policy)
            rules = LoginRules(policy: policy, processKey: [UInt8](repeating: 7, count: 32))
            self.limit = limit
        }

        func send(_ bytes: [UInt8]) -> LoginAction {
            inbound.append(bytes.rawSpan)
            return next()
        }

        func next() -> LoginAction {
            login.received(&inbound, rules: rules, limit: limit, into: &output)
        }

        func admitted() -> LoginAction {
            login.admitted(rules: rules, secrets: &secrets, into: &output)
        }

        /// What the client is sent, taken out of the queue.
        func said() -> [UInt8] {
            let bytes = output.unread.copy(0..<output.count)
            output.removeAll()
            return bytes
        }
    }

    private static func startup(_ pairs: [String] = ["user", "app"], minor: Int = 0) -> [UInt8] {
        World.startupPacket(pairs, minor: minor)
    }

    private static func tls(agreed: Bool = true) -> Encryption {
        var encryption = Encryption(version: "TLSv1.3", cipher: "X", channelBinding: [1, 2, 3])
        encryption.hasAgreedProtocol = agreed
        return encryption
    }

    private static func request(_ pairs: [String], minor: Int = 0) throws -> LoginRequest {
        let packet = startup(pairs, minor: minor)
        guard case .startup(let message) = try StartupPacket(body: Array(packet[4...]).rawSpan)
        else { throw StartupFault.missingUser }
        return try LoginRequest(message)
    }

    private static func trust(_ policy: inout AuthenticationPolicy) { policy.method = .trust }

    private static func offersTLS(_ policy: inout AuthenticationPolicy) {
        policy.method = .trust
        policy.encryption.mode = .allow
    }

    // MARK: Startup packets

    @Test func `a startup message asks for a place, and is then asked for nothing by trust`() throws {
        let play = Play(Self.trust)
        #expect(play.send(Self.startup()) == .admit)
        #expect(play.next() == .wait)
        #expect(play.login.greeted == nil)
        let request = try Self.request(["user", "app"])
        #expect(play.admitted() == .open(request, .none))
        #expect(play.said() == Message("R", Message.int32(0)).bytes)
        #expect(play.login.greeted == request)
        #expect(request.user == "app" && request.database == "app")
    }

    @Test func `a packet may come byte by byte`() {
        let play = Play(Self.trust)
        let packet = Self.startup()
        for byte in packet.dropLast() { #expect(play.send([byte]) == .wait) }
        #expect(play.send([packet.last ?? 0]) == .admit)
        let left = play.inbound.count
        #expect(left == 0)
    }

    @Test func `what follows the startup message is left for the session`() {
        let play = Play(Self.trust)
        #expect(play.send(Self.startup() + [1, 2, 3]) == .admit)
        _ = play.admitted()
        #expect(play.next() == .wait)
        #expect(play.inbound.unread.copy(0..<play.inbound.count) == [1, 2, 3])
    }

    @Test func `settings of options come first and are overridden, names in lower case`() throws {
        let play = Play(Self.trust)
        let pairs = [
            "user", "app", "database", "shop", "DateStyle", "German", "options",
            "-c datestyle=ISO -c work_mem=4MB",
        ]
        #expect(play.send(Self.startup(pairs)) == .admit)
        guard case .open(let request, _) = play.admitted() else {
            Issue.record("not logged in")
            return
        }
        #expect(request.settings == ["datestyle": "German", "work_mem": "4MB"])
    }

    @Test func `options that cannot be read end the login`() {
        let play = Play(Self.trust)
        _ = play.send(Self.startup(["user", "app", "options", "-c nothing"]))
        guard case .end(let failure) = play.admitted() else {
            Issue.record("accepted")
            return
        }
        #expect(failure.sqlState == "42601" && failure.message != nil && failure.result == nil)
        #expect(play.next() == .wait)
    }

    @Test func `a newer protocol and unknown options of it are negotiated`() {
        let play = Play(Self.trust)
        _ = play.send(Self.startup(["user", "app", "_pq_.x", "1"], minor: 9))
        guard case .open(let request, _) = play.admitted() else {
            Issue.record("not logged in")
            return
        }
        let negotiation = Message(
            "v", Message.int32(196_610) + Message.int32(1) + Array("_pq_.x\0".utf8))
        #expect(play.said().starts(with: negotiation.bytes))
        #expect(request.message.agreedMinorVersion == 2)
    }

    @Test func `a length that cannot be ends the login at once`() {
        let play = Play(limit: 100)
        guard case .end(let failure) = play.send([0, 0, 1, 0]) else {
            Issue.record("accepted")
            return
        }
        #expect(failure.sqlState == "08P01" && failure.logReason == nil)
    }

    @Test func `a cancel request is passed on, also before anything else was asked`() {
        let key = BackendKeyData(processID: 42, secret: [1, 2, 3, 4])
        #expect(Play().send(Self.cancelRequest) == .cancel(key))
        let play = Play(Self.offersTLS)
        _ = play.send(Self.sslRequest)
        _ = play.login.secured(Self.tls())
        #expect(play.send(Self.cancelRequest) == .cancel(key))
        #expect(play.next() == .wait)
    }

    @Test func `a cancel request of a wrong length gets no reply`() {
        guard case .end(let failure) = Play().send([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2e]) else {
            Issue.record("accepted")
            return
        }
        #expect(failure.message == nil && failure.result == nil)
    }

    // MARK: Encryption

    @Test func `TLS that is not offered is refused, and the login goes on without it`() {
        let play = Play(Self.trust)
        #expect(play.send(Self.gssRequest) == .wait)
        #expect(play.said() == Array("N".utf8))
        #expect(play.send(Self.sslRequest) == .wait)
        #expect(play.said() == Array("N".utf8))
        #expect(play.send(Self.startup()) == .admit)
    }

    @Test func `a request for TLS begins a handshake, after which the login goes on`() {
        let play = Play(Self.offersTLS)
        #expect(play.send(Self.sslRequest) == .startTLS(received: []))
        #expect(play.said() == Array("S".utf8))
        #expect(play.login.secured(Self.tls(agreed: false)) == .wait)
        #expect(play.login.encryptionWords == "TLSv1.3 X")
        #expect(play.send(Self.startup()) == .admit)
    }

    @Test(arguments: [sslRequest, gssRequest], [sslRequest, startup(), [0]])
    func `what comes with a request before its reply ends the login`(
        request: [UInt8], garbage: [UInt8]
    ) {
        let play = Play(Self.offersTLS)
        #expect(play.send(request + garbage) == .end(.unencryptedData))
        #expect(play.said().isEmpty)
        #expect(play.next() == .wait)
    }

    @Test(arguments: [sslRequest, gssRequest])
    func `a request may be made once`(request: [UInt8]) {
        let play = Play(Self.trust)
        #expect(play.send(request) == .wait)
        #expect(play.send(request) == .end(.unencryptedData))
    }

    @Test func `TLS is not asked for inside TLS`() {
        let play = Play(Self.offersTLS)
        _ = play.send(Self.sslRequest)
        _ = play.login.secured(Self.tls())
        guard case .end(let failure) = play.send(Self.sslRequest) else {
            Issue.record("accepted")
            return
        }
        #expect(failure.sqlState == "0A000")
    }

    @Test func `direct TLS begins with all that came, and needs ALPN`() {
        for agreed in [true, false] {
            let play = Play(Self.offersTLS)
            #expect(play.send(Self.hello) == .startTLS(received: Self.hello))
            let left = play.inbound.count
            #expect(left == 0)
            let failure = LoginFailure(unsaid: .protocolViolation, "direct TLS without ALPN")
            #expect(play.login.secured(Self.tls(agreed: agreed)) == (agreed ? .wait : .end(failure)))
            #expect(play.said().isEmpty)
        }
    }

    @Test func `direct TLS where there is none is closed without a word`() {
        guard case .end(let failure) = Play(Self.trust).send(Self.hello) else {
            Issue.record("accepted")
            return
        }
        #expect(failure.message == nil && failure.result == .encryptionRefused)
    }

    @Test func `a connection that is lost in its handshake is reported, and no other`() {
        let play = Play(Self.offersTLS)
        #expect(play.login.lost(reason: "reset") == nil)
        _ = play.send(Self.sslRequest)
        #expect(
            play.login.lost(reason: "reset") == LoginFailure(unsaid: .handshakeFailed, "reset"))
        #expect(play.login.lost(reason: "reset") == nil)
        #expect(play.login.secured(Self.tls()) == .wait)
    }

    @Test func `who must be encrypted and is not is refused in words`() {
        let play = Play { $0.encryption.mode = .require }
        #expect(play.send(Self.startup()) == .admit)
        #expect(play.admitted() == .end(LoginFailure(.notEncrypted)))
        #expect(play.login.greeted == nil)
    }

    // MARK: Authentication

    private static func asksForPassword(_ policy: inout AuthenticationPolicy) {
        policy.method = .scramSHA256
        policy.lookup = true
    }

    @Test func `the secret of a user is looked up, and an absent one gets a mock exchange`() {
        let play = Play(Self.asksForPassword)
        _ = play.send(Self.startup(["user", "nobody", "database", "shop"]))
        #expect(play.admitted() == .lookUpSecret(user: "nobody"))
        #expect(play.said().isEmpty)
        let step = play.login.secretArrived(
            .absent(fetchedAt: Instant(0)), now: Instant(1), into: &play.output)
        #expect(step == .wait)
        #expect(play.said().starts(with: Array("R".utf8)))
    }

    @Test func `a secret that cannot be looked up ends the login, and is not a wrong password`() {
        let play = Play(Self.asksForPassword)
        _ = play.send(Self.startup())
        _ = play.admitted()
        let step = play.login.secretArrived(
            .unavailable("down"), now: Instant(1), into: &play.output)
        guard case .end(let failure) = step else {
            Issue.record("accepted")
            return
        }
        #expect(failure.sqlState == "57P03" && failure.result == .unavailable)
        #expect(failure.mismatchedUser == nil && failure.logReason == "down")
    }

    @Test func `a secret that was not asked for changes nothing`() {
        let play = Play(Self.trust)
        let step = play.login.secretArrived(
            .absent(fetchedAt: Instant(0)), now: Instant(1), into: &play.output)
        #expect(step == .wait)
        #expect(play.send(Self.startup()) == .admit)
    }

    @Test func `a wrong password is told by MD5, with the user whose secret may be old`() {
        let play = Play {
            $0.rules = [AuthenticationRule(method: .md5)]
            $0.users = [.init(name: "app", secret: "md5" + String(repeating: "0", count: 32))]
        }
        _ = play.send(Self.startup())
        #expect(play.admitted() == .wait)
        #expect(play.said().count == 13)
        guard case .end(let failure) = play.send(Message("p", Message.text("md5wrong")).bytes) else {
            Issue.record("accepted")
            return
        }
        #expect(failure.sqlState == "28P01" && failure.result == .badPassword)
        #expect(failure.mismatchedUser == "app")
        #expect(play.next() == .wait)
    }

    @Test func `a message that is no password, and one that is too long, end the login`() {
        for message in [Message("Q", Message.text("SELECT 1")).bytes, [0x70, 0, 1, 0, 0]] {
            let play = Play(
                {
                    $0.method = .scramSHA256
                    $0.users = [.init(name: "app", secret: "secret")]
                }, limit: 1000)
            _ = play.send(Self.startup())
            #expect(play.admitted() == .wait)
            guard case .end(let failure) = play.send(message) else {
                Issue.record("accepted")
                return
            }
            #expect(failure.sqlState == "08P01")
        }
    }
}
