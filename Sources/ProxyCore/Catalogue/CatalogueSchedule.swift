// SPDX-License-Identifier: Apache-2.0

internal import DequeModule
package import StatementClassifier

/// Decides which database's catalogue is read when, and whether what was read is news.
///
///     needed ──▶ due ──read──▶ reading ──▶ due again: after the interval, or after a pause
///                 ▲               │         that doubles with each failure
///                 └── out of date ┘
///
/// Snapshots come from the primary only. One stays in use until another one differs from it.
/// Nothing here knows a clock or a connection: events say what happened, actions what to do.
package struct CatalogueSchedule {
    /// Databases with a snapshot; beyond that the one that was needed the longest time ago goes.
    package static let capacity = 64
    /// Between two readings of one database, however often it is said to be out of date.
    private static let spacing = Instant.Span.seconds(1)
    private static let longestPause = Instant.Span.seconds(60)
    /// Readings at a time.
    private static let readingLimit = 2

    /// One reading of a database's catalogue from the primary.
    package struct Reading: Hashable, Sendable {
        package let database: String
        package let host: String
        package let port: UInt16
        fileprivate let number: UInt64
    }

    /// What the schedule is told.
    package enum Event {
        /// A client works in this database.
        case needed(database: String)
        /// The schema changed, or a replica refused what the snapshot calls a read.
        case outdated(database: String)
        case topologyChanged(Topology)
        /// Another interval, from the next reading on.
        case reconfigured(interval: Instant.Span)
        case read(Reading, Catalogue)
        case failed(Reading, reason: String)
        /// Nothing is read any more.
        case stopped
    }

    /// What the schedule wants done.
    package enum Action: Equatable, Sendable {
        /// Run `CatalogueQueries.snapshot` there; then `read` or `failed`.
        case read(Reading)
        /// Nobody waits for the result any more.
        case abandon(Reading)
        /// Hand this snapshot to all shards; nil where there is none any more.
        case publish(Catalogue?, database: String)
        /// The first failure after a success.
        case warn(database: String, reason: String)
    }

    private enum Phase {
        case waiting(until: Instant)
        case reading(Reading, isOutdated: Bool)
    }

    private struct Entry {
        var phase: Phase
        var neededAt: Instant
        var startedAt: Instant?
        var failures = 0
        var catalogue: Catalogue?

        /// The reading that is under way.
        var reading: Reading? {
            if case .reading(let reading, _) = phase { reading } else { nil }
        }

        /// When it is to be read, unless it is being read.
        var dueAt: Instant? {
            if case .waiting(let until) = phase { until } else { nil }
        }
    }

    private var interval: Instant.Span
    private var primary: Topology.Node?
    private var entries: [String: Entry] = [:]
    private var actions: Deque<Action> = []
    private var lastNumber: UInt64 = 0

    package init(interval: Instant.Span) { self.interval = interval }

    // MARK: Events

    package mutating func notified(_ event: Event, now: Instant) {
        switch event {
        case .needed(let database): needed(database, now)
        case .outdated(let database): outdated(database, now)
        case .topologyChanged(let topology):
            primary = topology.primary.flatMap { topology[$0] }
        case .reconfigured(let interval): self.interval = interval
        case .read(let reading, let catalogue): read(reading, catalogue, now)
        case .failed(let reading, let reason): failed(reading, reason, now)
        case .stopped:
            primary = nil
            for name in entries.keys.sorted() { abandon(entries.removeValue(forKey: name)) }
        }
    }

    private mutating func needed(_ database: String, _ now: Instant) {
        if entries[database] == nil {
            makeRoom()
            entries[database] = Entry(phase: .waiting(until: now), neededAt: now)
        }
        entries[database]?.neededAt = now
    }

    private mutating func makeRoom() {
        guard entries.count >= Self.capacity,
            let oldest = entries.min(by: {
                ($0.value.neededAt, $0.key) < ($1.value.neededAt, $1.key)
            })
        else { return }
        abandon(entries.removeValue(forKey: oldest.key))
        if oldest.value.catalogue != nil { actions.append(.publish(nil, database: oldest.key)) }
    }

    private mutating func abandon(_ entry: Entry?) {
        if let reading = entry?.reading { actions.append(.abandon(reading)) }
    }

    private mutating func outdated(_ database: String, _ now: Instant) {
        guard let entry = entries[database] else { return }
        switch entry.phase {
        case .reading(let reading, _):
            // It may have begun before the change.
            entries[database]?.phase = .reading(reading, isOutdated: true)
        case .waiting(let until):
            let earliest = entry.startedAt.map { max($0 + Self.spacing, now) } ?? now
            entries[database]?.phase = .waiting(until: min(until, earliest))
        }
    }

    private mutating func read(_ reading: Reading, _ catalogue: Catalogue, _ now: Instant) {
        let database = reading.database
        guard let entry = entries[database],
            case .reading(reading, let isOutdated) = entry.phase
        else { return }
        entries[database]?.failures = 0
        entries[database]?.phase = .waiting(until: now + (isOutdated ? Self.spacing : interval))
        if catalogue == entry.catalogue { return }
        entries[database]?.catalogue = catalogue
        actions.append(.publish(catalogue, database: database))
    }

    private mutating func failed(_ reading: Reading, _ reason: String, _ now: Instant) {
        let database = reading.database
        guard let entry = entries[database], entry.reading == reading else { return }
        let doubled = Instant.Span.milliseconds(500 << UInt64(min(entry.failures + 1, 8)))
        entries[database]?.failures += 1
        entries[database]?.phase = .waiting(until: now + min(doubled, Self.longestPause))
        if entry.failures == 0 { actions.append(.warn(database: database, reason: reason)) }
    }

    // MARK: Actions

    /// What to do now; nil when there is nothing until the next event or `nextDeadline`.
    package mutating func nextAction(_ now: Instant) -> Action? {
        if let action = actions.popFirst() { return action }
        guard let primary, let next = nextDue, next.dueAt <= now else { return nil }
        lastNumber += 1
        let reading = Reading(
            database: next.database, host: primary.host, port: primary.port, number: lastNumber)
        entries[next.database]?.phase = .reading(reading, isOutdated: false)
        entries[next.database]?.startedAt = now
        return .read(reading)
    }

    /// When the next reading may begin; without a primary, or with too many under way, an event
    /// comes first.
    package var nextDeadline: Instant {
        primary == nil ? .distantFuture : nextDue?.dueAt ?? .distantFuture
    }

    /// The database that is due first, if another reading may begin.
    private var nextDue: (dueAt: Instant, database: String)? {
        guard entries.values.count(where: { $0.reading != nil }) < Self.readingLimit else {
            return nil
        }
        return entries.compactMap { name, entry in entry.dueAt.map { ($0, name) } }
            .min { ($0.0, $0.1) < ($1.0, $1.1) }
    }
}
