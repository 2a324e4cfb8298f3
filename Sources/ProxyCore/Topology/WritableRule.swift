// SPDX-License-Identifier: Apache-2.0

/// Decides which node may take writes: the one on the highest timeline ever seen whose
/// Patroni says that it is a running primary with the lock (or in failsafe mode, or in pause),
/// and that nothing contradicts. If there are two, neither may.
struct WritableRule {
    let now: Instant
    /// The highest timeline ever seen.
    let timeline: UInt32
    let systemIdentifier: String?
    let sampleLifetime: Instant.Span
    let isStandbyCluster: Bool

    enum Verdict: Equatable {
        case member(Int)
        case none(Topology.PrimaryAbsence)
    }

    func judge(_ members: [MemberRecord]) -> Verdict {
        var found: [Int] = []
        var rejection = isStandbyCluster ? Topology.PrimaryAbsence.standbyCluster : .noCandidate
        for index in members.indices where isCandidate(index, of: members) {
            if isStranger(members[index]) {
                rejection = .wrongSystem
            } else if members[index].timeline != timeline {
                rejection = .staleTimeline
            } else {
                found.append(index)
            }
        }
        if members.allSatisfy({ $0.report == nil && $0.sample == nil }) { rejection = .unknown }
        switch found.count {
        case 0: return .none(rejection)
        case 1: return .member(found[0])
        default: return settle(found, of: members)
        }
    }

    /// Chooses the holder of the lock, because a paused Patroni tolerates several primaries.
    private func settle(_ found: [Int], of members: [MemberRecord]) -> Verdict {
        let holders = found.filter { members[$0].presentReport?.holdsLock == true }
        let othersArePaused = found.allSatisfy {
            holders.contains($0) || members[$0].presentReport?.isPaused == true
        }
        return holders.count == 1 && othersArePaused ? .member(holders[0]) : .none(.rivals)
    }

    /// Whether it would be the primary, were it alone and on the right timeline and system.
    private func isCandidate(_ index: Int, of members: [MemberRecord]) -> Bool {
        let member = members[index]
        let sample = member.presentSample(now, lifetime: sampleLifetime)
        if let report = member.presentReport {
            guard report.describesWritablePrimary, !member.wentDownSinceReport else { return false }
            return !(sample?.isInRecovery == true && member.isContradictory(
                now, lifetime: sampleLifetime))
        }
        // Patroni is silent, which five idle connections can do to it; its server speaks for
        // itself, unless another member has taken the lock meanwhile.
        guard member.wasWritable, let sample, !sample.isInRecovery else { return false }
        return !members.indices.contains {
            $0 != index && members[$0].presentReport?.holdsLock == true
        }
    }

    private func isStranger(_ member: MemberRecord) -> Bool {
        guard let systemIdentifier, let its = member.systemIdentifier else { return false }
        return its != systemIdentifier
    }
}
