// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing
@testable import ProxyRuntime

/// Two sessions on a pair of sockets, each with a record buffer of its own.
struct TLSSessionTests {
    private let files: TestCertificates
    private let buffer = Buffer(256 << 10)

    @safe private final class Buffer {
        private let bytes: UnsafeMutableRawBufferPointer

        init(_ size: Int) { unsafe bytes = .allocate(byteCount: size, alignment: 16) }

        deinit { unsafe bytes.deallocate() }

        func prefix(_ count: Int) -> [UInt8] { unsafe Array(bytes.prefix(count)) }

        func receive(_ session: TLSSession, from socket: Socket) -> ReceiveResult {
            unsafe session.receive(from: socket, into: bytes)
        }

        func receive(from socket: Socket) -> ReceiveResult { unsafe socket.receive(into: bytes) }
    }

    init() throws { files = try TestCertificates() }

    /// One end: a socket with its session.
    private struct End {
        let socket: Socket
        let session: TLSSession

        func receive(into buffer: Buffer) -> ReceiveResult {
            buffer.receive(session, from: socket)
        }

        func send(_ bytes: [UInt8]) -> SendResult {
            unsafe session.send(bytes.span.bytes, to: socket)
        }
    }

    private func clients(
        _ file: String = "server", authority: String? = nil,
        _ change: (inout ClientTLSSettings) -> Void = { _ in }
    ) throws -> TLSContext {
        var settings = ClientTLSSettings()
        settings.files = TLSFiles(
            authority: authority.map { files.path("\($0).crt") },
            certificate: files.path("\(file).crt"), key: files.path("\(file).key"))
        change(&settings)
        return try TLSContext(forClients: settings, asksForCertificate: authority != nil)
    }

    private func servers(
        _ mode: ServerSSLMode = .require, authority: String? = nil, certificate: String? = nil
    ) throws -> TLSContext {
        var settings = ServerTLSSettings()
        settings.mode = mode
        settings.files = TLSFiles(
            authority: authority.map { files.path("\($0).crt") },
            certificate: certificate.map { files.path("\($0).crt") },
            key: certificate.map { files.path("\($0).key") })
        return try TLSContext(forServers: settings)
    }

    private func pair(
        _ accepting: TLSContext, _ opening: TLSContext, host: String = "localhost"
    ) throws -> (End, End) {
        let (near, far) = try Socket.pair()
        return (
            End(
                socket: near, session: try TLSSession(accepting, records: RecordBuffer())),
            End(
                socket: far, session: try TLSSession(opening, records: RecordBuffer(), host: host))
        )
    }

    /// Lets both sides speak until both are done, or one has failed.
    private func shakeHands(_ a: End, _ b: End) {
        b.session.begin(on: b.socket)
        for _ in 0..<20 where a.session.fault == nil && b.session.fault == nil {
            _ = a.receive(into: buffer)
            _ = b.receive(into: buffer)
        }
    }

    private func established() throws -> (End, End) {
        try files.makeAuthority()
        try files.make("server")
        let (a, b) = try pair(clients(), servers())
        shakeHands(a, b)
        #expect(a.session.isEstablished && b.session.isEstablished)
        return (a, b)
    }

    @Test func `bytes arrive as they were sent, in both directions`() throws {
        let (a, b) = try established()
        for (from, to) in [(a, b), (b, a)] {
            let text = Array("SELECT 'a quite ordinary statement'".utf8)
            let sent = from.send(text)
            #expect(sent == .sent(text.count, full: false))
            #expect(to.receive(into: buffer) == .received(text.count, drained: true))
            #expect(buffer.prefix(text.count) == text)
            #expect(to.receive(into: buffer) == .nothing)
        }
        #expect(a.session.encryption.version == "TLSv1.3")
        #expect(a.session.encryption.hasAgreedProtocol)
        #expect(a.session.encryption.certificateName == nil)
    }

    @Test func `a slow receiver stops the sender, and nothing is lost or said twice`() throws {
        let (a, b) = try established()
        let everything = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        var sent = 0
        var got: [UInt8] = []
        var stops = 0
        while got.count < everything.count {
            while sent < everything.count {
                let result = a.send(Array(everything[sent...].prefix(1 << 20)))
                guard case .sent(let count, let full) = result else {
                    throw SocketError.system("send", 0)
                }
                sent += count
                if full {
                    stops += 1
                    break
                }
            }
            // One edge's worth: so long as there may be more without another one.
            while case .received(let count, let drained) = b.receive(into: buffer) {
                got += buffer.prefix(count)
                if drained { break }
            }
            _ = a.session.sendUnsent(to: a.socket)
        }
        #expect(stops > 0)
        #expect(got == everything)
    }

    @Test func `records that come a byte at a time are read when they are whole`() throws {
        let (a, b) = try established()
        let (from, to) = try Socket.pair()
        let text = [UInt8](repeating: 7, count: 100)
        _ = a.send(text)
        guard case .received(let count, _) = buffer.receive(from: b.socket) else {
            throw SocketError.system("recv", 0)
        }
        let record = buffer.prefix(count)
        for byte in record.dropLast() {
            _ = unsafe from.send([byte].span.bytes)
            #expect(buffer.receive(b.session, from: to) == .received(0, drained: true))
        }
        _ = unsafe from.send(Array(record.suffix(1)).span.bytes)
        #expect(buffer.receive(b.session, from: to) == .received(100, drained: true))
    }

    @Test func `a small buffer gets the rest without another edge`() throws {
        let (a, b) = try established()
        let text = (0..<40_000).map { UInt8(truncatingIfNeeded: $0) }
        _ = a.send(text)
        let small = Buffer(1000)
        var got: [UInt8] = []
        while case .received(let count, let drained) = b.receive(into: small) {
            got += small.prefix(count)
            if drained { break }
        }
        #expect(got == text)
    }

    // Edge cases: 113
    @Test func `the end of the stream is told by close_notify`() throws {
        let (a, b) = try established()
        _ = a.send([1, 2, 3])
        a.session.sayGoodbye(to: a.socket)
        #expect(b.receive(into: buffer) == .received(3, drained: false))
        #expect(b.receive(into: buffer) == .ended)
    }

    @Test func `garbage fails the handshake with an alert`() throws {
        try files.makeAuthority()
        try files.make("server")
        let (near, far) = try Socket.pair()
        let (_, b) = try pair(clients(), servers())
        b.session.begin(on: far)
        guard case .received(let length, _) = buffer.receive(from: near) else {
            throw SocketError.system("recv", 0)
        }
        var hello = buffer.prefix(length)
        // No client begins with this message.
        hello[5] = 14
        let session = try TLSSession(clients(), records: RecordBuffer(), early: hello)
        #expect(buffer.receive(session, from: near) == .failed(71))
        #expect(session.fault != nil)
        guard case .received(let count, _) = buffer.receive(from: far) else {
            Issue.record("no alert: \(session.fault ?? "")")
            return
        }
        // An alert record.
        #expect(count > 0 && buffer.prefix(1) == [21])
    }

    @Test func `a session goes on with the buffer of another shard`() throws {
        let (a, b) = try established()
        b.session.move(to: RecordBuffer())
        _ = a.send([1, 2, 3])
        #expect(b.receive(into: buffer) == .received(3, drained: true))
        _ = b.send([4, 5])
        #expect(a.receive(into: buffer) == .received(2, drained: true))
    }

    @Test func `ciphers that OpenSSL does not know are an error`() throws {
        try files.makeAuthority()
        try files.make("server")
        #expect(throws: TLSFault.self) { try clients { $0.ciphers = "NO-SUCH-CIPHER" } }
    }

    // MARK: Certificates

    @Test(arguments: [
        (ServerSSLMode.require, nil, "localhost", "localhost", true),
        (.require, "other", "localhost", "localhost", false),
        (.verifyCA, "ca", "localhost", "elsewhere", true),
        (.verifyCA, "other", "localhost", "localhost", false),
        (.verifyFull, "ca", "localhost", "localhost", true),
        (.verifyFull, "ca", "localhost", "elsewhere", false),
        (.verifyFull, "ca", "localhost", "127.0.0.1", true),
        (.verifyFull, "ca", "localhost", "127.0.0.2", false),
        (.verifyFull, "ca", "db.example.org", "127.0.0.1", true),
    ])
    func `a server is believed as sslmode says`(
        mode: ServerSSLMode, authority: String?, name: String, host: String, isGood: Bool
    ) throws {
        try files.makeAuthority()
        try files.makeAuthority("other")
        try files.make("server", name: name)
        let (a, b) = try pair(clients(), servers(mode, authority: authority), host: host)
        shakeHands(a, b)
        #expect(b.session.isEstablished == isGood)
        #expect((b.session.fault?.contains("certificate verify failed") ?? false) == !isGood)
    }

    @Test(arguments: [("ca", true), ("other", false)])
    func `a client's certificate must come from the named authority`(
        authority: String, isGood: Bool
    ) throws {
        try files.makeAuthority()
        try files.makeAuthority("other")
        try files.make("server")
        try files.make("client", name: "alice", by: authority)
        let (a, b) = try pair(clients(authority: "ca"), servers(certificate: "client"))
        shakeHands(a, b)
        #expect(a.session.isEstablished == isGood)
        if isGood { #expect(a.session.encryption.certificateName == "alice") }
    }

    @Test func `who shows no certificate is known to have shown none`() throws {
        try files.makeAuthority()
        try files.make("server")
        let (a, b) = try pair(clients(authority: "ca"), servers())
        shakeHands(a, b)
        #expect(a.session.isEstablished)
        #expect(a.session.encryption.certificateName == nil)
    }

    @Test(arguments: [
        ("sha1", ["rsa:2048"], "sha256"), ("sha256", ["rsa:2048"], "sha256"),
        ("sha384", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "sha384"),
        ("sha512", ["rsa:2048"], "sha512"),
    ])
    func `the channel is bound to the hash of the certificate's signature, or better`(
        signature: String, key: [String], digest: String
    ) throws {
        try files.makeAuthority()
        try files.make("server", key: key, digest: signature)
        // SHA-1 is refused at the usual security level; who insists can have it.
        let (a, b) = try pair(
            clients { $0.ciphers = "DEFAULT:@SECLEVEL=0" }, servers())
        shakeHands(a, b)
        let expected = try files.fingerprint("server", digest)
        #expect(a.session.encryption.channelBinding == expected)
        #expect(b.session.encryption.channelBinding == expected)
    }
}
