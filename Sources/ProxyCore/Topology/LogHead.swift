// SPDX-License-Identifier: Apache-2.0

/// Where the head of the log was and when: what the lag of replicas is measured against.
///
/// Two rings: a fine one of every sample, and a coarse one that reaches twice as far back as the
/// lag limit, so that the lag of a replica near the limit is still known in time.
struct LogHead: Equatable, Sendable {
    enum Source: Equatable, Sendable {
        /// The primary's flushed positions.
        case primary(NodeID)
        /// The most that any standby has received: there is no primary to ask.
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

    /// The head by the moment at which a replica was sampled, so that what was written between
    /// the two samples is no lag.
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
