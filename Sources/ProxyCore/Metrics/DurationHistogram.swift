// SPDX-License-Identifier: Apache-2.0

/// How long things took, in buckets that double from 64 microseconds to 67 seconds.
///
/// The bounds are powers of two in microseconds, so that finding the bucket is one division and
/// one count of leading zeros, and so that the same buckets fit a key look-up and a report.
package struct DurationHistogram: Sendable {
    /// Buckets with an upper bound; one more takes the rest.
    package static let boundCount = 21
    private static let firstExponent = 6

    private var buckets = InlineArray<22, UInt64>(repeating: 0)
    private var nanoseconds: UInt64 = 0

    package init() {}

    /// Records one duration.
    package mutating func record(_ span: Instant.Span) {
        buckets[Self.bucket(of: span)] &+= 1
        nanoseconds &+= span.nanoseconds
    }

    /// Adds what another histogram counted.
    package mutating func add(_ other: DurationHistogram) {
        for index in buckets.indices { buckets[index] &+= other.buckets[index] }
        nanoseconds &+= other.nanoseconds
    }

    /// The upper bound of a bucket, inclusive, in microseconds.
    package static func bound(_ index: Int) -> UInt64 { 1 << UInt64(firstExponent + index) }

    /// Number of durations up to the bound of this bucket; `boundCount` gives all.
    package func cumulative(_ index: Int) -> UInt64 {
        var sum: UInt64 = 0
        for bucket in 0...index { sum &+= buckets[bucket] }
        return sum
    }

    /// Number of recorded durations.
    package var count: UInt64 { cumulative(Self.boundCount) }

    /// All durations together, in seconds.
    package var sum: Double { Double(nanoseconds) / 1e9 }

    /// The smallest bucket whose bound is not below the span.
    private static func bucket(of span: Instant.Span) -> Int {
        // Rounded up: 64.001 us lie above a bound of 64 us.
        let micros = span.nanoseconds / 1000 + (span.nanoseconds % 1000 == 0 ? 0 : 1)
        guard micros > bound(0) else { return 0 }
        let exponent = UInt64.bitWidth - (micros - 1).leadingZeroBitCount
        return min(exponent - firstExponent, boundCount)
    }
}
