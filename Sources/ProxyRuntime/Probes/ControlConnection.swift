// SPDX-License-Identifier: Apache-2.0

internal import CLibpq
package import Dispatch
internal import PostgresWire
package import ProxyCore

/// One libpq connection of the service account, never blocking, with a timeout on everything.
///
///     absent ──▶ resolving ──▶ connecting ──▶ idle ◀──▶ busy
///        ▲                                     │          │
///        └──────────── lost, late ─────────────┴──────────┘
///
/// It connects when the first query wants it, runs one query at a time in the order in which they
/// came, and is absent again after any failure; who asks next makes it connect anew. A query's
/// timeout counts from when its turn comes, connecting included.
// Confined to `queue`: every entry checks it, and all call-backs are made on it.
package final class ControlConnection: @unchecked Sendable {
    package typealias Completion = @Sendable (Result<ControlAnswer, ControlFault>) -> Void

    /// Queries that may wait for their turn.
    package static let waitingLimit = 256

    private struct Query {
        let text: String
        let parameters: [String?]
        let timeout: Instant.Span
        let completion: Completion
        var sentAt = Instant(0)
        var answer = QueryResult()
    }

    private enum Phase {
        case absent, resolving, connecting, idle, busy, closed
    }

    private let queue: DispatchQueue
    private let host: String
    private let port: UInt16
    private let account: ControlAccount
    private let clock: @Sendable () -> Instant
    /// Called when the server ends a connection that nobody was using.
    package var onLost: (@Sendable (ControlFault) -> Void)?

    private var phase = Phase.absent
    private var handle: LibpqConnection?
    private var watch: SocketWatch?
    private var current: Query?
    private var waiting: [Query] = []
    private let timer: any DispatchSourceTimer
    /// When the current query has taken too long, and when the timer fires. It is only ever set
    /// earlier: a query that ends leaves it, as setting a timer costs more than a query.
    private var deadline = Instant.distantFuture
    private var timerFiresAt = Instant.distantFuture
    /// Counts connections, so that a late address is not taken for a present one.
    private var attempt = 0

    package init(
        host: String, port: UInt16, account: ControlAccount, queue: DispatchQueue,
        clock: @escaping @Sendable () -> Instant
    ) {
        self.host = host
        self.port = port
        self.account = account
        self.queue = queue
        self.clock = clock
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in self?.timerFired() }
        timer.schedule(deadline: .distantFuture)
        timer.activate()
    }

    deinit { timer.cancel() }

    // MARK: For the owner

    /// Runs one statement with text parameters; `completion` is called exactly once, on the queue.
    package func query(
        _ text: String, _ parameters: [String?] = [], timeout: Instant.Span,
        _ completion: @escaping Completion
    ) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard phase != .closed else { return completion(.failure(.closed)) }
        guard waiting.count < Self.waitingLimit else {
            let message = "too many control queries are waiting"
            return completion(.failure(.refused(sqlState: .configurationLimitExceeded, message: message)))
        }
        waiting.append(
            Query(text: text, parameters: parameters, timeout: timeout, completion: completion))
        startNext()
    }

    /// Ends it for good; queries that wait fail.
    package func close() {
        dispatchPrecondition(condition: .onQueue(queue))
        disconnect()
        phase = .closed
        let abandoned = (current.map { [$0] } ?? []) + waiting
        current = nil
        waiting = []
        for query in abandoned { query.completion(.failure(.closed)) }
    }

    // MARK: Queries

    private func startNext() {
        guard current == nil, !waiting.isEmpty else { return }
        let query = waiting.removeFirst()
        current = query
        deadline = clock() + query.timeout
        armTimer()
        switch phase {
        case .idle: send()
        case .absent: connect()
        case .resolving, .connecting, .busy, .closed: break
        }
    }

    private func send() {
        guard let handle, let query = current else { return }
        current?.sentAt = clock()
        phase = .busy
        guard handle.send(query.text, query.parameters) else {
            return fail(.lost(handle.errorMessage))
        }
        flush()
    }

    private func flush() {
        guard let handle else { return }
        switch handle.flush() {
        case .done: wait(for: .readable)
        case .more:
            wait(for: .writable)
            wait(for: .readable)
        case .failed: fail(.lost(handle.errorMessage))
        }
    }

    private func receive() {
        guard let handle else { return }
        guard handle.consumeInput() else { return fail(.lost(handle.errorMessage)) }
        while !handle.isBusy {
            guard let result = handle.nextResult() else { return complete() }
            current?.answer.take(result)
        }
        flush()
    }

    private func complete() {
        guard let query = current else { return }
        let now = clock()
        if let fault = query.answer.fault {
            // A FATAL comes as a result like any other; the connection is gone.
            if handle?.isBroken == true { return fail(fault) }
            phase = .idle
            return finish(.failure(fault))
        }
        phase = .idle
        finish(
            .success(
                ControlAnswer(rows: query.answer.rows, sentAt: query.sentAt, arrivedAt: now)))
    }

    private func finish(_ result: Result<ControlAnswer, ControlFault>) {
        let query = current
        current = nil
        if phase == .idle { wait(for: .readable) }
        query?.completion(result)
        if phase != .closed { startNext() }
    }

    private func fail(_ fault: ControlFault) {
        disconnect()
        if current != nil {
            finish(.failure(fault))
        } else {
            onLost?(fault)
        }
    }

    private func armTimer() {
        guard deadline < timerFiresAt else { return }
        timerFiresAt = deadline
        let wait = deadline - min(deadline, clock())
        timer.schedule(deadline: .now() + .nanoseconds(Int(clamping: wait.nanoseconds)))
    }

    private func timerFired() {
        timerFiresAt = .distantFuture
        guard current != nil else { return }
        if deadline <= clock() { fail(.timeout) } else { armTimer() }
    }

    // MARK: Connecting

    private func connect() {
        phase = .resolving
        attempt += 1
        let (attempt, queue) = (attempt, queue)
        HostAddress.resolve(host) { [weak self] result in
            queue.async { [weak self] in self?.resolved(result, attempt) }
        }
    }

    private func resolved(_ result: Result<String, ControlFault>, _ attempt: Int) {
        guard phase == .resolving, attempt == self.attempt else { return }
        switch result {
        case .failure(let fault): fail(fault)
        case .success(let address):
            guard let handle = LibpqConnection(parameters(address)) else {
                return fail(.lost("out of memory"))
            }
            self.handle = handle
            phase = .connecting
            // libpq's rule: before the first poll, behave as if it had said "writing".
            handle.isBroken ? fail(handle.connectFault) : wait(for: .writable)
        }
    }

    private func goOnConnecting() {
        guard let handle else { return }
        switch handle.poll() {
        case .reading: wait(for: .readable)
        case .writing: wait(for: .writable)
        case .done:
            handle.becomeNonBlocking()
            send()
        case .failed: fail(handle.connectFault)
        }
    }

    private func parameters(_ address: String) -> [(String, String)] {
        var parameters = [
            ("host", host), ("port", String(port)), ("user", account.user),
            ("dbname", account.database), ("application_name", "martlet"),
            ("client_encoding", "UTF8"), ("gssencmode", "disable"),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "2"),
            (
                "options",
                "-c statement_timeout=10s -c lock_timeout=2s -c jit=off"
                    + " -c search_path=pg_catalog,pg_temp"
                    + " -c default_transaction_read_only=on"
            ),
        ]
        if !host.hasPrefix("/") { parameters.append(("hostaddr", address)) }
        if let password = account.password { parameters.append(("password", password)) }
        return parameters + account.parameters.map { ($0.name, $0.value) }
    }

    private func disconnect() {
        watch?.cancel()
        watch = nil
        handle = nil
        if phase != .closed { phase = .absent }
    }

    // MARK: Readiness

    private func wait(for readiness: SocketWatch.Readiness) {
        guard let descriptor = handle?.socket, descriptor >= 0 else {
            return fail(.lost("no socket"))
        }
        if watch?.descriptor != descriptor || phase == .connecting {
            // While it connects libpq may close its socket and open another under the same number.
            watch?.cancel()
            let attempt = attempt
            watch = SocketWatch(descriptor, on: queue) { [weak self] readiness in
                self?.ready(readiness, attempt)
            }
        }
        let isArmed =
            switch readiness {
            case .readable: watch?.armForReading()
            case .writable: watch?.armForWriting()
            }
        if isArmed != true { fail(.lost("out of descriptors")) }
    }

    private func ready(_ readiness: SocketWatch.Readiness, _ attempt: Int) {
        guard attempt == self.attempt else { return }
        switch (phase, readiness) {
        case (.connecting, _): goOnConnecting()
        case (.busy, .readable): receive()
        case (.busy, .writable): flush()
        case (.idle, .readable): heardWhileIdle()
        default: break
        }
    }

    /// Nobody asked: a notice, a parameter, or the end.
    private func heardWhileIdle() {
        guard let handle else { return }
        guard handle.consumeInput(), !handle.isBroken else {
            return fail(.lost(handle.errorMessage))
        }
        wait(for: .readable)
    }
}
