// SPDX-License-Identifier: Apache-2.0

import Foundation
@testable import ProxyRuntime

/// The other end of a connection under test: blocking calls that give up instead of hanging.
struct Peer {
    let socket: Socket
    /// Set by `secure`. Tests use a peer on one thread at a time.
    nonisolated(unsafe) private(set) var session: TLSSession?
    /// Far beyond what any machine needs; only a test that fails waits this long.
    private static let patience: Int32 = 20_000

    init(_ socket: Socket) { self.socket = socket }

    /// Connects to a listener of this machine.
    init(connectingTo address: SocketAddress) throws {
        socket = try Socket.connecting(to: address)
        if !wait(for: POLLOUT) { throw SocketError.system("connect", ETIMEDOUT) }
        if let failure = socket.connectFailure() { throw failure }
    }

    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard wait(for: POLLOUT),
                case .sent(let count, _) = unsafe channel.send(rest.span.bytes)
            else { return false }
            rest = rest.dropFirst(count)
        }
        // What TLS has made of it may not have left yet.
        while channel.hasUnsent {
            guard wait(for: POLLOUT), case .sent = channel.send(RawSpan()) else { return false }
        }
        return true
    }

    /// Speaks TLS from here on; false where the handshake fails.
    mutating func secure(_ context: TLSContext, host: String? = nil) throws -> Bool {
        let session = try TLSSession(context, records: RecordBuffer(), host: host)
        if !context.isServer { session.begin(on: socket) }
        unsafe self.session = session
        var nothing: [UInt8] = [0]
        while !session.isEstablished {
            guard wait(for: POLLIN) else { return false }
            let result = unsafe nothing.withUnsafeMutableBytes {
                unsafe session.receive(from: socket, into: $0)
            }
            switch result {
            case .received, .nothing: break
            case .ended, .failed: return false
            }
        }
        return true
    }

    private var channel: Channel { Channel(socket, unsafe session) }

    /// So many bytes, or fewer where the stream ends before.
    func receive(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, let more = receiveSome(atMost: count - bytes.count) {
            bytes += more
        }
        return bytes
    }

    /// Everything up to the end of the stream.
    func receiveAll() -> [UInt8] { receive(.max) }

    /// Whether the stream has ended, in any way.
    var hasEnded: Bool { receiveSome(atMost: 1) == nil }

    func close() { channel.close() }

    private func receiveSome(atMost count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: min(count, 1 << 16))
        while true {
            // TLS may have some already, of which poll knows nothing.
            if unsafe session == nil, !wait(for: POLLIN) { return nil }
            let result = unsafe bytes.withUnsafeMutableBytes { unsafe channel.receive(into: $0) }
            switch result {
            case .received(0, _): continue
            case .received(let count, _): return Array(bytes.prefix(count))
            case .nothing: if !wait(for: POLLIN) { return nil }
            case .ended, .failed: return nil
            }
        }
    }

    private func wait(for events: Int32) -> Bool {
        var descriptor = pollfd(fd: socket.descriptor, events: Int16(events), revents: 0)
        return unsafe poll(&descriptor, 1, Self.patience) == 1
    }
}

/// Runs a test's blocking calls on a thread of their own, so that tests never fill the pool on
/// which everything that they wait for has to run.
func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}
