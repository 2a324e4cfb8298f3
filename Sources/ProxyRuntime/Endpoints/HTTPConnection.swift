// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc
internal import ProxyCore

/// One client of the HTTP endpoint: its socket, what it asked so far, what it is still owed.
///
///     readingHead ──▶ handling ──▶ writing ──▶ lingering ──▶ closed
///          ▲                          │
///          ╰──────── kept open ───────╯
///
/// Confined to the endpoint's queue. It never blocks, and every phase has a deadline that the
/// endpoint enforces. After a last answer it lingers: closing a socket with unread input would
/// send a reset, and the client might never see the answer (RFC 9112, section 9.6).
final class HTTPConnection {
    /// Where it is in the picture above.
    enum Phase {
        case readingHead
        case handling
        case writing
        case lingering
        case closed
    }

    /// What the endpoint has to do next.
    enum Step {
        case none
        case handle(HTTPRequest)
        case forget
    }

    private(set) var phase = Phase.readingHead
    /// When the endpoint gives up on the present phase (monotonic nanoseconds).
    private(set) var deadline: UInt64
    /// Counts requests, so that a late answer is known for one.
    private(set) var exchange: UInt64 = 0

    private let descriptor: Int32
    /// The same socket, and its TLS session where it has one.
    private let channel: Channel
    private let refuse: (HTTPStatus) -> HTTPResponse
    private let queue: DispatchQueue
    private let limits: HTTPLimits
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var sent = 0
    private var request: HTTPRequest?
    private var keepsAlive = true
    private var sawEnd = false
    private var lingered = 0
    private var readSource: (any DispatchSourceRead)?
    private var writeSource: (any DispatchSourceWrite)?
    /// Sources whose cancellation is not complete; the descriptor outlives them all.
    private var openSources = 0
    private let onReady: (Readiness) -> Void

    /// What Dispatch says of the socket.
    enum Readiness {
        case readable, writable
    }

    init(
        descriptor: Int32, session: TLSSession?, queue: DispatchQueue, limits: HTTPLimits,
        now: UInt64, refuse: @escaping (HTTPStatus) -> HTTPResponse,
        onReady: @escaping (Readiness) -> Void
    ) {
        self.descriptor = descriptor
        self.refuse = refuse
        channel = Channel(Socket(descriptor: descriptor), session)
        self.queue = queue
        self.limits = limits
        self.onReady = onReady
        deadline = now + limits.headTimeout.nanoseconds
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { onReady(.readable) }
        source.setCancelHandler { [self] in sourceEnded() }
        openSources += 1
        readSource = source
        source.activate()
    }

    /// Whether it may be dropped for a newcomer: it is owed nothing.
    var isExpendable: Bool {
        switch phase {
        case .readingHead, .lingering: true
        case .handling, .writing, .closed: false
        }
    }

    /// The socket has something to read, or the client has finished sending.
    func readable(now: UInt64) -> Step {
        let wasEmpty = input.isEmpty
        guard receive() else { return end() }
        if channel.hasUnsent { awaitRoom() }
        switch phase {
        case .readingHead:
            // From the first byte on the head has its own time: a slow writer gains none.
            if wasEmpty && !input.isEmpty { deadline = now + limits.headTimeout.nanoseconds }
            return parse(now: now)
        case .handling, .writing:
            // It may send the next request early, or close its side; both can wait.
            return .none
        case .lingering:
            return sawEnd || lingered > limits.lingerBytes ? end() : .none
        case .closed:
            return .none
        }
    }

    /// There is an answer for the request that is being handled.
    func answered(_ response: HTTPResponse, now: UInt64) -> Step {
        guard case .handling = phase, let request else { return .none }
        keepsAlive = request.keepsAlive && !sawEnd
        return write(response, isHead: request.method == .head, now: now)
    }

    /// The socket takes bytes again.
    func writable(now: UInt64) -> Step {
        if case .writing = phase { return flush(now: now) }
        // The rest of a handshake.
        if case .failed = channel.session?.sendUnsent(to: channel.socket) { return end() }
        if !channel.hasUnsent { stopAwaitingRoom() }
        return .none
    }

    /// The time of the present phase is over.
    func deadlineReached(now: UInt64) -> Step {
        switch phase {
        case .readingHead:
            // An idle connection is closed without a word; half a request deserves one.
            guard !input.isEmpty else { return end() }
            keepsAlive = false
            return write(refuse(.requestTimeout), isHead: false, now: now)
        case .handling:
            keepsAlive = false
            return write(
                refuse(.serviceUnavailable), isHead: request?.method == .head, now: now)
        case .writing, .lingering:
            return end()
        case .closed:
            return .none
        }
    }

    /// Closes the socket, at once for the client, and as soon as Dispatch lets go of it for us.
    @discardableResult
    func end() -> Step {
        if case .closed = phase { return .none }
        phase = .closed
        shutdown(descriptor, Int32(SHUT_RDWR))
        readSource?.cancel()
        readSource = nil
        stopAwaitingRoom()
        return .forget
    }

    // MARK: Input

    /// Reads what is there; false where the connection is broken.
    private func receive() -> Bool {
        while true {
            var chunk = InlineArray<4096, UInt8>(repeating: 0)
            var span = chunk.mutableSpan
            let result = unsafe span.withUnsafeMutableBytes { unsafe channel.receive(into: $0) }
            switch result {
            case .nothing: return channel.session?.fault == nil
            case .failed: return false
            case .ended:
                sawEnd = true
                // An ended stream stays readable: the source would fire for ever.
                readSource?.cancel()
                readSource = nil
                return true
            case .received(let count, let isDrained):
                guard take(chunk, count) else { return false }
                // The source tells of what the kernel has, not of what was decrypted already.
                if isDrained || channel.session == nil { return true }
            }
        }
    }

    /// Keeps what came; false where it is too much.
    private func take(_ chunk: InlineArray<4096, UInt8>, _ count: Int) -> Bool {
        if case .lingering = phase {
            lingered += count
            return lingered <= limits.lingerBytes
        }
        guard input.count + count <= limits.head.head + 4096 else { return false }
        for index in 0..<count { input.append(chunk[index]) }
        return true
    }

    private func parse(now: UInt64) -> Step {
        switch HTTPRequest.parse(input, limits: limits.head) {
        case .incomplete:
            return sawEnd ? end() : .none
        case .request(let request, let count):
            input.removeFirst(count)
            var request = request
            request.peer = peer
            self.request = request
            phase = .handling
            exchange += 1
            deadline = now + limits.handlerTimeout.nanoseconds
            return .handle(request)
        case .refused(let status):
            keepsAlive = false
            return write(refuse(status), isHead: false, now: now)
        }
    }

    /// Whom the TLS session has proved it to be.
    private var peer: HTTPPeer {
        guard let session = channel.session else { return .unencrypted }
        let encryption = session.encryption
        return encryption.hasCertificate
            ? .certificate(name: encryption.certificateName) : .anonymous
    }

    // MARK: Output

    private func write(_ response: HTTPResponse, isHead: Bool, now: UInt64) -> Step {
        phase = .writing
        output = response.encoded(isHead: isHead, keepsAlive: keepsAlive)
        sent = 0
        deadline = now + limits.writeTimeout.nanoseconds
        return flush(now: now)
    }

    private func flush(now: UInt64) -> Step {
        while sent < output.count || channel.hasUnsent {
            let bytes = output
            switch unsafe channel.send(bytes.span.bytes.extracting(sent..<bytes.count)) {
            case .failed: return end()
            case .sent(let count, let isFull):
                sent += count
                guard isFull else { continue }
                awaitRoom()
                return .none
            }
        }
        stopAwaitingRoom()
        output = []
        return keepsAlive ? next(now: now) : linger(now: now)
    }

    private func stopAwaitingRoom() {
        writeSource?.cancel()
        writeSource = nil
    }

    private func awaitRoom() {
        guard writeSource == nil else { return }
        let source = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { [onReady] in onReady(.writable) }
        source.setCancelHandler { [self] in sourceEnded() }
        openSources += 1
        writeSource = source
        source.activate()
    }

    /// The next request, of which a part may be here already.
    private func next(now: UInt64) -> Step {
        phase = .readingHead
        request = nil
        deadline = now + (input.isEmpty ? limits.idleTimeout : limits.headTimeout).nanoseconds
        return input.isEmpty && !sawEnd ? .none : parse(now: now)
    }

    /// No more answers: the client may read the last one in peace.
    private func linger(now: UInt64) -> Step {
        if sawEnd { return end() }
        phase = .lingering
        input = []
        deadline = now + limits.lingerTimeout.nanoseconds
        channel.shutDownWriting()
        return .none
    }

    private func sourceEnded() {
        openSources -= 1
        // Cancelled for good only when the connection is closed; a write source comes and goes.
        if case .closed = phase, openSources == 0 { close(descriptor) }
    }
}
