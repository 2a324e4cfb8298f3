// SPDX-License-Identifier: Apache-2.0

package import Dispatch
package import Logging
package import ProxyCore
package import StatementClassifier

/// Performs what `CatalogueSchedule` decides: reads catalogues over libpq, and hands them out.
///
/// Each reading uses a connection of its own, which is closed at once, so that martlet does not
/// keep anybody from dropping a database.
// Confined to `queue`; the entries for other threads go through it.
package final class CatalogueStore: @unchecked Sendable {
    private static let timeout = Instant.Span.seconds(20)

    private let queue: DispatchQueue
    private let account: ControlAccount
    private let clock: @Sendable () -> Instant
    private let logger: Logger
    private let query: String
    private let onChange: @Sendable (String, Catalogue?) -> Void
    private var schedule: CatalogueSchedule
    private var connections: [CatalogueSchedule.Reading: ControlConnection] = [:]
    private let timer: any DispatchSourceTimer

    /// `query` gives rows of (kind, name), as `Catalogue` takes them. `onChange` is called on the
    /// queue with each snapshot that differs from the one before, and with nil when one is dropped.
    package init(
        query: String = CatalogueQueries.snapshot, account: ControlAccount,
        interval: Instant.Span, queue: DispatchQueue, logger: Logger,
        clock: @escaping @Sendable () -> Instant,
        onChange: @escaping @Sendable (String, Catalogue?) -> Void
    ) {
        self.query = query
        self.account = account
        self.queue = queue
        self.logger = logger
        self.clock = clock
        self.onChange = onChange
        schedule = CatalogueSchedule(interval: interval)
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .distantFuture)
        timer.setEventHandler { [weak self] in self?.run() }
        timer.activate()
    }

    deinit { timer.cancel() }

    // MARK: From any thread

    /// A client works in this database.
    package func need(_ database: String) { post(.needed(database: database)) }

    /// The schema of this database changed, or a replica refused what its snapshot calls a read.
    package func stale(_ database: String) { post(.outdated(database: database)) }

    package func topologyChanged(_ topology: Topology) { post(.topologyChanged(topology)) }

    /// Another interval, from the next reading on.
    package func reconfigure(interval: Instant.Span) { post(.reconfigured(interval: interval)) }

    package func stop() { post(.stopped) }

    private func post(_ event: CatalogueSchedule.Event) {
        queue.async {
            self.schedule.notified(event, now: self.clock())
            self.run()
        }
    }

    // MARK: On the queue

    private func run() {
        let now = clock()
        while let action = schedule.nextAction(now) { perform(action) }
        let wait = schedule.nextDeadline - now
        timer.schedule(
            deadline: .now() + .nanoseconds(Int(clamping: min(wait.nanoseconds, 1 << 42))),
            leeway: .milliseconds(50))
    }

    private func perform(_ action: CatalogueSchedule.Action) {
        switch action {
        case .read(let reading): read(reading)
        case .abandon(let reading): connections.removeValue(forKey: reading)?.close()
        case .publish(let catalogue, let database): onChange(database, catalogue)
        case .warn(let database, let reason):
            logger.warning(
                "cannot read catalogue", metadata: ["database": "\(database)", "reason": "\(reason)"])
        }
    }

    private func read(_ reading: CatalogueSchedule.Reading) {
        let connection = ControlConnection(
            host: reading.host, port: reading.port,
            account: account.with(database: reading.database), queue: queue, clock: clock)
        connections[reading] = connection
        connection.query(query, timeout: Self.timeout) { [weak self] result in
            self?.connections[reading] = nil
            connection.close()
            // The schedule hears of it after this, not in the middle of the connection's work.
            switch result {
            case .success(let answer): self?.post(.read(reading, Catalogue(answer: answer.rows)))
            case .failure(let fault): self?.post(.failed(reading, reason: fault.words))
            }
        }
    }
}
