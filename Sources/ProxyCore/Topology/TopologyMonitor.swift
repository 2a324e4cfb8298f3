// SPDX-License-Identifier: Apache-2.0

/// Knows the cluster: its members, which of them may take writes, and which may get reads.
///
///     events ──▶ member records ──▶ WritableRule, ReadRule ──▶ Topology ──▶ publish
///                      │
///                      └──▶ next probes (TopologyMonitor+Schedule)
///
/// Each member is observed in two ways, by Patroni and by SQL, each on a schedule of its
/// own. Every reply, timeout or hint updates a record; then everything is judged again from the
/// records, so that no rule depends on the order of events. Little is remembered beyond the
/// records: the highest timeline, the system identifier, and since when there is a primary.
package struct TopologyMonitor: Sendable {
    /// Members kept at most; further ones that Patroni lists are not used.
    package static let memberLimit = 256
    /// Minimum interval between two rounds of probes, however many hints arrive.
    private static let hintSpacing = Instant.Span.milliseconds(100)

    private(set) var policy: ProxyPolicy
    private(set) var seeds: [String]
    var members: [MemberRecord] = []
    private var nextIndex = 0
    private var scope: String?
    private var head: LogHead
    private var primarySince = Instant(0)

    /// The present judgement.
    package private(set) var topology = Topology()
    /// The topology that was published last.
    var published = Topology()
    /// The time since which the current judgement differs from it.
    var unpublishedSince: Instant?

    var discovery = AskingSchedule()
    /// Counts failures, to choose the next address.
    var discoveryTurn = 0
    /// After a hint, probe often until this time, even if the first replies look well.
    private(set) var doubtUntil = Instant(0)
    var forgotten: [NodeID] = []
    /// Names of members about to leave, whether known yet or not; the oldest first.
    private var draining: [String] = []
    var jitter: SplitMix64

    /// `seeds`: scheme, host and port of any Patroni REST interfaces.
    package init(policy: ProxyPolicy, seeds: [String], seed: UInt64, now: Instant) {
        self.policy = policy
        self.seeds = seeds
        head = LogHead(maximumLagTime: policy.routing.maximumLagTime)
        jitter = SplitMix64(seed: seed)
        discovery.dueAt = now
    }

    // MARK: Events

    package mutating func notified(_ event: TopologyEvent, now: Instant) {
        switch event {
        case .discovered(let report): discovered(report, now)
        case .discoveryFailed: discoveryFailed(now)
        case .reported(let id, let report): reported(id, report, now)
        case .probeFailed(let id): probeFailed(id, now)
        case .sampled(let id, let sample): sampled(id, sample, now)
        case .sampleFailed(let id, let failure): sampleFailed(id, failure, now)
        case .doubted(let id): doubted(id, now)
        case .positionsWanted: positionsWanted(now)
        case .hinted(let hint): hinted(hint, now)
        }
        judge(now)
    }

    /// Applies another configuration; records are kept.
    package mutating func reconfigured(_ policy: ProxyPolicy, seeds: [String], now: Instant) {
        if policy.routing.maximumLagTime != self.policy.routing.maximumLagTime {
            head = LogHead(maximumLagTime: policy.routing.maximumLagTime)
        }
        if seeds != self.seeds { discovery.hurry(now, spacing: .zero) }
        self.policy = policy
        self.seeds = seeds
        judge(now)
    }

    // MARK: Each event

    private mutating func discovered(_ report: ClusterReport, _ now: Instant) {
        // An empty list is what Patroni returns when it has lost its configuration store.
        let isOurs = scope == nil || report.scope == nil || scope == report.scope
        guard isOurs, !report.members.isEmpty else { return discoveryFailed(now) }
        scope = scope ?? report.scope
        discovery.answered(nextAt: now + discoveryInterval)
        discoveryTurn = 0
        for member in report.members { meet(member, now) }
        for index in members.indices
        where !report.members.contains(where: { $0.name == members[index].name }) {
            members[index].absentSince = members[index].absentSince ?? now
        }
    }

    private mutating func meet(_ member: ClusterReport.Member, _ now: Instant) {
        if let index = members.firstIndex(where: { $0.name == member.name }) {
            if members[index].host == member.host, members[index].port == member.port {
                members[index].restURL = member.restURL
                members[index].absentSince = nil
                if members[index].report == nil { members[index].tags = member.tags }
                return
            }
            // The same name elsewhere is another server; connections to the old one are lost. What
            // was said of the old one's pod is not said of it.
            draining.removeAll { $0 == member.name }
            forgotten.append(members[index].id)
            members.remove(at: index)
        }
        guard members.count < Self.memberLimit else { return }
        members.append(MemberRecord(id: NodeID(nextIndex), member, now: now))
        members[members.count - 1].isDraining = draining.contains(member.name)
        nextIndex += 1
    }

    private mutating func discoveryFailed(_ now: Instant) {
        discoveryTurn += 1
        // Each of them once without delay, then a pause.
        let isRoundOver = discoveryTurn % max(discoveryURLs.count, 1) == 0
        discovery.answered(nextAt: isRoundOver ? now + policy.topology.probeInterval : now)
    }

    private mutating func reported(_ id: NodeID, _ report: MemberReport, _ now: Instant) {
        guard let index = index(of: id), let askedAt = members[index].probe.askedAt else { return }
        members[index].reported(report, askedAt: askedAt)
        members[index].probe.answered(nextAt: nextProbe(of: members[index], now))
    }

    private mutating func probeFailed(_ id: NodeID, _ now: Instant) {
        guard let index = index(of: id) else { return }
        members[index].probeFailed()
        members[index].probe.answered(nextAt: nextProbe(of: members[index], now))
    }

    private mutating func sampled(_ id: NodeID, _ sample: NodeSample, _ now: Instant) {
        guard let index = index(of: id) else { return }
        let before = members[index].sample
        members[index].sampled(sample)
        members[index].sampling.answered(nextAt: nextSample(now))
        if let before, before.isInRecovery != sample.isInRecovery { doubted(id, now) }
        extendHead(members[index], sample)
    }

    private mutating func sampleFailed(_ id: NodeID, _ failure: SampleFailure, _ now: Instant) {
        guard let index = index(of: id) else { return }
        let wasUp = members[index].sample != nil && members[index].downSince == nil
        members[index].sampleFailed(failure, now: now)
        members[index].sampling.answered(
            nextAt: nextSample(of: members[index], after: failure, now))
        if wasUp, members[index].downSince != nil { doubted(id, now) }
    }

    /// Asks the member in both ways at once; everybody, when it is about who may take writes.
    private mutating func doubted(_ id: NodeID, _ now: Instant) {
        doubtUntil = now + policy.topology.probeInterval
        let isAboutAll = topology.primary == nil || topology.primary == id
        for index in members.indices where isAboutAll || members[index].id == id {
            members[index].doubtedAt = now
            members[index].probe.hurry(now, spacing: Self.doubtSpacing)
            members[index].sampling.hurry(now, spacing: Self.doubtSpacing)
        }
    }

    /// Something outside changed; probes find out what it means.
    private mutating func hinted(_ hint: ClusterHint, _ now: Instant) {
        switch hint {
        case .draining(let name, let isDraining):
            draining.removeAll { $0 == name }
            // Its pod may be known before the member is.
            if isDraining { draining = Array(draining.suffix(Self.memberLimit - 1)) + [name] }
            for index in members.indices where members[index].name == name {
                members[index].isDraining = isDraining
            }
        case .membersChanged: discovery.hurry(now, spacing: Self.hintSpacing)
        case .primaryMayChange:
            doubtUntil = now + policy.topology.probeInterval
            for index in members.indices {
                members[index].probe.hurry(now, spacing: Self.hintSpacing)
                members[index].sampling.hurry(now, spacing: Self.hintSpacing)
            }
        }
    }

    /// Samples everybody who answers before the interval is over.
    private mutating func positionsWanted(_ now: Instant) {
        for index in members.indices where members[index].downSince == nil {
            members[index].sampling.hurry(now, spacing: Self.positionSpacing)
        }
    }

    private mutating func extendHead(_ member: MemberRecord, _ sample: NodeSample) {
        let isPrimary = topology.primary == member.id && !sample.isInRecovery
        let position: LogPosition?
        let source: LogHead.Source
        if isPrimary {
            position = sample.flushed ?? sample.position
            source = .primary(member.id)
        } else {
            // Without a primary, now or ever, the most that any member has received is the head.
            let isHeadless = topology.isStandbyCluster || head.source == nil
                || head.source == .received
            guard topology.primary == nil, isHeadless, sample.isInRecovery else { return }
            let most = [sample.received, sample.position, head.newest?.position].compactMap { $0 }
            position = most.max()
            source = .received
        }
        guard let position else { return }
        head.append(
            .init(position: position, askedAt: sample.askedAt, arrivedAt: sample.arrivedAt),
            from: source)
    }

    // MARK: Judgement

    /// Judges everything again from the records.
    private mutating func judge(_ now: Instant) {
        removeDeparted(now)
        var next = topology
        next.systemIdentifier = topology.systemIdentifier ?? commonSystemIdentifier()
        raiseTimeline(of: &next, now)
        next.isStandbyCluster = members.contains { $0.report?.role == .standbyLeader }
        next.scope = scope ?? members.lazy.compactMap(\.report?.scope).first
        next.isPaused = members.contains { $0.presentReport?.isPaused == true }
        let rule = WritableRule(
            now: now, timeline: next.timeline, systemIdentifier: next.systemIdentifier,
            sampleLifetime: sampleLifetime, isStandbyCluster: next.isStandbyCluster)
        switch rule.judge(members) {
        case .member(let index): (next.primary, next.primaryAbsence) = (members[index].id, nil)
        case .none(let reason): (next.primary, next.primaryAbsence) = (nil, reason)
        }
        if next.primary != nil { next.isStandbyCluster = false }
        if next.primary != topology.primary, next.primary != nil { primarySince = now }
        for index in members.indices
        where !members[index].isReachable(now, lifetime: sampleLifetime) {
            members[index].forgetConfirmation()
        }
        let readRule = readRule(for: next, now)
        next.nodes = members.map { readRule.node($0) }
        accept(next, now)
        scheduleProbes(now)
    }

    private mutating func accept(_ next: Topology, _ now: Instant) {
        topology = next
        if !next.asksNothingMore(than: published) {
            topology.version = published.version + 1
        } else {
            topology.version = published.version
        }
        if topology == published {
            unpublishedSince = nil
        } else {
            unpublishedSince = unpublishedSince ?? now
        }
    }

    /// A member that discovery no longer names leaves when it is silent, too.
    private mutating func removeDeparted(_ now: Instant) {
        guard members.contains(where: { $0.absentSince != nil }) else { return }
        let lifetime = sampleLifetime
        let left = members.filter { Self.hasLeft($0, now, lifetime) }
        forgotten += left.map(\.id)
        // A member that comes back under the name is another one, even if no watch says so.
        draining.removeAll { name in left.contains { $0.name == name } }
        members.removeAll { Self.hasLeft($0, now, lifetime) }
    }

    private static func hasLeft(
        _ member: MemberRecord, _ now: Instant, _ lifetime: Instant.Span
    ) -> Bool {
        member.absentSince != nil && !member.isReachable(now, lifetime: lifetime)
    }

    /// The identifier that those who look like the leader agree on; nil while they do not.
    private func commonSystemIdentifier() -> String? {
        var common: String?
        for member in members {
            guard let report = member.presentReport,
                report.describesWritablePrimary || report.role == .standbyLeader,
                let its = member.systemIdentifier
            else { continue }
            if let common, common != its { return nil }
            common = its
        }
        return common
    }

    private func raiseTimeline(of next: inout Topology, _ now: Instant) {
        for member in members {
            if let ours = next.systemIdentifier, let its = member.systemIdentifier, its != ours {
                continue
            }
            guard let its = member.timeline, its > next.timeline else { continue }
            next.timeline = its
            next.timelineSince = now
        }
    }

    private func readRule(for next: Topology, _ now: Instant) -> ReadRule {
        let grace = policy.topology.timelineGrace
        let routing = policy.routing
        return ReadRule(
            now: now, topology: next, head: head,
            lag: LagRule(
                maximumBytes: routing.maximumLagBytes, maximumTime: routing.maximumLagTime),
            weightTag: routing.weightTag, sampleLifetime: sampleLifetime,
            primarySince: primarySince, isSettling: now - primarySince < grace,
            timelineMayBeOneBehind: next.primary == nil || now - next.timelineSince < grace
                || now - primarySince < grace)
    }

    func index(of id: NodeID) -> Int? { members.firstIndex { $0.id == id } }

    /// How long a server's reply is valid.
    var sampleLifetime: Instant.Span {
        let five = policy.topology.lagInterval.nanoseconds * 5
        return Instant.Span(nanoseconds: max(five, 1_000_000_000))
    }
}
