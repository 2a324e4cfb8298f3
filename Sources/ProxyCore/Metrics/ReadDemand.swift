// SPDX-License-Identifier: Apache-2.0

/// Number of read units that execute or wait, averaged over the last minute.
///
/// By Little's law this is arrival rate times time in system, so it weighs expensive queries and
/// does not depend on how many readers are ready: what a reader deployment is scaled by. It is the
/// exact integral of the level over time, kept in sixty buckets of one second; the window is the
/// current second and the 59 before it. Sampling instead would miss what lives shorter than the
/// interval, and a decaying average would make the figure depend on when it is asked for.
///
/// Shards and proxies are summed: the average of a sum is the sum of the averages.
package struct ReadDemand: Sendable {
    private static let bucketCount = 60
    private static let bucketLength: UInt64 = 1_000_000_000
    /// A first burst is not taken for a lasting load: the mean is over no less than this.
    private static let leastWindow: UInt64 = 10 * bucketLength

    /// Unit-nanoseconds of each second, at the second modulo the count.
    private var buckets = InlineArray<60, UInt64>(repeating: 0)
    private var level: UInt64 = 0
    private let start: UInt64
    /// Up to where the level has been integrated.
    private var integrated: UInt64

    /// No units yet; the first window begins here.
    package init(now: Instant) {
        start = now.nanoseconds
        integrated = now.nanoseconds
    }

    /// Read units that execute or queue at this moment.
    package var current: Int { Int(level) }

    /// A read unit is there: it executes or queues from now on.
    package mutating func began(now: Instant) {
        advance(to: now.nanoseconds)
        level += 1
    }

    /// A read unit has its answer, or is gone.
    package mutating func ended(now: Instant) {
        precondition(level > 0, "more read units ended than began")
        advance(to: now.nanoseconds)
        level -= 1
    }

    /// The mean level over the window that ends now.
    package mutating func average(now: Instant) -> Double {
        advance(to: now.nanoseconds)
        var sum: UInt64 = 0
        for index in buckets.indices { sum &+= buckets[index] }
        return Double(sum) / Double(max(window, Self.leastWindow))
    }

    /// The length of time that the buckets cover.
    private var window: UInt64 {
        let second = integrated / Self.bucketLength
        let oldest =
            second >= UInt64(Self.bucketCount - 1) ? second - UInt64(Self.bucketCount - 1) : 0
        return integrated - max(start, oldest * Self.bucketLength)
    }

    /// Integrates the level up to `now`; a clock that seems to go back changes nothing.
    private mutating func advance(to now: UInt64) {
        guard now > integrated else { return }
        let last = now / Self.bucketLength
        var second = integrated / Self.bucketLength
        if last - second >= UInt64(Self.bucketCount) {
            // Everything before the window falls out of it.
            buckets = InlineArray(repeating: 0)
            second = last - UInt64(Self.bucketCount - 1)
            integrated = second * Self.bucketLength
        }
        while second < last {
            let end = (second + 1) * Self.bucketLength
            buckets[Int(second % UInt64(Self.bucketCount))] += level * (end - integrated)
            integrated = end
            second += 1
            buckets[Int(second % UInt64(Self.bucketCount))] = 0
        }
        buckets[Int(second % UInt64(Self.bucketCount))] += level * (now - integrated)
        integrated = now
    }
}
