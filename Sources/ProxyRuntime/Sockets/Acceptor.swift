// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// One listening socket, for whoever owns it to accept clients from.
///
/// Without descriptors the kernel keeps a client in the queue, which would be a busy loop of failing
/// accepts. So one descriptor is held in reserve: it is given up to accept the client, tell it 53300
/// and close it. Where even that fails the owner rests for a moment.
package struct Acceptor: Sendable {
    /// How a batch ended.
    package enum Outcome {
        /// Nobody waits; the next client makes an event.
        case drained
        /// More may wait, and their events have been.
        case mayHaveMore
        /// The system has no means for another client now; more may wait.
        case mustRest
    }

    /// Where it listens; the port is the real one where 0 was asked for.
    package let address: SocketAddress
    /// Nonblocking; readable when a client waits.
    package let listener: Socket
    private var reserve: Int32 = -1
    private let troubled: @Sendable (SocketError) -> Void
    /// Clients accepted before other work gets its turn.
    private static let batch = 64

    /// Opens the listening socket; clients wait in the kernel until they are accepted.
    ///
    /// - Parameter troubled: told of each failure that operators should know, such as no descriptors.
    package init(
        on address: SocketAddress,
        troubled: @escaping @Sendable (SocketError) -> Void = { _ in }
    ) throws(SocketError) {
        listener = try Socket.listening(on: address)
        self.address = SocketAddress.local(of: listener.descriptor) ?? address
        self.troubled = troubled
        refillReserve()
    }

    /// Stops listening, for good; connections that are open stay so.
    package mutating func close() {
        listener.close()
        giveUpReserve()
        if let path = address.path { _ = unsafe unlink(path) }
    }

    /// Something beside `accept` failed for which an operator should look.
    package func isTroubled(by error: SocketError) { troubled(error) }

    /// Accepts those who wait, as long as others may wait for it.
    ///
    /// - Parameter take: gets a client's socket and address, or refuses it with false.
    package mutating func acceptBatch(_ take: (Socket, _ peer: String) -> Bool) -> Outcome {
        refillReserve()
        for _ in 0..<Self.batch {
            let (descriptor, peer) = SocketAddress.accept(from: listener.descriptor)
            if descriptor >= 0 {
                let socket = Socket(descriptor: descriptor)
                if !take(socket, peer.text) { refuse(socket) }
                continue
            }
            switch errno {
            case EAGAIN: return .drained
            case EMFILE, ENFILE:
                troubled(.system("accept", errno))
                if !turnOneAway() { return .mustRest }
            case ENOBUFS, ENOMEM:
                troubled(.system("accept", errno))
                return .mustRest
            default:
                // Anything else concerns the one client that is already gone (accept(2)).
                continue
            }
        }
        return .mayHaveMore
    }

    /// Uses the reserve to take the next client out of the queue and tell it; false if it cannot.
    private mutating func turnOneAway() -> Bool {
        guard giveUpReserve() else {
            refillReserve()
            return false
        }
        let (descriptor, _) = SocketAddress.accept(from: listener.descriptor)
        let succeeded = descriptor >= 0
        if succeeded { refuse(Socket(descriptor: descriptor)) }
        refillReserve()
        return succeeded
    }

    private func refuse(_ socket: Socket) {
        _ = unsafe socket.send(Self.refusal.span.bytes)
        socket.shutDownWriting()
        socket.close()
    }

    @discardableResult
    private mutating func giveUpReserve() -> Bool {
        guard reserve >= 0 else { return false }
        Glibc.close(reserve)
        reserve = -1
        return true
    }

    private mutating func refillReserve() {
        if reserve < 0 { reserve = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
    }

    /// An `ErrorResponse` that libpq and the drivers accept before they have sent anything.
    private static let refusal: [UInt8] = {
        let fields = ["SFATAL", "VFATAL", "C53300", "Msorry, too many clients already"]
        let body: [UInt8] = fields.flatMap { Array($0.utf8) + [0] } + [0]
        return [UInt8(ascii: "E"), 0, 0, 0, UInt8(body.count + 4)] + body
    }()
}
