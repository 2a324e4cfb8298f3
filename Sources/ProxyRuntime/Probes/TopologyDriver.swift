// SPDX-License-Identifier: Apache-2.0

package import Dispatch
package import Logging
internal import ProxyConfiguration
package import ProxyCore

/// Performs what `TopologyMonitor` decides: asks Patroni over HTTP and the servers over libpq, and
/// hands out snapshots.
// Confined to `queue`; the entries for other threads go through it.
package final class TopologyDriver: @unchecked Sendable {
    /// Addresses of one name that are asked at a time.
    private static let addressLimit = 16

    /// The control plane's queue, shared with the stores; nothing on it may block.
    package let queue: DispatchQueue
    private let client: HTTPClient
    private let resolver: Resolver
    private let account: ControlAccount
    private let clock: @Sendable () -> Instant
    private let logger: Logger
    private let onChange: @Sendable (Topology) -> Void

    private var monitor: TopologyMonitor
    private var policy: ProxyPolicy
    private var connections: [NodeID: ControlConnection] = [:]
    private let timer: any DispatchSourceTimer
    private var narrator = TopologyNarrator()
    private var faults = StandingFaults()
    private var isRunning = false

    /// `seeds`: scheme, host and port of Patroni REST interfaces. `onChange` is called on the
    /// queue, ten times a second and more: it must only hand the snapshot on.
    package init(
        policy: ProxyPolicy, seeds: [String], account: ControlAccount,
        client: HTTPClient = HTTPClient(), resolver: Resolver = Resolver(),
        queue: DispatchQueue, logger: Logger, seed: UInt64,
        clock: @escaping @Sendable () -> Instant,
        onChange: @escaping @Sendable (Topology) -> Void
    ) {
        self.queue = queue
        self.client = client
        self.resolver = resolver
        self.account = account
        self.clock = clock
        self.logger = logger
        self.onChange = onChange
        self.policy = policy
        monitor = TopologyMonitor(policy: policy, seeds: seeds, seed: seed, now: clock())
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .distantFuture)
        timer.setEventHandler { [weak self] in self?.run() }
        timer.activate()
    }

    deinit { timer.cancel() }

    // MARK: From any thread

    package func start() {
        queue.async {
            self.isRunning = true
            self.run()
        }
    }

    /// Asks nobody any more, and calls `done` when all connections are closed.
    package func stop(_ done: @escaping @Sendable () -> Void = {}) {
        queue.async {
            self.isRunning = false
            self.timer.schedule(deadline: .distantFuture)
            for connection in self.connections.values { connection.close() }
            self.connections = [:]
            done()
        }
    }

    /// The data path met something that contradicts what is known of a member.
    package func doubt(_ id: NodeID) { queue.async { self.happened(.doubted(id)) } }

    /// Sessions wait for newer log positions; asked for no more often than is useful.
    package func wantPositions() { queue.async { self.happened(.positionsWanted) } }

    /// A watch on Kubernetes saw something that gives reason to look.
    package func hinted(_ hint: ClusterHint) { queue.async { self.happened(.hinted(hint)) } }

    /// Another configuration; members and what is known of them stay.
    package func reconfigure(_ policy: ProxyPolicy, seeds: [String]) {
        queue.async {
            self.policy = policy
            self.monitor.reconfigured(policy, seeds: seeds, now: self.clock())
            self.run()
        }
    }

    // MARK: On the queue

    private func happened(_ event: TopologyEvent) {
        guard isRunning else { return }
        monitor.notified(event, now: clock())
        run()
    }

    private func run() {
        guard isRunning else { return }
        let now = clock()
        while let action = monitor.nextAction(now) { perform(action) }
        let wait = monitor.nextDeadline - now
        timer.schedule(
            deadline: .now() + .nanoseconds(Int(clamping: min(wait.nanoseconds, 1 << 40))),
            leeway: .milliseconds(1))
    }

    private func perform(_ action: TopologyAction) {
        switch action {
        case .discover(let url): discover(url)
        case .probe(let id, let url): probe(id, url)
        case .sample(let id, let host, let port): sample(id, host, port)
        case .forget(let id): connections.removeValue(forKey: id)?.close()
        case .publish(let topology):
            narrator.narrate(topology, now: clock(), to: logger)
            onChange(topology)
        }
    }

    /// One member behind a name may be dead or mute, so all addresses of a name are asked, and
    /// the first good answer counts. Names are looked up anew each time.
    private func discover(_ url: String) {
        let target = PatroniURL(url)?.address
        let literal = try? target.flatMap { try SocketAddress.literal(host: $0.host, port: $0.port) }
        guard let target, literal == nil else { return discover(url, at: [nil]) }
        resolver.resolve(host: target.host, port: target.port) { answer in
            self.queue.async {
                switch answer {
                case .success(let addresses):
                    self.discover(url, at: addresses.prefix(Self.addressLimit).map { $0 })
                case .failure(let error): self.undiscovered(url, error.description)
                }
            }
        }
    }

    private func discover(_ url: String, at addresses: [SocketAddress?]) {
        let round = DiscoveryRound(questions: addresses.count)
        for address in addresses {
            client.get(url + "/cluster", at: address, timeout: policy.topology.probeTimeout) {
                let answer = $0
                self.queue.async { self.discovered(url, answer, round) }
            }
        }
    }

    private func discovered(_ url: String, _ answer: HTTPAnswer, _ round: DiscoveryRound) {
        switch round.answered(answer) {
        case .wait: return
        case .found(let report):
            if faults.ended(url) {
                logger.info("member list read from Patroni again", metadata: ["url": "\(url)"])
            }
            happened(.discovered(report))
        case .failed(let reason): undiscovered(url, reason)
        }
    }

    private func undiscovered(_ url: String, _ reason: String) {
        if faults.failed(url, reason) {
            logger.warning(
                "cannot read member list from Patroni",
                metadata: ["url": "\(url)", "reason": "\(reason)"])
        }
        happened(.discoveryFailed)
    }

    private func probe(_ id: NodeID, _ url: String) {
        client.get(url + "/primary", timeout: policy.topology.probeTimeout) { answer in
            var event = TopologyEvent.probeFailed(id)
            if case .answered(let status, let body) = answer,
                let report = PatroniAnswer.member(status: status, body: body)
            {
                event = .reported(id, report)
            }
            self.queue.async { [event] in self.happened(event) }
        }
    }

    private func sample(_ id: NodeID, _ host: String, _ port: UInt16) {
        let connection = connections[id] ?? connect(id, host, port)
        connection.query(LagQuery.text, timeout: .seconds(1)) { [weak self] result in
            let event: TopologyEvent =
                switch result {
                case .success(let answer):
                    LagQuery.sample(answer).map { .sampled(id, $0) }
                        ?? .sampleFailed(id, .rejected("unexpected answer to the lag query"))
                case .failure(let fault): .sampleFailed(id, fault.sampleFailure)
                }
            self?.tell(event, "\(host):\(port)")
            // Not from within the loop that asked.
            self?.queue.async { [weak self] in self?.happened(event) }
        }
    }

    /// That a server is down is told by what becomes of the member; that it turns us away is not.
    private func tell(_ event: TopologyEvent, _ server: String) {
        switch event {
        case .sampleFailed(_, .rejected(let reason)):
            guard faults.failed(server, reason) else { return }
            logger.error(
                "service account rejected by server",
                metadata: ["address": "\(server)", "reason": "\(reason)"])
        case .sampled where faults.ended(server):
            logger.info(
                "service account accepted by server again", metadata: ["address": "\(server)"])
        default: return
        }
    }

    private func connect(_ id: NodeID, _ host: String, _ port: UInt16) -> ControlConnection {
        let connection = ControlConnection(
            host: host, port: port, account: account, queue: queue, clock: clock)
        // The server ended it between two samples: the same doubt as a client's connection.
        connection.onLost = { [weak self] _ in self?.happened(.doubted(id)) }
        connections[id] = connection
        return connection
    }
}
