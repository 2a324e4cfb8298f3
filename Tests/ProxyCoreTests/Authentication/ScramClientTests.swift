// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import Testing

@Suite struct ScramClientTests {
    private static let salt = [UInt8](1...16)
    private static let keys = ScramKeys(
        password: Array("pencil".utf8), salt: salt, iterations: 4096)

    private func client(
        _ credential: ScramClient.Credential = .keys(keys),
        binding: ScramClient.ChannelBinding = .none
    ) -> ScramClient {
        ScramClient(
            credential: credential, nonce: [UInt8](repeating: 3, count: 18),
            channelBinding: binding)
    }

    private func server(
        secret: ScramSecret = keys.secret, channelBinding: [UInt8]? = nil, binds: Bool = false
    ) -> ScramServer {
        ScramServer(
            secret: secret, isGenuine: true, nonce: [UInt8](repeating: 4, count: 18),
            channelBinding: channelBinding, bindsChannel: binds)
    }

    private func firstFault(_ text: (String) -> String) -> ScramFault? {
        var client = client()
        let nonce = String(decoding: client.start().dropFirst("n,,n=,r=".count), as: UTF8.self)
        do {
            _ = try client.received(first: Array(text(nonce).utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ScramClient.Credential.password(Array("pencil".utf8)), .keys(keys),
    ])
    func `client and server agree, and the client learns its keys`(
        credential: ScramClient.Credential
    ) throws {
        var (client, server) = (client(credential), server())
        let answer = try client.received(first: try server.received(first: client.start()))
        guard case .accepted(let message, let keys) = try server.received(final: answer) else {
            Issue.record("refused")
            return
        }
        try client.received(final: message)
        #expect(keys == Self.keys)
        #expect(client.keys == Self.keys)
    }

    @Test func `they agree bound to the same channel, and not bound to different ones`() throws {
        for (end, accepted) in [([7, 8] as [UInt8], true), ([7, 9], false)] {
            var client = client(binding: .endPoint([7, 8]))
            var server = server(channelBinding: end, binds: true)
            let answer = try client.received(first: try server.received(first: client.start()))
            let verdict = try? server.received(final: answer)
            #expect((verdict != nil) == accepted)
        }
    }

    @Test func `a client that could bind says so`() {
        var client = client(binding: .notOffered)
        #expect(client.start().starts(with: Array("y,,n=,r=".utf8)))
    }

    @Test func `a wrong password is refused`() throws {
        var (client, server) = (client(.password(Array("Pencil".utf8))), server())
        let answer = try client.received(first: try server.received(first: client.start()))
        #expect(try server.received(final: answer) == .rejected)
    }

    // Edge cases: 15
    @Test func `a server with another salt or other iterations is told apart unanswered`() throws {
        for other in [
            ScramKeys(password: Array("pencil".utf8), salt: [9, 9], iterations: 4096),
            ScramKeys(password: Array("pencil".utf8), salt: Self.salt, iterations: 4097),
        ] {
            var (client, server) = (client(), server(secret: other.secret))
            let challenge = try server.received(first: client.start())
            #expect(throws: ScramFault.secretChanged) { try client.received(first: challenge) }
        }
    }

    @Test func `a server that does not know the secret is found out`() throws {
        let forged = ScramSecret(
            iterations: 4096, salt: Self.salt, storedKey: Self.keys.secret.storedKey,
            serverKey: [UInt8](repeating: 0, count: 32))
        var (client, server) = (client(), server(secret: forged))
        let answer = try client.received(first: try server.received(first: client.start()))
        guard case .accepted(let message, _) = try server.received(final: answer) else {
            Issue.record("refused")
            return
        }
        #expect(throws: ScramFault.serverNotVerified) { try client.received(final: message) }
    }

    @Test func `malformed first messages of a server are refused`() {
        let salt = "s=AQIDBAUGBwgJCgsMDQ4PEA=="
        #expect(firstFault { "r=\($0)x,\(salt),i=4096" } == nil)
        #expect(firstFault { "r=\($0)x,\(salt),i=4096,x=y" } == nil)
        let bad: [(String) -> String] = [
            { _ in "" }, { "r=\($0),\(salt),i=4096" }, { _ in "r=other,\(salt),i=4096" },
            { "r=\($0)x" }, { "r=\($0)x,s=,i=4096" }, { "r=\($0)x,s=A,i=4096" },
            { "r=\($0)x,\(salt),i=" }, { "r=\($0)x,\(salt),i=0" }, { "r=\($0)x,\(salt),i=-1" },
            { "r=\($0)x,\(salt),i=4096x" }, { "r=\($0)x,\(salt),i=2147483648" },
            { "r=\($0)x,\(salt),i=4096," }, { "\(salt),r=\($0)x,i=4096" },
            { "r=\($0)\u{1},\(salt),i=4096" }, { "r=\($0)x,\(salt),i=4096\0" },
            { "r=\($0)\(String(repeating: "x", count: 1024)),\(salt),i=4096" },
        ]
        for text in bad {
            let fault = firstFault(text)
            #expect(fault?.sqlState == "08P01", "\(text("N"))")
        }
        #expect(firstFault { "m=x,r=\($0)x,\(salt),i=4096" }?.sqlState == "0A000")
        #expect(firstFault { _ in "e=other-error" } == .refusedByServer("other-error"))
    }

    // Edge cases: 14
    @Test func `no server makes us work without end`() throws {
        var client = client(.password([1]))
        let nonce = String(decoding: client.start().dropFirst("n,,n=,r=".count), as: UTF8.self)
        let message = Array("r=\(nonce)x,s=AQID,i=2000000000".utf8)
        #expect(throws: ScramFault.tooManyIterations(2_000_000_000)) {
            try client.received(first: message)
        }
    }

    @Test func `malformed last messages of a server are refused`() throws {
        let faults: [(String, ScramFault?)] = [
            ("e=invalid-proof", .refusedByServer("invalid-proof")),
            ("e=a\u{1b}[2Jb", .refusedByServer("a?[2Jb")), ("v=", .serverNotVerified),
            ("v=AAAA", .serverNotVerified), ("v=A", nil), ("", nil), ("x=y", nil), ("v", nil),
        ]
        for (text, expected) in faults {
            var (client, server) = (client(), server())
            _ = try client.received(first: try server.received(first: client.start()))
            let fault = #expect(throws: ScramFault.self) {
                try client.received(final: Array(text.utf8))
            }
            #expect(expected == nil ? fault?.sqlState == "08P01" : fault == expected)
        }
    }

    // Edge cases: 14
    @Test func `any challenge is survived`() throws {
        var random = SeededBytes(seed: 4)
        for _ in 0..<2_000 {
            var (client, server) = (client(), server())
            let challenge = try server.received(first: client.start())
            let mutated = random.mutation(of: challenge)
            if let answer = try? client.received(first: mutated), mutated != challenge {
                // Only the nonce's tail, or an extension, may differ; then the server objects.
                #expect((try? server.received(final: answer)) == nil)
            }
        }
    }
}
