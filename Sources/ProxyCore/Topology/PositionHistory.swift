// SPDX-License-Identifier: Apache-2.0

/// The last few log positions sampled on one member, with the time at which each was asked for.
///
/// A position answers "what had this member by then?" only with the time of its question: whatever
/// happened before the question was asked is in it, whatever happened later may not be. So session
/// floors look for the first sample *asked* after a write was acknowledged.
///
/// A server that restarts may come back with less than it had (a standby replays again from its
/// last restart point, a primary loses what it had not flushed), so a gap in the answers empties
/// the history, and `isContinuous(since:)` says whether one lies in between.
package struct PositionHistory: Equatable, Sendable {
    /// Samples kept: 6.4 seconds at the standard interval.
    package static let capacity = 64

    package struct Sample: Equatable, Sendable {
        package var position: LogPosition
        /// When the question was sent.
        package var askedAt: Instant
        /// When the answer was there.
        package var arrivedAt: Instant

        package init(position: LogPosition, askedAt: Instant, arrivedAt: Instant) {
            self.position = position
            self.askedAt = askedAt
            self.arrivedAt = arrivedAt
        }
    }

    /// A ring once it is full: `start` is the oldest.
    private var ring: [Sample] = []
    private var start = 0
    /// When the first question of the present run was sent.
    private var continuousSince = Instant.distantFuture

    package init() {}

    /// Adds an answer; one that was not asked after the newest is ignored.
    package mutating func append(_ sample: Sample) {
        if let newest, sample.askedAt <= newest.askedAt { return }
        if ring.isEmpty { continuousSince = sample.askedAt }
        if ring.count < Self.capacity {
            ring.append(sample)
        } else {
            ring[start] = sample
            start = (start + 1) % Self.capacity
        }
    }

    /// Forgets everything: the member restarted, changed its role or its timeline.
    package mutating func removeAll() {
        ring.removeAll(keepingCapacity: true)
        start = 0
        continuousSince = .distantFuture
    }

    /// Forgets the samples that are further than a position; the others stay.
    package mutating func removeAll(beyond position: LogPosition) {
        let kept = (0..<ring.count).map { self[$0] }.filter { $0.position <= position }
        ring = kept
        start = 0
    }

    package var count: Int { ring.count }
    package var isEmpty: Bool { ring.isEmpty }
    package var newest: Sample? { ring.isEmpty ? nil : self[ring.count - 1] }
    package var oldest: Sample? { ring.isEmpty ? nil : self[0] }

    /// The first question sent after a moment that has its answer.
    package func firstSample(askedAfter moment: Instant) -> Sample? {
        // Mostly there is none yet.
        guard let newest, newest.askedAt > moment else { return nil }
        return firstSample { $0.askedAt > moment }
    }

    /// The first sample beyond a position; assumes positions that do not fall.
    package func first(beyond position: LogPosition) -> Sample? {
        firstSample { $0.position > position }
    }

    /// The newest sample whose question was sent no later than a moment.
    package func newest(askedBy moment: Instant) -> Sample? {
        let after = firstIndex { $0.askedAt > moment }
        return after == 0 ? nil : self[after - 1]
    }

    /// Whether the member has answered without a gap since before that moment.
    package func isContinuous(since moment: Instant) -> Bool { continuousSince <= moment }

    /// The sample at an offset from the oldest.
    private subscript(offset: Int) -> Sample { ring[(start + offset) % ring.count] }

    private func firstSample(where matches: (Sample) -> Bool) -> Sample? {
        let index = firstIndex(where: matches)
        return index < ring.count ? self[index] : nil
    }

    /// The offset of the first match in a run of mismatches followed by matches.
    private func firstIndex(where matches: (Sample) -> Bool) -> Int {
        var low = 0
        var high = ring.count
        while low < high {
            let middle = (low + high) / 2
            if matches(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
