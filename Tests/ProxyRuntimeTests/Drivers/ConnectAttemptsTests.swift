// SPDX-License-Identifier: Apache-2.0

import Logging
import ProxyConfiguration
import ProxyCore
import Testing
@testable import ProxyRuntime

/// The way from a TCP connection to one that may carry the protocol, with a server that is played.
struct ConnectAttemptsTests {
    private let id = ConnectionID(slot: 1, generation: 1)
    private let epoll: EpollSet
    private let listener: Socket
    private let address: SocketAddress
    private let request = Wire.int32(8) + Wire.int32(80_877_103)

    init() throws {
        epoll = try EpollSet()
        listener = try Socket.listening(
            on: #require(try SocketAddress.literal(host: "127.0.0.1", port: 0)))
        address = try #require(SocketAddress.local(of: listener.descriptor))
    }

    private func attempts(
        _ mode: ServerSSLMode, host: String = "db", isPeer: Bool = false
    ) throws -> ConnectAttempts {
        var settings = TLSStore.Settings()
        settings.server.mode = mode
        let store = try TLSStore(
            settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var attempts = ConnectAttempts(ShardTLS(store))
        attempts.begin(id, host: host, isPeer: isPeer)
        attempts.resolved(id, [address])
        return attempts
    }

    /// The next socket, watched.
    private func connect(_ attempts: inout ConnectAttempts) throws -> Socket {
        let socket = try attempts.next(id)
        try epoll.add(socket.descriptor, as: id)
        return socket
    }

    private func accept() -> Peer {
        while true {
            let (descriptor, _) = SocketAddress.accept(from: listener.descriptor)
            if descriptor >= 0 { return Peer(Socket(descriptor: descriptor)) }
        }
    }

    /// Passes events on until one of them leads somewhere.
    private func advance(
        _ attempts: inout ConnectAttempts, _ socket: Socket
    ) -> ConnectAttempts.Progress {
        for _ in 0..<400 {
            for index in 0..<epoll.wait(milliseconds: 50) {
                let progress = attempts.advance(id, socket, epoll.readiness(at: index))
                if case .waiting = progress { continue }
                return progress
            }
        }
        return .waiting
    }

    /// One round of events.
    private func step(_ attempts: inout ConnectAttempts, _ socket: Socket) {
        for index in 0..<epoll.wait(milliseconds: 1000) {
            let progress = attempts.advance(id, socket, epoll.readiness(at: index))
            guard case .waiting = progress else {
                Issue.record("\(progress)")
                return
            }
        }
    }

    private func isPlain(_ progress: ConnectAttempts.Progress) -> Bool {
        if case .connected(nil) = progress { true } else { false }
    }

    @Test func `without TLS a connection is there when it is connected`() throws {
        var attempts = try attempts(.disable)
        let socket = try connect(&attempts)
        #expect(isPlain(advance(&attempts, socket)))
        #expect(!attempts.isPending(id))
    }

    @Test(arguments: [(ServerSSLMode.prefer, true), (.require, false)])
    func `a server that says no will do for some`(mode: ServerSSLMode, isEnough: Bool) throws {
        var attempts = try attempts(mode)
        let socket = try connect(&attempts)
        step(&attempts, socket)
        let server = accept()
        #expect(server.receive(8) == request)
        #expect(server.send(Array("N".utf8)))
        let progress = advance(&attempts, socket)
        #expect(isPlain(progress) == isEnough)
        guard case .failed(let reason) = progress else { return }
        #expect(reason == "the server does not support SSL, but SSL was required")
    }

    @Test(arguments: [ServerSSLMode.prefer, .require])
    func `a failed handshake is repeated in clear by prefer alone`(mode: ServerSSLMode) throws {
        var attempts = try attempts(mode)
        let socket = try connect(&attempts)
        step(&attempts, socket)
        let server = accept()
        #expect(server.receive(8) == request)
        // What somebody sends in clear behind the answer is part of no conversation.
        #expect(server.send(Array("SE".utf8) + [UInt8](repeating: 0, count: 40)))
        let progress = advance(&attempts, socket)
        guard mode == .prefer else {
            guard case .failed(let reason) = progress else {
                Issue.record("\(progress)")
                return
            }
            #expect(reason.hasPrefix("TLS: "))
            return
        }
        guard case .failedHere = progress else {
            Issue.record("\(progress)")
            return
        }
        socket.close()
        let second = try connect(&attempts)
        #expect(isPlain(advance(&attempts, second)))
    }

    @Test(arguments: [ServerSSLMode.disable, .require])
    func `another martlet is asked for TLS and need not have it`(mode: ServerSSLMode) throws {
        var attempts = try attempts(mode, isPeer: true)
        let socket = try connect(&attempts)
        step(&attempts, socket)
        let peer = accept()
        #expect(peer.receive(8) == request)
        #expect(peer.send(Array("N".utf8)))
        #expect(isPlain(advance(&attempts, socket)))
    }

    @Test func `an answer that is none ends it`() throws {
        var attempts = try attempts(.prefer)
        let socket = try connect(&attempts)
        step(&attempts, socket)
        let server = accept()
        #expect(server.receive(8) == request)
        #expect(server.send(Array("E".utf8)))
        guard case .failed = advance(&attempts, socket) else {
            Issue.record("an error counts as an answer")
            return
        }
    }

    @Test func `a unix socket needs no TLS`() throws {
        var attempts = try attempts(.require, host: "/run/postgresql")
        let socket = try connect(&attempts)
        #expect(isPlain(advance(&attempts, socket)))
    }
}
