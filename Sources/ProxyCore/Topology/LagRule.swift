// SPDX-License-Identifier: Apache-2.0

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
