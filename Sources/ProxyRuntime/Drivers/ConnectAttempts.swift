// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// Connections to servers that cannot carry the protocol yet.
///
///     connecting ──▶ asking ──S──▶ handshaking ──▶ connected
///         │             └───N───────────────────────▶
///         └─────────────────────────────────────────▶
///
/// Addresses are tried in the resolver's order until one accepts. As in libpq, `prefer` connects
/// again without TLS where the handshake fails; other martlets are always connected to in that way.
/// Of the answer to the request exactly one byte is
/// read: whatever somebody puts behind it is taken for TLS, and fails (CVE-2021-23222).
package struct ConnectAttempts {
    /// How far a connection has come.
    package enum Progress {
        case waiting
        /// This socket is of no use; `next` gives another one.
        case failedHere
        case connected(TLSSession?)
        case failed(String)
    }

    private enum Phase {
        case connecting
        case asking
        case handshaking(TLSSession)
    }

    private struct Attempt {
        let host: String
        let mode: ServerSSLMode
        let isPeer: Bool
        var addresses: [SocketAddress] = []
        var remaining: ArraySlice<SocketAddress> = []
        var phase = Phase.connecting
        /// Why the last address was of no use.
        var failure: SocketError?
        /// TLS has been tried.
        var isPlain = false
    }

    private let tls: ShardTLS
    /// For sockets that are opened from now on.
    package var tcp = TCPPolicy()
    private var attempts: [ConnectionID: Attempt] = [:]

    package init(_ tls: ShardTLS) { self.tls = tls }

    /// Somebody wants a connection; its addresses are being looked up.
    package mutating func begin(_ id: ConnectionID, host: String, isPeer: Bool = false) {
        attempts[id] = Attempt(
            host: host, mode: isPeer ? .prefer : tls.serverMode, isPeer: isPeer)
    }

    /// Its addresses are known: `next`.
    package mutating func resolved(_ id: ConnectionID, _ addresses: [SocketAddress]) {
        attempts[id]?.addresses = addresses
        attempts[id]?.remaining = addresses[...]
    }

    /// The connection is there, or nobody wants it any more.
    package mutating func end(_ id: ConnectionID) { attempts[id] = nil }

    /// Whether it is being connected.
    package func isPending(_ id: ConnectionID) -> Bool { attempts[id] != nil }

    /// A socket that is connecting to the next address that can be tried at all.
    package mutating func next(_ id: ConnectionID) throws(SocketError) -> Socket {
        var failure = attempts[id]?.failure ?? .unresolvable(host: "server", reason: "no address")
        attempts[id]?.phase = .connecting
        while let address = attempts[id]?.remaining.popFirst() {
            do throws(SocketError) {
                return try Socket.connecting(to: address, tcp)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// Something changed on the socket that `next` gave.
    package mutating func advance(
        _ id: ConnectionID, _ socket: Socket, _ readiness: SocketReadiness
    ) -> Progress {
        guard let attempt = attempts[id] else { return .waiting }
        let progress: Progress
        switch attempt.phase {
        case .connecting:
            guard readiness.contains(.writable) || !readiness.isDisjoint(with: .ending) else {
                return .waiting
            }
            if let failure = socket.connectFailure() {
                attempts[id]?.failure = failure
                return .failedHere
            }
            progress = ask(id, attempt, socket)
        case .asking:
            guard !readiness.isDisjoint(with: .worthReading) else { return .waiting }
            progress = answered(id, attempt, socket)
        case .handshaking(let session):
            if readiness.contains(.writable) { _ = session.sendUnsent(to: socket) }
            progress = shakeHands(id, session, socket)
        }
        if case .connected = progress { end(id) }
        return progress
    }

    // MARK: -

    private mutating func ask(
        _ id: ConnectionID, _ attempt: Attempt, _ socket: Socket
    ) -> Progress {
        // As in libpq, a socket of this machine needs no encryption.
        guard attempt.mode.asks, !attempt.isPlain, !attempt.host.hasPrefix("/") else {
            return .connected(nil)
        }
        // Eight bytes always fit into the buffer of a new socket.
        guard case .sent(Self.request.count, _) = unsafe socket.send(Self.request.span.bytes) else {
            return .failedHere
        }
        attempts[id]?.phase = .asking
        return .waiting
    }

    private mutating func answered(
        _ id: ConnectionID, _ attempt: Attempt, _ socket: Socket
    ) -> Progress {
        var answer: UInt8 = 0
        let result = unsafe withUnsafeMutableBytes(of: &answer) { unsafe socket.receive(into: $0) }
        switch result {
        case .nothing: return .waiting
        case .ended: return .failed("the server closed the connection")
        case .failed(let code): return .failed(SocketError.text(of: code))
        case .received: break
        }
        switch answer {
        case UInt8(ascii: "S"):
            do throws(TLSFault) {
                let session = try attempt.isPeer
                    ? tls.sessionOfPeer() : tls.sessionOfServer(host: attempt.host)
                session.begin(on: socket)
                attempts[id]?.phase = .handshaking(session)
                // What came along with the answer makes no edge of its own.
                return shakeHands(id, session, socket)
            } catch {
                return .failed("TLS: \(error)")
            }
        case UInt8(ascii: "N") where attempt.mode.acceptsPlain:
            return .connected(nil)
        case UInt8(ascii: "N"):
            return .failed("the server does not support SSL, but SSL was required")
        default:
            return .failed("unexpected response to SSLRequest")
        }
    }

    private mutating func shakeHands(
        _ id: ConnectionID, _ session: TLSSession, _ socket: Socket
    ) -> Progress {
        let result = unsafe withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 16) {
            buffer in
            while true {
                let result = unsafe session.receive(from: socket, into: buffer)
                // Nothing is decrypted before the handshake is over.
                guard case .received(_, false) = result, !session.isEstablished else {
                    return result
                }
            }
        }
        if session.isEstablished { return .connected(session) }
        switch result {
        case .received, .nothing: return .waiting
        case .ended: return retryPlain(id, "the server closed the connection in the handshake")
        case .failed(let code):
            return retryPlain(id, session.fault ?? SocketError.text(of: code))
        }
    }

    private mutating func retryPlain(_ id: ConnectionID, _ reason: String) -> Progress {
        guard let attempt = attempts[id], attempt.mode == .prefer else {
            return .failed("TLS: \(reason)")
        }
        attempts[id]?.isPlain = true
        resolved(id, attempt.addresses)
        return .failedHere
    }

    /// `SSLRequest`.
    private static let request: [UInt8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]
}
