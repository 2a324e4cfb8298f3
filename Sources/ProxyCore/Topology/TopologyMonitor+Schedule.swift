// SPDX-License-Identifier: Apache-2.0

/// Probe scheduling and publication.
extension TopologyMonitor {
    /// Between two probes of one member, however many hints come.
    static let doubtSpacing = Instant.Span.milliseconds(20)
    /// Between two samples of one member, however many sessions wait for one.
    static let positionSpacing = Instant.Span.milliseconds(10)
    /// How long a position waits for the other members' positions, to share one snapshot.
    private static let publishDelay = Instant.Span.milliseconds(5)

    // MARK: What to do

    /// The next thing to do; nil when there is nothing before `nextDeadline`.
    package mutating func nextAction(_ now: Instant) -> TopologyAction? {
        if let id = forgotten.popLast() { return .forget(id) }
        if isPublicationDue(now) {
            published = topology
            unpublishedSince = nil
            return .publish(topology)
        }
        for index in members.indices where members[index].probe.isDue(now) {
            members[index].probe.asked(now)
            return .probe(members[index].id, url: members[index].restURL)
        }
        for index in members.indices where members[index].sampling.isDue(now) {
            members[index].sampling.asked(now)
            let member = members[index]
            return .sample(member.id, host: member.host, port: member.port)
        }
        if discovery.isDue(now) {
            discovery.asked(now)
            let urls = discoveryURLs
            if !urls.isEmpty { return .discover(url: urls[discoveryTurn % urls.count]) }
            discovery.answered(nextAt: now + discoveryInterval)
        }
        return nil
    }

    /// When `nextAction` is to be asked again, should nothing happen before.
    package var nextDeadline: Instant {
        var earliest = discovery.deadline ?? .distantFuture
        for member in members {
            if let due = member.probe.deadline { earliest = min(earliest, due) }
            if let due = member.sampling.deadline { earliest = min(earliest, due) }
        }
        if let unpublishedSince { earliest = min(earliest, unpublishedSince + Self.publishDelay) }
        return earliest
    }

    /// Publishes at once what shards must act on; positions wait for the rest of their round.
    private func isPublicationDue(_ now: Instant) -> Bool {
        guard let unpublishedSince else { return false }
        if topology.version != published.version { return true }
        if now - unpublishedSince >= Self.publishDelay { return true }
        return !members.contains { $0.sampling.isOutstanding }
    }

    // MARK: Doubt

    /// Whether anything is unclear that a probe could clear up.
    package func isInDoubt(_ now: Instant) -> Bool {
        if now < doubtUntil || (topology.primary == nil && !topology.isStandbyCluster) {
            return true
        }
        for member in members {
            if member.doubtedAt != nil { return true }
            if member.isContradictory(now, lifetime: sampleLifetime) { return true }
            if member.id == topology.primary, member.probeFailures > 0 { return true }
        }
        return false
    }

    /// Moves the probes forward while anything is in doubt.
    mutating func scheduleProbes(_ now: Instant) {
        guard isInDoubt(now) else { return }
        for index in members.indices where !members[index].probe.isOutstanding {
            // A member that has been unreachable for long does not count.
            if members[index].probeFailures > 20, topology.primary != nil { continue }
            members[index].probe.hurry(now, spacing: policy.topology.doubtInterval)
        }
    }

    // MARK: Intervals

    /// URLs for discovery: responding members first, then the configured, then the rest.
    var discoveryURLs: [String] {
        var urls = members.filter { !$0.isRestSilent }.map(\.restURL)
        for url in seeds + members.map(\.restURL) where !urls.contains(url) { urls.append(url) }
        return urls
    }

    var discoveryInterval: Instant.Span {
        Instant.Span(nanoseconds: policy.topology.probeInterval.nanoseconds * 2)
    }

    /// About one interval after the last, not all members at once; at once where that answer was
    /// under way already when the doubt arose.
    mutating func nextProbe(of member: MemberRecord, _ now: Instant) -> Instant {
        guard let askedAt = member.probe.askedAt else { return now }
        if let doubtedAt = member.doubtedAt, askedAt <= doubtedAt {
            return max(askedAt + Self.doubtSpacing, now)
        }
        let interval = policy.topology.probeInterval.nanoseconds
        let varied = interval - interval / 20 + jitter.next() % max(interval / 10, 1)
        return max(askedAt + Instant.Span(nanoseconds: varied), now)
    }

    /// All members are sampled at the same ticks, so that positions can be compared.
    func nextSample(_ now: Instant) -> Instant {
        let interval = max(policy.topology.lagInterval.nanoseconds, 1_000_000)
        return Instant((now.nanoseconds / interval + 1) * interval)
    }

    /// A server that is down is asked as often as is useful, one that rejects us ever less.
    func nextSample(
        of member: MemberRecord, after failure: SampleFailure, _ now: Instant
    ) -> Instant {
        let base = max(policy.topology.lagInterval.nanoseconds, 1_000_000)
        let doubled = base << UInt64(min(member.sampleFailures, 10))
        let limit: UInt64 =
            switch failure {
            case .rejected: 10_000_000_000
            case .timeout, .down: max(base, isInDoubt(now) ? 200_000_000 : 1_000_000_000)
            }
        return now + Instant.Span(nanoseconds: min(doubled, limit))
    }
}
