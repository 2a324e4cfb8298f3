// SPDX-License-Identifier: Apache-2.0

package import Dispatch
package import Logging
package import ProxyCore
package import StatementClassifier

/// Keeps a catalogue snapshot of each database that somebody works in.
///
/// Snapshots are read from the primary, on an interval and when one is said to be out of date.
/// Each reading uses a connection of its own, which is closed at once: a database that can be
/// dropped must not be held by us. A snapshot stays in use until a newer one is there.
// Confined to `queue`; the entries for other threads go through it.
package final class CatalogueStore: @unchecked Sendable {
    /// Databases with a snapshot; beyond that the one that was needed the longest time ago goes.
    package static let capacity = 64
    /// Between two readings of one database, however often it is said to be out of date.
    private static let spacing = Instant.Span.seconds(1)
    private static let longestPause = Instant.Span.seconds(60)
    private static let timeout = Instant.Span.seconds(20)
    /// Readings at a time.
    private static let readingLimit = 2

    private struct Entry {
        var connection: ControlConnection?
        var dueAt: Instant
        var startedAt: Instant?
        var isStale = false
        var failures = 0
        var neededAt: Instant
    }

    private let queue: DispatchQueue
    private let account: ControlAccount
    private let clock: @Sendable () -> Instant
    private let logger: Logger
    private let query: String
    private let onChange: @Sendable (String, Catalogue?) -> Void
    private var routing: RoutingPolicy
    private var primary: Topology.Node?
    private var entries: [String: Entry] = [:]
    private let timer: any DispatchSourceTimer

    /// `query` gives rows of (kind, name), as `Catalogue` takes them. `onChange` is called on the
    /// queue with every new snapshot, and with nil when one is dropped.
    package init(
        query: String = CatalogueQueries.snapshot, account: ControlAccount,
        routing: RoutingPolicy, queue: DispatchQueue, logger: Logger,
        clock: @escaping @Sendable () -> Instant,
        onChange: @escaping @Sendable (String, Catalogue?) -> Void
    ) {
        self.query = query
        self.account = account
        self.routing = routing
        self.queue = queue
        self.logger = logger
        self.clock = clock
        self.onChange = onChange
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .distantFuture)
        timer.setEventHandler { [weak self] in self?.run() }
        timer.activate()
    }

    deinit { timer.cancel() }

    // MARK: From any thread

    /// Somebody works in this database.
    package func need(_ database: String) {
        queue.async {
            let now = self.clock()
            if self.entries[database] == nil {
                self.makeRoom()
                self.entries[database] = Entry(dueAt: now, neededAt: now)
            }
            self.entries[database]?.neededAt = now
            self.run()
        }
    }

    /// The schema of this database changed, or a replica refused what its snapshot calls a read.
    package func stale(_ database: String) {
        queue.async {
            guard self.entries[database] != nil else { return }
            self.hurry(database)
            self.run()
        }
    }

    package func topologyChanged(_ topology: Topology) {
        queue.async {
            let primary = topology.primary.flatMap { topology[$0] }
            guard primary?.id != self.primary?.id else { return }
            self.primary = primary
            self.run()
        }
    }

    /// Another interval, from the next reading on.
    package func reconfigure(_ routing: RoutingPolicy) {
        queue.async { self.routing = routing }
    }

    package func stop() {
        queue.async {
            self.timer.schedule(deadline: .distantFuture)
            let connections = self.entries.values.compactMap(\.connection)
            self.entries = [:]
            for connection in connections { connection.close() }
        }
    }

    // MARK: On the queue

    private func hurry(_ database: String) {
        guard let entry = entries[database] else { return }
        // A reading that is under way may have begun before the change.
        if entry.connection != nil { entries[database]?.isStale = true }
        let earliest = entry.startedAt.map { max($0 + Self.spacing, clock()) } ?? clock()
        entries[database]?.dueAt = min(entry.dueAt, earliest)
    }

    private func run() {
        let now = clock()
        var reading = entries.values.filter { $0.connection != nil }.count
        var next = Instant.distantFuture
        for (database, entry) in entries.sorted(by: { $0.value.dueAt < $1.value.dueAt })
        where entry.connection == nil {
            if entry.dueAt > now {
                next = min(next, entry.dueAt)
            } else if let primary, reading < Self.readingLimit {
                reading += 1
                read(database, from: primary, now)
            }
        }
        // Without a primary, or with too many under way, somebody else calls again.
        let wait = next == .distantFuture ? Instant.Span.seconds(3600) : next - now
        timer.schedule(
            deadline: .now() + .nanoseconds(Int(clamping: wait.nanoseconds)),
            leeway: .milliseconds(50))
    }

    private func read(_ database: String, from node: Topology.Node, _ now: Instant) {
        let connection = ControlConnection(
            host: node.host, port: node.port, account: account.with(database: database),
            queue: queue, clock: clock)
        entries[database]?.connection = connection
        entries[database]?.startedAt = now
        entries[database]?.isStale = false
        connection.query(query, timeout: Self.timeout) { [weak self] result in
            connection.close()
            self?.finished(database, connection, result)
        }
    }

    private func finished(
        _ database: String, _ connection: ControlConnection,
        _ result: Result<ControlAnswer, ControlFault>
    ) {
        guard let entry = entries[database], entry.connection === connection else { return }
        let now = clock()
        entries[database]?.connection = nil
        switch result {
        case .success(let answer):
            entries[database]?.failures = 0
            entries[database]?.dueAt =
                entry.isStale ? now + Self.spacing : now + routing.catalogueInterval
            onChange(database, Catalogue(answer: answer.rows))
        case .failure(let fault):
            entries[database]?.failures += 1
            let doubled = Instant.Span.milliseconds(500 << UInt64(min(entry.failures, 8)))
            entries[database]?.dueAt = now + min(doubled, Self.longestPause)
            if entry.failures == 0 {
                logger.warning(
                    "catalogue cannot be read",
                    metadata: ["database": "\(database)", "reason": "\(fault.words)"])
            }
        }
        // Not from within the call-back of a connection.
        queue.async { [weak self] in self?.run() }
    }

    private func makeRoom() {
        guard entries.count >= Self.capacity,
            let oldest = entries.min(by: { $0.value.neededAt < $1.value.neededAt })
        else { return }
        let connection = entries.removeValue(forKey: oldest.key)?.connection
        connection?.close()
        onChange(oldest.key, nil)
    }
}
