// SPDX-License-Identifier: Apache-2.0

/// Follows one kind of object of the Kubernetes API: when to list, when to watch, when to wait.
///
///     waiting ──▶ listing ──▶ watching ──▶ watching (from the last version seen)
///        ▲           │            │
///        ╰───────────┴── failed ──╯        410 Gone: listing anew
///
/// A watch continues from the version of the last object or bookmark received. The server ends each
/// watch after a while, which is not a failure unless the watch ended as soon as it began. A failed
/// attempt is retried after a pause that doubles and varies, so that a thousand watchers do not
/// return to an API server at the same moment.
package struct ResourceWatch: Sendable {
    /// The next action of the driver.
    package enum Action: Equatable, Sendable {
        /// Request a page of the list: the first page if there is no token.
        case list(continuing: String?)
        case watch(from: String)
        /// Call `deadlineReached` then.
        case wait(until: Instant)
        case nothing
    }

    /// How an attempt ended.
    package enum End: Equatable, Sendable {
        /// The server closed the stream in good order.
        case finished
        /// The version is too old to go on from (410).
        case gone
        /// The reason, for the log.
        case failed(String)
    }

    private enum Phase: Equatable {
        case waiting
        case listing
        case watching(since: Instant)
    }

    /// The first pause.
    static let firstPause = Instant.Span.milliseconds(500)
    /// The longest one, which a half more may come on top of.
    static let longestPause = Instant.Span.seconds(30)
    /// The minimum duration of a watch that counts as successful.
    private static let goodLife = Instant.Span.seconds(5)

    private var phase = Phase.waiting
    private var version: String?
    /// Attempts in a row that brought nothing.
    private var failures = 0
    private var jitter: SplitMix64

    /// Whether the known objects are the API's current ones, as far as it has reported.
    package private(set) var isInSync = false
    /// Objects that came, and attempts that failed, for the metrics.
    package private(set) var events = 0
    package private(set) var failed = 0

    package init(seed: UInt64) { jitter = SplitMix64(seed: seed) }

    /// Begins.
    package mutating func start() -> Action { list(continuing: nil) }

    /// A page of the list came; with a token there are more.
    package mutating func listed(
        version: String?, continuing token: String?, now: Instant
    ) -> Action {
        guard phase == .listing else { return .nothing }
        if let token { return .list(continuing: token) }
        guard let version, !version.isEmpty else {
            return ended(.failed("the list has no version"), now: now)
        }
        self.version = version
        isInSync = true
        phase = .watching(since: now)
        return .watch(from: version)
    }

    /// An object or a bookmark came, after which a watch can go on from this version.
    package mutating func received(version: String?, isBookmark: Bool = false) {
        guard case .watching = phase else { return }
        if !isBookmark { events += 1 }
        if let version, !version.isEmpty { self.version = version }
        failures = 0
    }

    /// A list or a watch is over.
    package mutating func ended(_ end: End, now: Instant) -> Action {
        let phase = phase
        switch end {
        case .finished:
            guard case .watching(let since) = phase, let version else { return pause(now) }
            if now - since >= Self.goodLife { failures = 0 }
            // One that ends at once, time and again, is not to keep two machines busy.
            if now - since < Self.goodLife, failures > 0 { return pause(now) }
            failures += 1
            self.phase = .watching(since: now)
            return .watch(from: version)
        case .gone:
            version = nil
            // A list makes it good; a server that says so to every watch is broken.
            if failures > 1 { return fail(now) }
            failures += 1
            return list(continuing: nil)
        case .failed:
            return fail(now)
        }
    }

    /// The pause is over.
    package mutating func deadlineReached(now: Instant) -> Action {
        guard phase == .waiting else { return .nothing }
        guard let version else { return list(continuing: nil) }
        phase = .watching(since: now)
        return .watch(from: version)
    }

    // MARK: -

    private mutating func list(continuing token: String?) -> Action {
        phase = .listing
        return .list(continuing: token)
    }

    private mutating func fail(_ now: Instant) -> Action {
        failed += 1
        isInSync = false
        // Half of a list is none, and what was missed meanwhile is in the next one.
        version = nil
        return pause(now)
    }

    private mutating func pause(_ now: Instant) -> Action {
        phase = .waiting
        let doubled = Self.firstPause.nanoseconds << UInt64(min(failures, 10))
        failures += 1
        let pause = min(doubled, Self.longestPause.nanoseconds)
        return .wait(until: now + Instant.Span(nanoseconds: pause + jitter.next() % (pause / 2 + 1)))
    }
}
