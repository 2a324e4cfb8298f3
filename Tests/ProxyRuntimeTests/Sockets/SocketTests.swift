// SPDX-License-Identifier: Apache-2.0

import Glibc
import ProxyCore
import Testing
@testable import ProxyRuntime

struct SocketTests {
    private let near: Socket
    private let far: Socket

    init() throws { (near, far) = try Socket.pair() }

    private func receive(_ capacity: Int) -> ReceiveResult {
        var buffer = [UInt8](repeating: 0, count: capacity)
        return unsafe buffer.withUnsafeMutableBytes { unsafe near.receive(into: $0) }
    }

    @Test func `an empty socket has nothing`() {
        #expect(receive(8) == .nothing)
    }

    @Test func `a short read says that the kernel holds no more`() {
        #expect(Peer(far).send([1, 2, 3]))
        #expect(receive(8) == .received(3, drained: true))
    }

    @Test func `a read that fills the buffer may have left something`() {
        #expect(Peer(far).send([1, 2, 3, 4]))
        #expect(receive(2) == .received(2, drained: false))
        #expect(receive(8) == .received(2, drained: true))
    }

    @Test func `the end of the stream comes after the bytes`() {
        #expect(Peer(far).send([1]))
        far.close()
        #expect(receive(8) == .received(1, drained: true))
        #expect(receive(8) == .ended)
    }

    @Test func `a send that the kernel cannot take whole says so, and then takes nothing`() {
        let bytes = [UInt8](repeating: 7, count: 4 << 20)
        guard case .sent(let count, let full) = unsafe near.send(bytes.span.bytes) else {
            Issue.record("the send failed")
            return
        }
        #expect(full)
        #expect(count < bytes.count)
        #expect(unsafe near.send(bytes.span.bytes) == .sent(0, full: true))
    }

    @Test func `sending to a peer that is gone is an error and not a signal`() {
        far.close()
        #expect(unsafe near.send(([1, 2, 3] as [UInt8]).span.bytes) == .failed(EPIPE))
    }

    @Test func `a connect that is refused tells why`() throws {
        let listener = try Socket.listening(on: loopback())
        let address = try #require(SocketAddress.local(of: listener.descriptor))
        listener.close()
        #expect(throws: SocketError.system("connect", ECONNREFUSED)) {
            try Peer(connectingTo: address)
        }
    }

    // Edge cases: 113
    @Test func `a socket is watched as the policy says`() throws {
        let listener = try Socket.listening(on: loopback())
        defer { listener.close() }
        let address = try #require(SocketAddress.local(of: listener.descriptor))
        var policy = TCPPolicy()
        for (userTimeout, expected) in [(Instant.Span.zero, Int32(0)), (.milliseconds(1500), 1500)] {
            policy.keepaliveIdle = .seconds(7)
            policy.keepaliveInterval = .seconds(3)
            policy.keepaliveCount = 2
            policy.userTimeout = userTimeout
            let socket = try Socket.connecting(to: address, policy)
            defer { socket.close() }
            let tcp = Int32(IPPROTO_TCP)
            #expect(option(SOL_SOCKET, SO_KEEPALIVE, of: socket) == 1)
            #expect(option(tcp, TCP_NODELAY, of: socket) == 1)
            #expect(option(tcp, TCP_KEEPIDLE, of: socket) == 7)
            #expect(option(tcp, TCP_KEEPINTVL, of: socket) == 3)
            #expect(option(tcp, TCP_KEEPCNT, of: socket) == 2)
            #expect(option(tcp, TCP_USER_TIMEOUT, of: socket) == expected)
        }
    }

    private func option(_ level: Int32, _ name: Int32, of socket: Socket) -> Int32 {
        var value: Int32 = -1
        var size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe getsockopt(socket.descriptor, level, name, &value, &size)
        return value
    }

    private func loopback() throws -> SocketAddress {
        try #require(try SocketAddress.literal(host: "127.0.0.1", port: 0))
    }
}
