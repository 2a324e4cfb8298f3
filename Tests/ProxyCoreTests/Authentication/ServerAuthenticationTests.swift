// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import Testing

private let keys = ScramKeys(password: Array("pw".utf8), salt: [5, 6, 7, 8], iterations: 500)
private let md5 = Array("md5d41d8cd98f00b204e9800998ecf8427e".utf8)

/// Our side of a login and the bytes that it sent.
private struct Attempt: ~Copyable {
    var machine: ServerAuthentication
    var output = ByteQueue(pool: BytePool())

    init(
        _ credential: ServerCredential, channelBinding: [UInt8]? = nil, isEncrypted: Bool = false
    ) {
        machine = ServerAuthentication(
            user: "alice", credential: credential, nonce: [UInt8](repeating: 9, count: 18),
            channelBinding: channelBinding, isEncrypted: isEncrypted)
    }

    mutating func request(
        _ code: Int32, _ payload: [UInt8] = []
    ) throws(ServerAuthenticationFault) -> ServerAuthentication.Step {
        try receive([0, 0, 0, UInt8(code)] + payload)
    }

    mutating func receive(
        _ body: [UInt8]
    ) throws(ServerAuthenticationFault) -> ServerAuthentication.Step {
        unsafe try machine.received(body.span.bytes, into: &output)
    }

    mutating func fault(_ code: Int32, _ payload: [UInt8] = []) -> ServerAuthenticationFault? {
        do {
            _ = try request(code, payload)
            return nil
        } catch {
            return error
        }
    }

    /// The body of the one message that was sent.
    mutating func sent() -> [UInt8] {
        let bytes = [UInt8](copying: output.unread)
        output.removeAll()
        #expect(bytes.first == 0x70)
        #expect(bytes.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) } == bytes.count - 1)
        return Array(bytes.dropFirst(5))
    }
}

private let offer = Array("SCRAM-SHA-256\0\0".utf8)

@Suite struct ServerAuthenticationTests {
    @Test func `a server that trusts us asks nothing`() throws {
        var attempt = Attempt(.none)
        #expect(try attempt.request(0) == .authenticated)
        #expect(attempt.output.count == 0)
    }

    @Test(arguments: [ServerCredential.keys(keys), .password(Array("pw".utf8))])
    func `SCRAM runs to its end with keys or a password`(credential: ServerCredential) throws {
        var attempt = Attempt(credential)
        var server = ScramServer(
            secret: keys.secret, isGenuine: true, nonce: [UInt8](repeating: 1, count: 18))
        #expect(try attempt.request(10, offer) == .wait)
        let initial = attempt.sent()
        let prefix = Array("SCRAM-SHA-256\0".utf8)
        #expect(initial.starts(with: prefix))
        let first = Array(initial.dropFirst(prefix.count + 4))
        #expect(Int(initial[prefix.count + 3]) == first.count)
        #expect(try attempt.request(11, try server.received(first: first)) == .wait)
        guard case .accepted(let last, _) = try server.received(final: attempt.sent()) else {
            Issue.record("refused")
            return
        }
        #expect(try attempt.request(12, last) == .wait)
        #expect(try attempt.request(0) == .authenticated)
        #expect(attempt.machine.learned == keys)
    }

    @Test func `PLUS is chosen when both sides can, and its absence is mentioned`() throws {
        var attempt = Attempt(.keys(keys), channelBinding: [1])
        _ = try attempt.request(10, Array("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0".utf8))
        #expect(attempt.sent().starts(with: Array("SCRAM-SHA-256-PLUS\0".utf8)))
        attempt = Attempt(.keys(keys), channelBinding: [1])
        _ = try attempt.request(10, offer)
        #expect(String(decoding: attempt.sent(), as: UTF8.self).contains("y,,n=,r="))
    }

    @Test func `a server is not believed before it proved itself`() throws {
        var attempt = Attempt(.keys(keys))
        _ = try attempt.request(10, offer)
        #expect(attempt.fault(0)?.sqlState == "08P01")

        attempt = Attempt(.keys(keys))
        var server = ScramServer(
            secret: keys.secret, isGenuine: true, nonce: [UInt8](repeating: 1, count: 18))
        _ = try attempt.request(10, offer)
        let first = Array(attempt.sent().dropFirst("SCRAM-SHA-256\0".utf8.count + 4))
        _ = try attempt.request(11, try server.received(first: first))
        let before = attempt.machine
        #expect(attempt.fault(0)?.sqlState == "08P01")
        attempt.machine = before
        #expect(attempt.fault(12, Array("v=AAAA".utf8)) == .scram(.serverNotVerified))
    }

    @Test func `a new password at the server asks for a new look-up`() throws {
        var attempt = Attempt(.keys(keys))
        var server = ScramServer(
            secret: ScramKeys(password: [1], salt: [1], iterations: 2).secret, isGenuine: true,
            nonce: [UInt8](repeating: 1, count: 18))
        _ = try attempt.request(10, offer)
        let first = Array(attempt.sent().dropFirst("SCRAM-SHA-256\0".utf8.count + 4))
        let fault = attempt.fault(11, try server.received(first: first))
        #expect(fault == .scram(.secretChanged))
        #expect(fault?.needsNewSecret == true)
        #expect(attempt.output.count == 0)
    }

    @Test func `MD5 is answered with the stored hash or with the password`() throws {
        let salt: [UInt8] = [1, 2, 3, 4]
        let fromPassword = try #require(
            MD5Password.secret(password: Array("pw".utf8), user: "alice"))
        for (credential, secret) in [
            (ServerCredential.md5(md5), md5), (.password(Array("pw".utf8)), fromPassword),
        ] {
            var attempt = Attempt(credential)
            #expect(try attempt.request(5, salt) == .wait)
            let answer = try #require(MD5Password.response(secret: secret, salt: salt))
            #expect(attempt.sent() == answer + [0])
            #expect(try attempt.request(0) == .authenticated)
        }
    }

    // Edge cases: 17
    @Test func `a password leaves in clear text only where nobody can read it`() throws {
        var attempt = Attempt(.password(Array("pw".utf8)))
        #expect(attempt.fault(3) == .clearTextRefused)
        #expect(attempt.output.count == 0)
        attempt = Attempt(.password(Array("pw".utf8)), isEncrypted: true)
        #expect(try attempt.request(3) == .wait)
        #expect(attempt.sent() == Array("pw\0".utf8))
        #expect(try attempt.request(0) == .authenticated)
    }

    @Test func `a credential that does not fit is said to be unsuitable`() {
        let cases: [(ServerCredential, Int32, [UInt8])] = [
            (.none, 3, []), (.none, 5, [1, 2, 3, 4]), (.none, 10, offer), (.md5(md5), 10, offer),
            (.md5(md5), 3, []), (.keys(keys), 5, [1, 2, 3, 4]), (.keys(keys), 3, []),
        ]
        for (credential, code, payload) in cases {
            var attempt = Attempt(credential, isEncrypted: true)
            let fault = attempt.fault(code, payload)
            #expect(fault?.sqlState == "28000" && fault?.needsNewSecret == true)
            #expect(attempt.output.count == 0)
        }
    }

    @Test(arguments: [2, 6, 7, 8, 9, 13, 99] as [Int32])
    func `other methods are not supported`(code: Int32) {
        var attempt = Attempt(.password([1]))
        let fault = attempt.fault(code)
        #expect(fault?.sqlState == "0A000")
    }

    @Test func `requests out of form or out of order are violations`() throws {
        let cases: [(Int32, [UInt8])] = [
            (0, [1]), (3, [1]), (5, []), (5, [1, 2, 3]), (5, [1, 2, 3, 4, 5]), (10, []), (10, [0]),
            (10, Array("SCRAM-SHA-256\0".utf8)), (11, []), (12, []),
        ]
        for (code, payload) in cases {
            var attempt = Attempt(.password([1]), isEncrypted: true)
            let fault = attempt.fault(code, payload)
            #expect(fault?.sqlState == "08P01", "\(code) \(payload)")
        }
        var attempt = Attempt(.md5(md5))
        _ = try attempt.request(5, [1, 2, 3, 4])
        #expect(attempt.fault(5, [1, 2, 3, 4])?.sqlState == "08P01")
        // Once it has failed it stays failed.
        #expect(attempt.fault(0)?.sqlState == "08P01")
        #expect(throws: ServerAuthenticationFault.self) { try attempt.receive([0, 0, 0]) }
    }

    @Test func `a server with no mechanism of ours is not supported`() {
        var attempt = Attempt(.keys(keys))
        let fault = attempt.fault(10, Array("OAUTHBEARER\0\0".utf8))
        #expect(fault?.sqlState == "0A000")
    }

    @Test func `any request is survived`() {
        var random = SeededBytes(seed: 6)
        for _ in 0..<5_000 {
            var attempt = Attempt(.keys(keys))
            let code = Int32.random(in: 0...13, using: &random)
            let payload = random.mutation(of: offer)
            if attempt.fault(code, payload) == nil { #expect(code == 10) }
        }
    }
}
