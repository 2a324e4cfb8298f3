// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc
package import ProxyCore

/// Bounds of the HTTP endpoint and its connections.
package struct HTTPLimits: Equatable, Sendable {
    /// The head of one request.
    package var head = HTTPHeadLimits()
    /// Connections at a time; a newcomer takes the place of one that is owed nothing.
    package var connections = 64
    /// From the first byte of a request to the end of its head.
    package var headTimeout = Instant.Span.seconds(10)
    /// Between two requests.
    package var idleTimeout = Instant.Span.seconds(60)
    /// For an answer to be made; then it is 503.
    package var handlerTimeout = Instant.Span.seconds(10)
    /// For the client to take the answer.
    package var writeTimeout = Instant.Span.seconds(20)
    /// After the last answer, for the client to read it.
    package var lingerTimeout = Instant.Span.seconds(2)
    /// Bytes that are thrown away while lingering.
    package var lingerBytes = 64 << 10

    package init() {}
}

/// Why the endpoint cannot start.
package enum HTTPEndpointFault: Error, Equatable, CustomStringConvertible {
    case unresolvable(host: String, reason: String)
    case unavailable(address: String, reason: String)

    /// As the other listeners word it.
    package var description: String {
        switch self {
        case .unresolvable(let host, let reason): "cannot resolve \(host): \(reason)"
        case .unavailable(_, let reason): "bind: \(reason)"
        }
    }
}

/// A small HTTP/1.1 server for operators and their tools.
///
/// It has a queue of its own and never waits on a shard's: an overloaded proxy must still say so,
/// and a flood of scrapes must not slow a query. Everything a client can make it keep is bounded,
/// in bytes and in time.
// Unchecked: every stored property is either immutable or touched on `queue` only.
package final class HTTPEndpoint: @unchecked Sendable {
    /// Makes the answer to one request.
    package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse

    /// Where it listens, with the port that the system chose where 0 was asked for.
    package let port: UInt16

    private let queue = DispatchQueue(label: "martlet.http")
    private let limits: HTTPLimits
    private let handler: Handler
    /// How it says no by itself, in the form of its API.
    private let refuse: @Sendable (HTTPStatus) -> HTTPResponse
    /// Nil: everything is in clear.
    private let tls: ShardTLS?
    private let listener: Int32
    /// Left when the listener is closed, which Dispatch does in its own time.
    private let listening = DispatchGroup()
    private var acceptSource: (any DispatchSourceRead)?
    private var connections: [UInt64: HTTPConnection] = [:]
    private var nextKey: UInt64 = 0
    /// Handlers at work, those included that nobody waits for any more.
    private var runningHandlers = 0
    private var isTicking = false
    private var isAcceptPaused = false

    /// Binds and listens; serves from `start()` on.
    package init(
        host: String, port: UInt16, limits: HTTPLimits = HTTPLimits(), tls: TLSStore? = nil,
        refuse: @escaping @Sendable (HTTPStatus) -> HTTPResponse = { HTTPResponse($0) },
        handler: @escaping Handler
    ) throws(HTTPEndpointFault) {
        self.limits = limits
        self.handler = handler
        self.refuse = refuse
        self.tls = tls.map { ShardTLS($0) }
        (listener, self.port) = try ListeningSocket.open(host: host, port: port)
    }

    /// Begins to accept.
    package func start() {
        queue.async { [self] in
            let source = DispatchSource.makeReadSource(fileDescriptor: listener, queue: queue)
            source.setEventHandler { [weak self] in self?.acceptAll() }
            listening.enter()
            source.setCancelHandler { [listener, listening] in
                close(listener)
                listening.leave()
            }
            acceptSource = source
            source.activate()
        }
    }

    /// Stops listening and closes every connection; when it returns, the port is free.
    package func stop() {
        queue.sync {
            if isAcceptPaused { acceptSource?.resume() }
            isAcceptPaused = false
            acceptSource?.cancel()
            acceptSource = nil
            for connection in connections.values { connection.end() }
            connections = [:]
        }
        listening.wait()
    }

    // MARK: Accepting

    private func acceptAll() {
        // A bound on one turn: those that are connected must get theirs too.
        for _ in 0..<limits.connections {
            let descriptor = accept(listener, nil, nil)
            if descriptor >= 0 {
                _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                admit(descriptor)
            } else if errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM {
                return pauseAccepting()
            } else if errno != EINTR && errno != ECONNABORTED {
                return
            }
        }
    }

    /// Out of descriptors, the listener stays readable; without a pause this would spin.
    private func pauseAccepting() {
        guard !isAcceptPaused else { return }
        isAcceptPaused = true
        acceptSource?.suspend()
        queue.asyncAfter(deadline: .now() + .milliseconds(200)) { [weak self] in
            guard let self, isAcceptPaused else { return }
            isAcceptPaused = false
            acceptSource?.resume()
        }
    }

    private func admit(_ descriptor: Int32) {
        if connections.count >= limits.connections && !dropOldestExpendable() {
            // Before a handshake nothing can be said.
            let refusal = refuse(.serviceUnavailable).encoded(isHead: false, keepsAlive: false)
            return ListeningSocket.sayGoodbye(tls == nil ? refusal : [], descriptor)
        }
        let session = try? tls?.sessionOfClient(early: [])
        if tls != nil, session == nil { return ListeningSocket.sayGoodbye([], descriptor) }
        let key = nextKey
        nextKey += 1
        connections[key] = HTTPConnection(
            descriptor: descriptor, session: session, queue: queue, limits: limits, now: now,
            refuse: refuse
        ) { [weak self] readiness in self?.ready(readiness, key) }
        tickLater()
    }

    /// Makes room by closing the connection that has been owed nothing for longest.
    private func dropOldestExpendable() -> Bool {
        let candidates = connections.filter { $0.value.isExpendable }
        guard let (key, connection) = candidates.min(by: { $0.key < $1.key }) else { return false }
        perform(connection.end(), key, connection)
        return true
    }

    // MARK: Serving

    private func ready(_ readiness: HTTPConnection.Readiness, _ key: UInt64) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let connection = connections[key] else { return }
        switch readiness {
        case .readable: perform(connection.readable(now: now), key, connection)
        case .writable: perform(connection.writable(now: now), key, connection)
        }
    }

    private func perform(_ step: HTTPConnection.Step, _ key: UInt64, _ connection: HTTPConnection) {
        switch step {
        case .none: break
        case .forget: connections[key] = nil
        case .handle(let request): handle(request, key, connection)
        }
    }

    private func handle(_ request: HTTPRequest, _ key: UInt64, _ connection: HTTPConnection) {
        let exchange = connection.exchange
        guard runningHandlers < limits.connections else {
            return answered(refuse(.serviceUnavailable), key, exchange)
        }
        runningHandlers += 1
        Task { [handler] in
            let response = await handler(request)
            queue.async { [self] in
                runningHandlers -= 1
                answered(response, key, exchange)
            }
        }
    }

    private func answered(_ response: HTTPResponse, _ key: UInt64, _ exchange: UInt64) {
        guard let connection = connections[key], connection.exchange == exchange else { return }
        perform(connection.answered(response, now: now), key, connection)
    }

    // MARK: Time

    private var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    /// One timer for all deadlines, and none while nobody is connected.
    private func tickLater() {
        guard !isTicking else { return }
        isTicking = true
        queue.asyncAfter(deadline: .now() + .milliseconds(250)) { [weak self] in self?.tick() }
    }

    private func tick() {
        isTicking = false
        let now = now
        for (key, connection) in connections where connection.deadline <= now {
            perform(connection.deadlineReached(now: now), key, connection)
        }
        if !connections.isEmpty { tickLater() }
    }
}
