// SPDX-License-Identifier: Apache-2.0

/// A point on the monotonic clock, in nanoseconds; the core never reads a clock, it is told.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(_ nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static let distantFuture = Instant(.max)

    // All of them, as for other small values that each unit of work compares: what the standard library
    // or the compiler would make of one is called through a table of functions in other modules.
    package static func == (a: Instant, b: Instant) -> Bool { a.nanoseconds == b.nanoseconds }
    package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    package static func > (a: Instant, b: Instant) -> Bool { a.nanoseconds > b.nanoseconds }
    package static func <= (a: Instant, b: Instant) -> Bool { a.nanoseconds <= b.nanoseconds }
    package static func >= (a: Instant, b: Instant) -> Bool { a.nanoseconds >= b.nanoseconds }

    package static func + (a: Instant, b: Span) -> Instant {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.nanoseconds)
        return Instant(overflow ? .max : sum)
    }

    /// The time from `b` to `a`, or zero where `b` is later.
    package static func - (a: Instant, b: Instant) -> Span {
        Span(nanoseconds: a.nanoseconds > b.nanoseconds ? a.nanoseconds - b.nanoseconds : 0)
    }

    /// A length of time; never negative.
    package struct Span: Hashable, Comparable, Sendable {
        package var nanoseconds: UInt64

        package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
        package static func milliseconds(_ n: UInt64) -> Span { Span(nanoseconds: n * 1_000_000) }
        package static func seconds(_ n: UInt64) -> Span { Span(nanoseconds: n * 1_000_000_000) }
        package static let zero = Span(nanoseconds: 0)

        package var milliseconds: UInt64 { nanoseconds / 1_000_000 }
        package var seconds: Double { Double(nanoseconds) / 1e9 }

        package static func < (a: Span, b: Span) -> Bool { a.nanoseconds < b.nanoseconds }
    }
}
