// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

@testable import ProxyCore

@Suite struct ScramServerTests {
    private static let clientFirst = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    private static let serverFirst =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    private static let clientFinal =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    private static let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    private func server(
        isGenuine: Bool = true, channelBinding: [UInt8]? = nil, bindsChannel: Bool = false
    ) throws -> ScramServer {
        ScramServer(
            secret: try #require(ScramSecret(text: ScramSecretTests.pencil)), isGenuine: isGenuine,
            printableNonce: Array("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".utf8),
            channelBinding: channelBinding, bindsChannel: bindsChannel)
    }

    private func fault(
        of server: ScramServer, first message: String
    ) -> ScramFault? {
        var server = server
        do {
            _ = try server.received(first: Array(message.utf8))
            return nil
        } catch {
            return error
        }
    }

    private func fault(final message: String) throws -> ScramFault? {
        var server = try server()
        _ = try server.received(first: Array(Self.clientFirst.utf8))
        do throws(ScramFault) {
            _ = try server.received(final: Array(message.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test func `the example of RFC 7677 runs to its end, and gives the client's key`() throws {
        var server = try server()
        let reply = try server.received(first: Array(Self.clientFirst.utf8))
        #expect(reply == Array(Self.serverFirst.utf8))
        let verdict = try server.received(final: Array(Self.clientFinal.utf8))
        guard case .accepted(let message, let keys) = verdict else {
            Issue.record("refused")
            return
        }
        #expect(message == Array(Self.serverFinal.utf8))
        let salt = try #require(Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==".utf8))
        #expect(
            keys == ScramKeys(password: Array("pencil".utf8), salt: salt, iterations: 4096))
    }

    @Test func `a proof of one other bit is refused`() throws {
        var server = try server()
        _ = try server.received(first: Array(Self.clientFirst.utf8))
        let message = Self.clientFinal.replacing("p=dHzb", with: "p=eHzb")
        #expect(try server.received(final: Array(message.utf8)) == .rejected)
    }

    @Test func `the right proof does not help where the user does not exist`() throws {
        var server = try server(isGenuine: false)
        let reply = try server.received(first: Array(Self.clientFirst.utf8))
        #expect(reply == Array(Self.serverFirst.utf8))
        #expect(try server.received(final: Array(Self.clientFinal.utf8)) == .rejected)
    }

    @Test(arguments: ["n,,n=,r=abc", "y,,n=*,r=abc", "n,,n=u,r=abc,x=y", "n,,n=u,r=abc,x=,y=z"])
    func `variants that the RFC allows are accepted`(message: String) throws {
        #expect(fault(of: try server(), first: message) == nil)
    }

    @Test(arguments: [
        "", "n", "n,", "n,,", "n,,n", "n,,n=", "n,,n=u", "n,,n=u,", "n,,n=u,r", "n,,n=u,r=",
        "n,,n=u,r=a\u{7f}b", "n,,n=u,r=a b", "n,,n=u,r=é", "n,,r=abc", "n,,n=u,x=y,r=abc",
        "n,,n=u,r=abc,", "n,,n=u,r=abc,x", "n,,n=u,r=abc,1=y", "x,,n=u,r=abc", "n=u,r=abc",
        "n,x,n=u,r=abc", "n,,n=u,r=abc\0", "nn,,n=u,r=abc",
        "p=tls-server-end-point,,n=u,r=abc", "n,,n=u,r=" + String(repeating: "a", count: 1024),
    ])
    func `a malformed first message is a protocol violation`(message: String) throws {
        let fault = try #require(fault(of: try server(), first: message))
        #expect(fault.sqlState == "08P01")
    }

    @Test func `what PostgreSQL does not support is not supported`() throws {
        for message in ["n,a=other,n=u,r=abc", "n,,m=must,n=u,r=abc"] {
            #expect(fault(of: try server(), first: message)?.sqlState == "0A000")
        }
    }

    // Edge cases: 13
    @Test(arguments: [
        "", "c=biws", "c=biws,r=other,p=AAAA", "r=abc,p=AAAA",
        clientFinal.replacing("c=biws", with: "c=eSws"), clientFinal + "=",
        clientFinal.replacing("c=biws", with: "c=biws="), clientFinal + ",x=y",
        clientFinal.replacing(",p=dHzb", with: ",p="), clientFinal.replacing("p=", with: "q="),
        clientFinal.replacing(",p=", with: ",=x,p="), clientFinal + "\0", clientFinal + ",",
        clientFinal.replacing("k0,", with: "k,"), clientFinal.replacing("k0,", with: "k00,"),
        clientFinal.replacing("r=rO", with: "r=rP"),
    ])
    func `a malformed last message is a protocol violation`(message: String) throws {
        #expect(try fault(final: message)?.sqlState == "08P01")
    }

    @Test func `no message is taken twice or out of turn`() throws {
        var server = try server()
        #expect(throws: ScramFault.self) {
            try server.received(final: Array(Self.clientFinal.utf8))
        }
        server = try self.server()
        _ = try server.received(first: Array(Self.clientFirst.utf8))
        #expect(throws: ScramFault.self) {
            try server.received(first: Array(Self.clientFirst.utf8))
        }
        #expect(throws: ScramFault.self) {
            try server.received(final: Array(Self.clientFinal.utf8))
        }
    }

    // Edge cases: 13
    @Test func `a client that was not told of channel binding reveals the downgrade`() throws {
        let server = try server(channelBinding: [1, 2, 3])
        #expect(fault(of: server, first: "y,,n=,r=abc") == .downgraded)
        #expect(fault(of: server, first: "n,,n=,r=abc") == nil)
    }

    @Test func `with PLUS chosen the client must bind, to the end point`() throws {
        let server = try server(channelBinding: [1, 2, 3], bindsChannel: true)
        #expect(fault(of: server, first: "n,,n=,r=abc")?.sqlState == "08P01")
        #expect(fault(of: server, first: "y,,n=,r=abc")?.sqlState == "08P01")
        #expect(fault(of: server, first: "p=tls-unique,,n=,r=abc")?.sqlState == "08P01")
        #expect(fault(of: server, first: "p=tls-server-end-point,,n=,r=abc") == nil)
    }

    // Edge cases: 14
    @Test func `any message is survived`() throws {
        var random = SeededBytes(seed: 3)
        let genuine = try server()
        for _ in 0..<3_000 {
            var server = genuine
            let first = random.mutation(of: Array(Self.clientFirst.utf8))
            if let reply = try? server.received(first: first) { #expect(reply.count < 2_000) }
            server = genuine
            _ = try server.received(first: Array(Self.clientFirst.utf8))
            let final = random.mutation(of: Array(Self.clientFinal.utf8))
            let verdict = try? server.received(final: final)
            #expect(verdict == nil || verdict == .rejected || final == Array(Self.clientFinal.utf8))
        }
    }
}
