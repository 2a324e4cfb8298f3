// SPDX-License-Identifier: Apache-2.0

// Dispatch sources may be used from any thread; their overlay does not say so.
@unsafe @preconcurrency internal import Dispatch
internal import Glibc
internal import Synchronization

/// One listening socket and the queue on which its clients are accepted.
///
/// Without descriptors the kernel keeps a client in the queue and the listener readable, which would
/// be a busy loop of failing accepts. So one descriptor is held in reserve: it is given up to accept
/// the client, tell it 53300 and close it. Where even that fails the listener rests for a moment.
package final class Acceptor: Sendable {
    /// Takes a new client's socket, or refuses it with false.
    package typealias Take = @Sendable (Socket, _ peer: String) -> Bool

    private enum Phase {
        case open
        case accepting(any DispatchSourceRead)
        case stopped
    }

    /// Where it listens; the port is the real one where 0 was asked for.
    package let address: SocketAddress
    private let listener: Socket
    private let queue = DispatchQueue(label: "martlet.acceptor")
    private let phase = Mutex(Phase.open)
    private let reserve = Mutex<Int32>(-1)
    private let take: Take
    private let troubled: @Sendable (SocketError) -> Void
    /// Clients accepted before other work of the queue gets its turn.
    private static let batch = 64
    private static let rest = DispatchTimeInterval.milliseconds(100)

    /// Opens the listening socket; clients wait in the kernel until `start`.
    ///
    /// - Parameter troubled: told of each failure that operators should know, such as no descriptors.
    package init(
        on address: SocketAddress, take: @escaping Take,
        troubled: @escaping @Sendable (SocketError) -> Void = { _ in }
    ) throws(SocketError) {
        listener = try Socket.listening(on: address)
        self.address = SocketAddress.local(of: listener.descriptor) ?? address
        self.take = take
        self.troubled = troubled
        refillReserve()
    }

    package func start() {
        phase.withLock { phase in
            guard case .open = phase else { return }
            let source = DispatchSource.makeReadSource(
                fileDescriptor: listener.descriptor, queue: queue)
            source.setEventHandler { [self] in acceptBatch(source) }
            source.setCancelHandler { [self] in close() }
            source.activate()
            phase = .accepting(source)
        }
    }

    /// Stops listening, for good; connections that are open stay so.
    package func stop() {
        phase.withLock { phase in
            switch phase {
            case .open: close()
            case .accepting(let source): source.cancel()
            case .stopped: break
            }
            phase = .stopped
        }
    }

    private func close() {
        listener.close()
        giveUpReserve()
        if let path = address.path { _ = unsafe unlink(path) }
    }

    private func acceptBatch(_ source: any DispatchSourceRead) {
        for _ in 0..<Self.batch {
            let (descriptor, peer) = SocketAddress.accept(from: listener.descriptor)
            if descriptor >= 0 {
                admit(Socket(descriptor: descriptor), from: peer)
                continue
            }
            switch errno {
            case EAGAIN: return
            case EMFILE, ENFILE:
                troubled(.system("accept", errno))
                if !turnOneAway() { return takeRest(source) }
            case ENOBUFS, ENOMEM:
                troubled(.system("accept", errno))
                return takeRest(source)
            default:
                // Anything else concerns the one client that is already gone (accept(2)).
                continue
            }
        }
    }

    private func admit(_ socket: Socket, from peer: SocketAddress) {
        if !take(socket, peer.text) { refuse(socket) }
    }

    /// Uses the reserve to take the next client out of the queue and tell it; false if it cannot.
    private func turnOneAway() -> Bool {
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

    /// The source fires as long as clients wait, so it has to be silenced to rest.
    private func takeRest(_ source: any DispatchSourceRead) {
        source.suspend()
        queue.asyncAfter(deadline: .now() + Self.rest) { [self] in
            refillReserve()
            source.resume()
        }
    }

    private func refuse(_ socket: Socket) {
        _ = unsafe socket.send(Self.refusal.span.bytes)
        socket.shutDownWriting()
        socket.close()
    }

    @discardableResult
    private func giveUpReserve() -> Bool {
        reserve.withLock { reserve in
            guard reserve >= 0 else { return false }
            Glibc.close(reserve)
            reserve = -1
            return true
        }
    }

    private func refillReserve() {
        reserve.withLock { reserve in
            if reserve < 0 { reserve = unsafe Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
        }
    }

    /// An `ErrorResponse` that libpq and the drivers accept before they have sent anything.
    private static let refusal: [UInt8] = {
        let fields = ["SFATAL", "VFATAL", "C53300", "Msorry, too many clients already"]
        let body: [UInt8] = fields.flatMap { Array($0.utf8) + [0] } + [0]
        return [UInt8(ascii: "E"), 0, 0, 0, UInt8(body.count + 4)] + body
    }()
}
