// SPDX-License-Identifier: Apache-2.0

/// A member's last reports, by Patroni and by SQL, and the times of the next queries.
struct MemberRecord: Equatable, Sendable {
    let id: NodeID
    let name: String
    let host: String
    let port: UInt16
    var restURL: String
    /// Tags from the member's own report, or from discovery before the first one.
    var tags: MemberTags

    /// Patroni's last answer; kept when Patroni falls silent.
    private(set) var report: MemberReport?
    private(set) var reportAskedAt = Instant(0)
    /// Probes without an answer since then.
    private(set) var probeFailures = 0
    var probe = AskingSchedule()

    /// The server's last answer to the lag query; kept when it falls silent.
    private(set) var sample: NodeSample?
    /// Samples without an answer since then.
    private(set) var sampleFailures = 0
    /// Since when the server has been known to be down, rather than late.
    private(set) var downSince: Instant?
    var sampling = AskingSchedule()
    private(set) var positions = PositionHistory()

    /// The last report that came described a writable primary: SQL may speak for it when its
    /// Patroni falls silent.
    private(set) var wasWritable = false
    /// Something contradicted what is known of it, and it has not been asked since.
    var doubtedAt: Instant?
    /// The last discovery did not name it.
    var absentSince: Instant?
    /// Whether the member is about to leave.
    var isDraining = false

    init(id: NodeID, _ member: ClusterReport.Member, now: Instant) {
        self.id = id
        name = member.name
        host = member.host
        port = member.port
        restURL = member.restURL
        tags = member.tags
        probe.dueAt = now
        sampling.dueAt = now
    }

    // MARK: What it said

    mutating func reported(_ report: MemberReport, askedAt: Instant) {
        self.report = report
        reportAskedAt = askedAt
        probeFailures = 0
        wasWritable = report.describesWritablePrimary
        // Patroni leaves the tags out while it cannot ask its server.
        if report.isRunning { tags = report.tags }
        if let doubtedAt, askedAt > doubtedAt { self.doubtedAt = nil }
    }

    mutating func probeFailed() {
        probeFailures += 1
        if isRestSilent { doubtedAt = nil }
    }

    mutating func sampled(_ sample: NodeSample) {
        if let before = self.sample, before.isInRecovery != sample.isInRecovery {
            positions.removeAll()
        }
        if let before = self.sample?.timeline, let now = sample.timeline, before != now,
            !sample.isInRecovery
        {
            positions.removeAll()
        }
        var sample = sample
        // A standby that does not stream at the moment cannot say; it has not gone back.
        sample.timeline = sample.timeline ?? (sample.isInRecovery ? self.sample?.timeline : nil)
        self.sample = sample
        sampleFailures = 0
        downSince = nil
        if let position = sample.position {
            positions.append(
                .init(
                    position: position, askedAt: sample.askedAt, arrivedAt: sample.arrivedAt))
        }
    }

    mutating func sampleFailed(_ failure: SampleFailure, now: Instant) {
        sampleFailures += 1
        if case .down = failure {
            downSince = downSince ?? now
            // It may come back with less than it had.
            positions.removeAll()
        }
    }

    mutating func forgetConfirmation() { wasWritable = false }

    // MARK: What that means

    /// Whether Patroni failed to respond twice in a row, so that one lost packet does not count.
    var isRestSilent: Bool { report == nil ? probeFailures > 0 : probeFailures >= 2 }

    /// The report, unless it is too many probes old.
    var presentReport: MemberReport? { isRestSilent ? nil : report }

    /// The sample, unless the server is down or has said nothing for a while.
    func presentSample(_ now: Instant, lifetime: Instant.Span) -> NodeSample? {
        guard let sample, downSince == nil, now - sample.arrivedAt <= lifetime else { return nil }
        return sample
    }

    /// Whether the server was up before and is known to have gone since Patroni was last asked.
    ///
    /// Only the beginning of an outage counts: where Patroni says later that the server runs, it
    /// is our own access that is broken.
    var wentDownSinceReport: Bool {
        guard sample != nil, let downSince else { return false }
        return downSince > reportAskedAt
    }

    /// The newest that is known of its timeline.
    var timeline: UInt32? {
        guard let sampled = sample?.timeline, let sample else { return report?.timeline }
        guard let reported = report?.timeline else { return sampled }
        return sample.askedAt > reportAskedAt ? sampled : max(reported, sampled)
    }

    var systemIdentifier: String? { report?.systemIdentifier ?? sample?.systemIdentifier }

    var serverVersion: Int? { report?.serverVersion ?? sample?.serverVersion }

    /// Whether its server is a standby, by the newest evidence; nil while unknown.
    func isStandby(_ now: Instant, lifetime: Instant.Span) -> Bool? {
        let sample = presentSample(now, lifetime: lifetime)
        let reported: Bool? =
            switch presentReport?.role {
            case .replica, .standbyLeader: true
            case .primary: false
            case .other, nil: nil
            }
        guard let sample else { return reported }
        guard let reported else { return sample.isInRecovery }
        return sample.askedAt > reportAskedAt ? sample.isInRecovery : reported
    }

    /// Whether its two witnesses disagree about what it is.
    func isContradictory(_ now: Instant, lifetime: Instant.Span) -> Bool {
        guard let sample = presentSample(now, lifetime: lifetime),
            sample.askedAt > reportAskedAt
        else { return wentDownSinceReport && presentReport?.isRunning == true }
        switch presentReport?.role {
        case .primary: return sample.isInRecovery
        case .replica, .standbyLeader: return !sample.isInRecovery
        case .other, nil: return false
        }
    }

    func isReachable(_ now: Instant, lifetime: Instant.Span) -> Bool {
        presentReport != nil || presentSample(now, lifetime: lifetime) != nil
    }
}

/// When something is to be asked next; at most one question is outstanding.
struct AskingSchedule: Equatable, Sendable {
    var dueAt = Instant.distantFuture
    private(set) var askedAt: Instant?
    private(set) var isOutstanding = false

    var deadline: Instant? { isOutstanding ? nil : dueAt }

    func isDue(_ now: Instant) -> Bool { !isOutstanding && dueAt <= now }

    mutating func asked(_ now: Instant) {
        askedAt = now
        isOutstanding = true
    }

    mutating func answered(nextAt: Instant) {
        isOutstanding = false
        dueAt = nextAt
    }

    /// Moves the next question forward, but not closer than `spacing` to the last one.
    mutating func hurry(_ now: Instant, spacing: Instant.Span) {
        let earliest = askedAt.map { max($0 + spacing, now) } ?? now
        dueAt = min(dueAt, earliest)
    }
}
