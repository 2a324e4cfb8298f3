// SPDX-License-Identifier: Apache-2.0

internal import DequeModule
package import Dispatch
package import Logging
package import ProxyCore

/// Finds the secrets of roles with the service account, and remembers them for a while.
///
/// It asks the primary, whose answer is never late; while there is none, a replica. Where the
/// account may not read `pg_authid`, the function of `martlet setup` answers for it.
///
/// With no lifetime each login gets an answer to a question that was sent after the login began, so
/// that a new password, NOLOGIN or VALID UNTIL counts for everybody who connects after it. That is
/// one question at a time for a role, however many log in: who comes while one is on its way waits
/// for the next, together with all others. A secret that ran out is still used while nobody can be
/// asked: the server checks the client's key in the end.
// Confined to `queue`; the entries for other threads go through it.
package final class SecretStore: @unchecked Sendable {
    package typealias Completion = @Sendable (SecretLookup) -> Void

    /// Roles remembered, existing or not.
    package static let capacity = 4096
    /// Roles that are being asked for at a time, and those that may wait for their turn.
    private static let askedAtOnce = 128
    package static let questionLimit = 4096
    /// A role that was not there is asked for again after this time at the latest.
    private static let absenceLifetime = Instant.Span.seconds(5)
    private static let staleLifetime = Instant.Span.seconds(300)
    private static let timeout = Instant.Span.seconds(5)

    private struct Entry {
        /// Nil where there is no such role, or it may not log in.
        var secret: RoleSecret?
        var fetchedAt: Instant
        var usedAt: Instant

        var answer: SecretLookup { secret.map { .found($0) } ?? .absent(fetchedAt: fetchedAt) }
    }

    private struct Waiter {
        let newerThan: Instant
        let completion: Completion
    }

    /// How this account gets at secrets.
    private enum Way: Equatable {
        case unknown, table, function
    }

    private let queue: DispatchQueue
    private let clock: @Sendable () -> Instant
    private let logger: Logger
    private let account: ControlAccount
    private var lookupFunction: String
    private var lifetime: Instant.Span
    private var topology = Topology()
    private var source: (id: NodeID, connection: ControlConnection, way: Way)?
    private var entries: [String: Entry] = [:]
    private var questions: [String: [Waiter]] = [:]
    /// How many of these have been asked, and the others, in the order in which they came.
    private var asked = 0
    private var unasked: Deque<String> = []
    private var hasComplained = false

    /// `lookupFunction`: `schema.name`, takes a role's name and returns its secret and the end of
    /// its validity.
    package init(
        account: ControlAccount, lookupFunction: String, lifetime: Instant.Span,
        queue: DispatchQueue, logger: Logger, clock: @escaping @Sendable () -> Instant
    ) {
        self.account = account
        self.lookupFunction = lookupFunction
        self.lifetime = lifetime
        self.queue = queue
        self.logger = logger
        self.clock = clock
    }

    // MARK: From any thread

    /// Calls back on the queue, exactly once. `newerThan` refuses what was fetched before: a
    /// client whose password has just been changed is not told wrong by a remembered secret.
    package func lookUp(
        _ user: String, newerThan: Instant = Instant(0), _ completion: @escaping Completion
    ) {
        queue.async {
            // Nothing older than the lifetime, counted from now and not from when it is found out.
            let now = self.clock().nanoseconds
            let oldest = Instant(now - min(self.lifetime.nanoseconds, now))
            self.find(user, max(newerThan, oldest), completion)
        }
    }

    package func topologyChanged(_ topology: Topology) {
        queue.async {
            self.topology = topology
            // Not the secrets of a member that is no longer the one to ask.
            if let source = self.source, source.id != self.best?.id { self.leave() }
        }
    }

    package func reconfigure(lookupFunction: String, lifetime: Instant.Span) {
        queue.async {
            if lookupFunction != self.lookupFunction { self.leave() }
            self.lookupFunction = lookupFunction
            self.lifetime = lifetime
        }
    }

    package func stop() { queue.async { self.leave() } }

    // MARK: On the queue

    private func find(_ user: String, _ newerThan: Instant, _ completion: @escaping Completion) {
        let now = clock()
        if let entry = entries[user], entry.fetchedAt >= newerThan, isFresh(entry, now) {
            entries[user]?.usedAt = now
            return completion(entry.answer)
        }
        let waiter = Waiter(newerThan: newerThan, completion: completion)
        if questions[user] != nil {
            questions[user]?.append(waiter)
            return
        }
        guard questions.count < Self.questionLimit else {
            return completion(.unavailable("too many roles are being looked up"))
        }
        questions[user] = [waiter]
        unasked.append(user)
        askNext()
    }

    private func askNext() {
        guard asked < Self.askedAtOnce, let user = unasked.popFirst() else { return }
        asked += 1
        ask(user)
    }

    private func isFresh(_ entry: Entry, _ now: Instant) -> Bool {
        let limit = entry.secret?.text == nil ? min(lifetime, Self.absenceLifetime) : lifetime
        return now - entry.fetchedAt < limit
    }

    private func ask(_ user: String, attempt: Int = 1) {
        guard let source = source ?? connect() else {
            return answer(user, .failure(.lost("no member of the cluster can be asked")))
        }
        guard source.way != .unknown else {
            return findWay(user, source.connection, source.id, attempt)
        }
        let text = source.way == .table ? Self.tableQuery : functionQuery
        source.connection.query(text, [user], timeout: Self.timeout) { [weak self] result in
            self?.answered(user, result, attempt)
        }
    }

    private func findWay(
        _ user: String, _ connection: ControlConnection, _ id: NodeID, _ attempt: Int
    ) {
        let text = """
            SELECT pg_catalog.bool_and(
              pg_catalog.has_column_privilege('pg_catalog.pg_authid', name, 'SELECT'))
            FROM (VALUES ('rolpassword'), ('rolvaliduntil'), ('rolname'), ('rolcanlogin'))
              AS wanted(name)
            """
        connection.query(text, timeout: Self.timeout) { [weak self] result in
            guard let self else { return }
            switch result {
            case .failure: answered(user, result, attempt)
            case .success(let found):
                let way: Way = found.rows.first?.first == "t" ? .table : .function
                if source?.id == id { source?.way = way }
                ask(user, attempt: attempt)
            }
        }
    }

    /// A connection that broke, or was given up for a new primary, is no answer: once more.
    private func answered(
        _ user: String, _ result: Result<ControlAnswer, ControlFault>, _ attempt: Int
    ) {
        switch result {
        case .failure(.lost) where attempt < 3, .failure(.closed) where attempt < 3:
            // Not from within the call-back of a connection.
            queue.async { [weak self] in self?.ask(user, attempt: attempt + 1) }
        default: answer(user, result)
        }
    }

    private func answer(_ user: String, _ result: Result<ControlAnswer, ControlFault>) {
        asked -= 1
        // Not from here: where nobody can be asked, each question ends before it has begun.
        queue.async { [weak self] in self?.askNext() }
        let waiting = questions.removeValue(forKey: user) ?? []
        let lookup: SecretLookup
        switch result {
        case .success(let found):
            hasComplained = false
            let entry = Entry(
                secret: found.rows.first.flatMap { Self.secret($0, askedAt: found.sentAt) },
                fetchedAt: found.sentAt, usedAt: clock())
            remember(user, entry)
            lookup = entry.answer
        case .failure(let fault):
            complain(fault)
            lookup = stale(user) ?? .unavailable(fault.words)
        }
        for waiter in waiting {
            if case .success(let found) = result, found.sentAt < waiter.newerThan {
                // It joined a question that had been sent before its time.
                find(user, waiter.newerThan, waiter.completion)
            } else {
                waiter.completion(lookup)
            }
        }
    }

    /// A secret that ran out not long ago, for want of a better one.
    private func stale(_ user: String) -> SecretLookup? {
        guard let entry = entries[user], entry.secret != nil,
            clock() - entry.fetchedAt < Self.staleLifetime
        else { return nil }
        return entry.answer
    }

    private func remember(_ user: String, _ entry: Entry) {
        if entries[user] == nil, entries.count >= Self.capacity { forgetSome() }
        entries[user] = entry
    }

    /// Makes room for a while: the quarter that was used the longest time ago goes.
    private func forgetSome() {
        let byAge = entries.sorted { $0.value.usedAt < $1.value.usedAt }
        for (user, _) in byAge.prefix(Self.capacity / 4) { entries[user] = nil }
    }

    private func complain(_ fault: ControlFault) {
        guard !hasComplained else { return }
        hasComplained = true
        var reason = fault.words
        if case .refused(let sqlState, _) = fault, ["42883", "3F000", "42501"].contains(sqlState) {
            reason += " (martlet setup prints the SQL that this needs)"
        }
        logger.warning("secrets cannot be looked up", metadata: ["reason": "\(reason)"])
    }

    // MARK: Whom to ask

    /// The primary, or else any replica that serves reads.
    private var best: Topology.Node? {
        if let primary = topology.primary { return topology[primary] }
        return topology.nodes.first { $0.role == .replica && $0.exclusion == nil }
            ?? topology.nodes.first { $0.role == .replica && $0.exclusion != .unreachable }
    }

    private func connect() -> (id: NodeID, connection: ControlConnection, way: Way)? {
        guard let node = best else { return nil }
        let connection = ControlConnection(
            host: node.host, port: node.port, account: account, queue: queue, clock: clock)
        source = (node.id, connection, .unknown)
        return source
    }

    private func leave() {
        let connection = source?.connection
        source = nil
        connection?.close()
    }

    // MARK: The questions

    /// The secret, and the seconds for which it is valid; nothing where it is valid for ever.
    ///
    /// Seconds, because the clocks of both machines need not agree; and infinity can be told from
    /// other times only in that way before PostgreSQL 17.
    private static func columns(_ secret: String, _ validUntil: String) -> String {
        """
        \(secret), CASE
            WHEN \(validUntil) = 'infinity' THEN NULL
            WHEN \(validUntil) < pg_catalog.clock_timestamp() THEN -1
            ELSE extract(epoch FROM \(validUntil) - pg_catalog.clock_timestamp()) END
        """
    }

    private static let tableQuery = """
        SELECT \(columns("rolpassword", "rolvaliduntil"))
        FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin
        """

    private var functionQuery: String {
        let name = lookupFunction.split(separator: ".").map { part in
            "\"" + part.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"") + "\""
        }
        let qualified = name.count == 1 ? "public." + name[0] : name.joined(separator: ".")
        return "SELECT \(Self.columns("secret", "valid_until")) FROM \(qualified)($1)"
    }

    private static func secret(_ row: [String?], askedAt: Instant) -> RoleSecret? {
        guard row.count == 2 else { return nil }
        return RoleSecret(
            text: row[0], validUntil: row[1].map { end(of: $0, askedAt: askedAt) },
            fetchedAt: askedAt)
    }

    /// Counted from the question, not from the answer, it is never too late.
    private static func end(of seconds: String, askedAt: Instant) -> Instant {
        // What cannot be read is over; thirty years are for ever.
        guard let seconds = Double(seconds), seconds > 0 else { return Instant(0) }
        return askedAt + .milliseconds(UInt64(min(seconds, 1e9) * 1000))
    }
}
