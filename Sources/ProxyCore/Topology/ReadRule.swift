// SPDX-License-Identifier: Apache-2.0

/// Decides which nodes may get reads, and with which weight.
struct ReadRule {
    let now: Instant
    let topology: Topology
    let head: LogHead
    let lag: LagRule
    let weightTag: String?
    let sampleLifetime: Instant.Span
    /// When the present primary became it.
    let primarySince: Instant
    /// The primary came or changed a moment ago: standbys need time to follow.
    let isSettling: Bool
    /// Whether a standby may still be on the previous timeline.
    let timelineMayBeOneBehind: Bool

    /// Describes one member as shards see it.
    func node(_ member: MemberRecord) -> Topology.Node {
        let isPrimary = topology.primary == member.id
        let isStandby = member.isStandby(now, lifetime: sampleLifetime)
        let role: Topology.Role = isPrimary ? .primary : isStandby == true ? .replica : .unknown
        var node = Topology.Node(
            id: member.id, name: member.name, host: member.host, port: member.port, role: role)
        node.state = state(member)
        node.timeline = member.timeline
        node.positions = member.positions
        node.serverVersion = member.serverVersion
        node.isRestartPending = member.report?.isRestartPending ?? false
        let measured = role == .replica ? measure(member) : nil
        node.lagBytes = measured?.bytes
        node.lagTime = measured?.time
        let share = member.tags.share(weightTag)
        node.exclusion = exclusion(member, role: role, lag: measured, share: share)
        if node.exclusion == nil, let measured { node.weight = lag.weight(measured) * share }
        return node
    }

    /// The first reason that stands against reading from it.
    private func exclusion(
        _ member: MemberRecord, role: Topology.Role, lag measured: LagRule.Lag?, share: Double
    ) -> Topology.Exclusion? {
        guard member.isReachable(now, lifetime: sampleLifetime) else { return .unreachable }
        if let ours = topology.systemIdentifier, let its = member.systemIdentifier, its != ours {
            return .wrongSystem
        }
        if let report = member.presentReport, !report.isRunning { return .notRunning }
        if member.wentDownSinceReport { return .unreachable }
        if role != .replica { return .notReplica }
        if member.isDraining || member.absentSince != nil { return .draining }
        if member.tags.isNoLoadBalance || share == 0 { return .noLoadBalance }
        if !timelineIsCurrent(member) { return .wrongTimeline }
        if !isStreaming(member) { return .notStreaming }
        guard let measured, measured.time != nil else { return .unknownLag }
        return lag.weight(measured) > 0 ? nil : .lagging
    }

    private func timelineIsCurrent(_ member: MemberRecord) -> Bool {
        guard let its = member.timeline else { return false }
        if its == topology.timeline { return true }
        return timelineMayBeOneBehind && its + 1 == topology.timeline
    }

    /// Whether a standby streams, or there is nothing to stream from: then its reads continue (a
    /// replica's receiver takes up to five seconds to find a new primary).
    private func isStreaming(_ member: MemberRecord) -> Bool {
        if topology.primary == nil || isSettling { return true }
        let sample = member.presentSample(now, lifetime: sampleLifetime)
        if let streams = sample?.isStreaming { return streams }
        guard let word = member.presentReport?.replicationState else { return true }
        return word == "streaming"
    }

    private func measure(_ member: MemberRecord) -> LagRule.Lag? {
        guard let sample = member.presentSample(now, lifetime: sampleLifetime),
            let newest = head.newest
        else { return nil }
        if headMoves(newest) {
            // A primary that does not tell its position makes every lag unknown.
            let headLifetime = Instant.Span(nanoseconds: sampleLifetime.nanoseconds * 2)
            if now - newest.arrivedAt > headLifetime { return nil }
            return lag.lag(of: sample, behind: head, headIsFrozen: false)
        }
        // There is no primary to lag behind; or it has not been queried yet.
        guard topology.primary == nil || isSettling else { return nil }
        return lag.lag(of: sample, behind: head, headIsFrozen: true)
    }

    /// Whether the head of the log is that of a primary, which appends to it.
    private func headMoves(_ newest: PositionHistory.Sample) -> Bool {
        switch head.source {
        case .received: topology.primary == nil || !isSettling
        case .primary(let id): topology.primary == id && newest.arrivedAt >= primarySince
        case nil: false
        }
    }

    private func state(_ member: MemberRecord) -> String {
        if !member.isReachable(now, lifetime: sampleLifetime) { return "unreachable" }
        guard let report = member.presentReport else {
            return member.isRestSilent ? "running (Patroni is silent)" : "running"
        }
        return report.replicationState == "streaming" && report.isRunning
            ? "streaming" : report.state
    }
}
