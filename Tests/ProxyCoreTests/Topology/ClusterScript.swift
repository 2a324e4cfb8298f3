// SPDX-License-Identifier: Apache-2.0
import ProxyCore

/// A cluster as its members tell it, over virtual time: what a test changes here, the monitor
/// learns at its own pace by asking.
struct ClusterScript {
    struct Member {
        var name: String
        /// What Patroni answers; nil is silence.
        var report: MemberReport?
        /// Whether the server answers, and why not.
        var failure: SampleFailure?
        var isInRecovery: Bool
        var timeline: UInt32
        var position: UInt64
        var received: UInt64?
        var isStreaming: Bool? = true
        var replayDelay: Instant.Span?
        var systemIdentifier: String? = "7000"
    }

    var monitor: TopologyMonitor
    var members: [Member]
    /// Whether `GET /cluster` answers, and whom it leaves out.
    var discoveryWorks = true
    var unlisted: Set<String> = []
    private(set) var now = Instant(1_000_000_000)
    private(set) var probes: [(at: Instant, NodeID)] = []
    private(set) var samples: [(at: Instant, NodeID)] = []
    private(set) var published: [Topology] = []
    private(set) var forgotten: [NodeID] = []

    init(_ members: [Member], policy: ProxyPolicy = ProxyPolicy()) {
        self.members = members
        monitor = TopologyMonitor(
            policy: policy, seeds: ["http://seed:8008"], seed: 1, now: now)
    }

    /// One primary `a` and replicas `b` and `c`, all in step, watched for half a second.
    static func healthy(policy: ProxyPolicy = ProxyPolicy()) -> ClusterScript {
        var script = ClusterScript(
            [.primary("a"), .replica("b"), .replica("c")], policy: policy)
        script.run(milliseconds: 500)
        return script
    }

    subscript(name: String) -> Member {
        get { members.first { $0.name == name }! }
        set { members[members.firstIndex { $0.name == name }!] = newValue }
    }

    var topology: Topology { monitor.topology }

    func node(_ name: String) -> Topology.Node? { topology.nodes.first { $0.name == name } }

    var primaryName: String? { topology.primary.flatMap { topology[$0]?.name } }

    /// Who may be read from, in order.
    var readable: [String] { topology.nodes.filter { $0.exclusion == nil }.map(\.name) }

    /// Lets virtual time pass; each question is answered a millisecond after it was asked, and an
    /// unanswered one fails after its timeout.
    mutating func run(milliseconds: UInt64, each step: (inout ClusterScript) -> Void = { _ in }) {
        for _ in 0..<milliseconds {
            advance()
            step(&self)
        }
    }

    /// Runs until a condition holds and returns how many milliseconds that took, at most `limit`.
    mutating func run(until condition: (ClusterScript) -> Bool, limit: UInt64 = 30_000) -> UInt64 {
        for elapsed in 0..<limit {
            if condition(self) { return elapsed }
            advance()
        }
        return limit
    }

    mutating func notify(_ event: TopologyEvent) { monitor.notified(event, now: now) }

    private var pending: [(at: Instant, TopologyEvent)] = []

    private mutating func advance() {
        now = now + .milliseconds(1)
        let due = pending.filter { $0.at <= now }
        pending.removeAll { $0.at <= now }
        for (_, event) in due { monitor.notified(event, now: now) }
        while let action = monitor.nextAction(now) { perform(action) }
    }

    private mutating func perform(_ action: TopologyAction) {
        switch action {
        case .publish(let topology): published.append(topology)
        case .forget(let id): forgotten.append(id)
        case .discover:
            let report = ClusterReport(
                scope: "demo",
                members: members.filter { !unlisted.contains($0.name) }.map {
                    .init(
                        name: $0.name, host: $0.name, port: 5432, restURL: "http://\($0.name):8008")
                })
            let event: TopologyEvent = discoveryWorks ? .discovered(report) : .discoveryFailed
            pending.append((now + .milliseconds(1), event))
        case .probe(let id, let url):
            probes.append((now, id))
            guard let member = member(url: url), let report = member.report else {
                pending.append((now + .milliseconds(800), .probeFailed(id)))
                return
            }
            pending.append((now + .milliseconds(1), .reported(id, report)))
        case .sample(let id, let host, _):
            samples.append((now, id))
            pending.append(sampleAnswer(id, host))
        }
    }

    private func sampleAnswer(_ id: NodeID, _ host: String) -> (Instant, TopologyEvent) {
        guard let member = members.first(where: { $0.name == host }) else {
            return (now + .seconds(1), .sampleFailed(id, .timeout))
        }
        if let failure = member.failure {
            let after = failure == .timeout ? Instant.Span.seconds(1) : .milliseconds(1)
            return (now + after, .sampleFailed(id, failure))
        }
        let answeredAt = now + .milliseconds(1)
        var sample = NodeSample(
            isInRecovery: member.isInRecovery, askedAt: now, arrivedAt: answeredAt)
        sample.timeline = member.timeline
        sample.position = LogPosition(member.position)
        sample.flushed = member.isInRecovery ? nil : LogPosition(member.position)
        sample.received = member.received.map { LogPosition($0) }
        sample.isStreaming = member.isInRecovery ? member.isStreaming : nil
        sample.replayDelay = member.replayDelay
        sample.systemIdentifier = member.systemIdentifier
        return (answeredAt, .sampled(id, sample))
    }

    private func member(url: String) -> Member? {
        members.first { url == "http://\($0.name):8008" }
    }
}

extension ClusterScript.Member {
    static func primary(_ name: String, timeline: UInt32 = 1, position: UInt64 = 1000) -> Self {
        ClusterScript.Member(
            name: name, report: .of(200, "primary", "running", timeline), isInRecovery: false,
            timeline: timeline, position: position)
    }

    static func replica(_ name: String, timeline: UInt32 = 1, position: UInt64 = 1000) -> Self {
        var report = MemberReport.of(503, "replica", "running", timeline)
        report.replicationState = "streaming"
        return ClusterScript.Member(
            name: name, report: report, isInRecovery: true, timeline: timeline,
            position: position, received: position)
    }

    /// The whole node is gone.
    mutating func vanish() {
        report = nil
        failure = .down("connection refused")
    }

    /// Its server takes writes on a new timeline, and its Patroni says so.
    mutating func promote(timeline: UInt32) {
        report = .of(200, "primary", "running", timeline)
        isInRecovery = false
        self.timeline = timeline
        position += 1000
    }

    mutating func follow(timeline: UInt32, position: UInt64) {
        self.timeline = timeline
        report?.timeline = timeline
        self.position = position
        received = position
    }
}

extension MemberReport {
    static func of(
        _ status: Int, _ role: String, _ state: String, _ timeline: UInt32? = 1,
        failsafe: Bool = false, pause: Bool = false
    ) -> MemberReport {
        var report = MemberReport(status: status, role: RoleWord(role), state: state)
        report.timeline = timeline
        report.systemIdentifier = "7000"
        report.isFailsafeActive = failsafe
        report.isPaused = pause
        return report
    }
}
