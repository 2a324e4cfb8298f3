// SPDX-License-Identifier: Apache-2.0

/// Positions of the head of the log with their times, against which lag is measured.
///
/// Two rings: a fine one of every sample, and a coarse one that reaches twice as far back as the
/// lag limit, so that the lag of a replica near the limit is still known in time.
struct LogHead: Equatable, Sendable {
    enum Source: Equatable, Sendable {
        /// The primary's flushed positions.
        case primary(NodeID)
        /// The most that any standby has received, because no primary can be queried.
        case received
    }

    private(set) var source: Source?
    private(set) var fine = PositionHistory()
    private var coarse = PositionHistory()
    private let coarseSpacing: Instant.Span

    init(maximumLagTime: Instant.Span) {
        let perSlot = maximumLagTime.nanoseconds / UInt64(PositionHistory.capacity / 2)
        coarseSpacing = Instant.Span(nanoseconds: perSlot)
    }

    var newest: PositionHistory.Sample? { fine.newest }

    mutating func append(_ sample: PositionHistory.Sample, from source: Source) {
        // A new primary may have less than the old one had, and so has one after crash recovery.
        // What they share stays, so that replicas that have not followed yet can be judged.
        self.source = source
        if let newest = fine.newest, sample.position < newest.position {
            fine.removeAll(beyond: sample.position)
            coarse.removeAll(beyond: sample.position)
        }
        fine.append(sample)
        let isDue = coarse.newest.map { sample.askedAt - $0.askedAt >= coarseSpacing } ?? true
        if isDue { coarse.append(sample) }
    }

    /// The head at the time when a replica was sampled, so that log written between the two samples
    /// does not count as lag.
    func position(by moment: Instant) -> LogPosition? {
        (fine.newest(askedBy: moment) ?? fine.oldest)?.position
    }

    /// When the head first went beyond a position, and whether that is only the earliest known.
    func passed(_ position: LogPosition) -> (at: Instant, isExact: Bool)? {
        guard let newest = fine.newest, newest.position > position else { return nil }
        if let oldest = fine.oldest, oldest.position <= position {
            return fine.first(beyond: position).map { ($0.askedAt, true) }
        }
        guard let oldest = coarse.oldest else { return fine.oldest.map { ($0.askedAt, false) } }
        let first = coarse.first(beyond: position) ?? oldest
        return (first.askedAt, oldest.position <= position)
    }
}

/// Computes a replica's lag, and its weight from it.
struct LagRule {
    let maximumBytes: UInt64
    let maximumTime: Instant.Span

    struct Lag: Equatable {
        var bytes: UInt64
        /// Nil when it has not been watched for long enough to know.
        var time: Instant.Span?
    }

    /// The lag of a replica, or nil when nothing is known of the head of the log.
    ///
    /// While there is no primary the head does not move, and neither does the lag.
    func lag(of sample: NodeSample, behind head: LogHead, headIsFrozen: Bool) -> Lag? {
        guard let replayed = sample.position, let newest = head.newest,
            let target = head.position(by: sample.arrivedAt)
        else { return nil }
        guard target > replayed else { return Lag(bytes: 0, time: .zero) }
        let bytes = target.bytes - replayed.bytes
        guard let passed = head.passed(replayed) else { return Lag(bytes: bytes, time: .zero) }
        let end = headIsFrozen ? min(newest.arrivedAt, sample.arrivedAt) : sample.arrivedAt
        let watched = end - passed.at
        if passed.isExact { return Lag(bytes: bytes, time: watched) }
        // It lagged already when our samples begin: the server's own figure is better.
        return Lag(bytes: bytes, time: sample.replayDelay.map { max($0, watched) })
    }

    /// 1 without lag, 0 at the limit, by whichever of the two is worse.
    func weight(_ lag: Lag) -> Double {
        guard let time = lag.time else { return 0 }
        return max(0, min(Self.rest(lag.bytes, maximumBytes),
            Self.rest(time.nanoseconds, maximumTime.nanoseconds)))
    }

    /// The part of a limit that is not used up; a limit of 0 asks for none at all.
    private static func rest(_ used: UInt64, _ limit: UInt64) -> Double {
        if used == 0 { return 1 }
        return used >= limit ? 0 : 1 - Double(used) / Double(limit)
    }
}
