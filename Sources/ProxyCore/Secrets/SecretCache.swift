// SPDX-License-Identifier: Apache-2.0

internal import DequeModule
package import PostgresWire

/// Decides when the secret of a role is looked up, on which node, and who gets the result.
///
///     requested ──▶ queued ──▶ awaiting rights ──▶ asked ──▶ answered
///                     │ (known to be fresh)          │ connection lost: up to three attempts
///                     └──────────▶ answered          └──────▶ asked again
///
/// The primary is asked, whose reply is never late; while there is none, a replica. Where the
/// account may not read `pg_authid`, the function of `martlet setup` is asked instead.
///
/// With no lifetime each login gets the reply to a query that was sent after the login began, so
/// that a new password, NOLOGIN or VALID UNTIL holds for everybody who connects after it. That is
/// one query at a time for a role, however many log in: who comes while one is on its way waits
/// for the next, together with all others. A secret that has expired here is still used while no
/// node can be asked: the server checks the client's key in the end.
package struct SecretCache {
    /// Roles remembered, existing or not.
    package static let capacity = 4096
    /// Roles that may be looked up at a time, the queued ones included.
    package static let searchLimit = 4096
    /// Roles for which a query is on its way at a time.
    private static let activeLimit = 128
    private static let attemptLimit = 3
    /// A role that was not there is looked up again after this time at the latest.
    private static let absenceLifetime = Instant.Span.seconds(5)
    private static let staleLifetime = Instant.Span.seconds(300)

    /// Names a request; the caller chooses it.
    package typealias Ticket = UInt64

    /// Where the account reads secrets.
    package enum Way: Equatable, Sendable {
        case table, function
    }

    /// One query for one role.
    package struct Query: Equatable, Sendable {
        package let role: String
        fileprivate let number: UInt64
    }

    /// What the cache is told.
    package enum Event {
        /// Nothing that was fetched before `newerThan` will do: a client whose password has just
        /// been changed is not told wrong by a remembered secret.
        case requested(Ticket, role: String, newerThan: Instant)
        case topologyChanged(Topology)
        case reconfigured(lifetime: Instant.Span)
        /// The function of `martlet setup` has another name.
        case functionChanged
        /// The result of `readRights`, with its number.
        case rightsRead(UInt64, Way)
        case rightsFailed(UInt64, SecretFault)
        /// The result of `send`; nil where there is no such role, or it may not log in.
        case found(Query, RoleSecret?, sentAt: Instant)
        case failed(Query, SecretFault)
        /// Nothing is asked any more.
        case stopped
    }

    /// What the cache wants done.
    package enum Action: Equatable, Sendable {
        /// Later queries go to this node.
        case connect(host: String, port: UInt16)
        case disconnect
        /// Run `SecretQueries.rights`; then `rightsRead` or `rightsFailed`.
        case readRights(UInt64)
        /// Run the query of this way for the role; then `found` or `failed`.
        case send(Query, Way)
        /// The end of a request; each has one.
        case answer(Ticket, SecretLookup)
        /// The first failure after a success.
        case warn(SecretFault)
    }

    private struct Entry {
        var secret: RoleSecret?
        var fetchedAt: Instant
        var usedAt: Instant

        var lookup: SecretLookup { secret.map { .found($0) } ?? .absent(fetchedAt: fetchedAt) }
    }

    private struct Waiter {
        let ticket: Ticket
        let newerThan: Instant
    }

    /// A role that is being looked up.
    private struct Search {
        enum Phase: Equatable {
            case queued
            case awaitingRights
            case asked(Query)
        }

        var waiters: [Waiter]
        var phase = Phase.queued
        var attempt = 1
    }

    private enum Rights: Equatable {
        case unknown
        case asked(UInt64)
        case known(Way)
    }

    private struct Source {
        let id: NodeID
        var rights = Rights.unknown
    }

    private var lifetime: Instant.Span
    private var topology = Topology()
    private var source: Source?
    private var entries: [String: Entry] = [:]
    private var searches: [String: Search] = [:]
    /// Searches that have not begun, in the order in which they came; and how many others there are.
    private var queued: Deque<String> = []
    private var activeCount = 0
    private var lastNumber: UInt64 = 0
    private var hasWarned = false
    private var actions: Deque<Action> = []

    package init(lifetime: Instant.Span) { self.lifetime = lifetime }

    /// What to do now; nil when there is nothing until the next event.
    package mutating func nextAction() -> Action? { actions.popFirst() }

    // MARK: Events

    package mutating func notified(_ event: Event, now: Instant) {
        switch event {
        case .requested(let ticket, let role, let newerThan):
            // Nothing older than the lifetime, counted from now and not from the reply.
            let oldest = Instant(now.nanoseconds - min(lifetime.nanoseconds, now.nanoseconds))
            let waiter = Waiter(ticket: ticket, newerThan: max(newerThan, oldest))
            request(role, waiter, now)
        case .topologyChanged(let topology):
            self.topology = topology
            // Not the secrets of a node that is no longer the one to ask.
            if let source, source.id != best?.id { leave(now) }
        case .reconfigured(let lifetime): self.lifetime = lifetime
        case .functionChanged: leave(now)
        case .rightsRead(let number, let way):
            guard source?.rights == .asked(number) else { return }
            source?.rights = .known(way)
            for role in roles(in: { $0 == .awaitingRights }) { send(role, now) }
        case .rightsFailed(let number, let fault):
            guard source?.rights == .asked(number) else { return }
            source?.rights = .unknown
            for role in roles(in: { $0 == .awaitingRights }) { failed(role, fault, now) }
        case .found(let query, let secret, let sentAt): found(query, secret, sentAt, now)
        case .failed(let query, let fault):
            guard searches[query.role]?.phase == .asked(query) else { return }
            failed(query.role, fault, now)
        case .stopped:
            topology = Topology()
            leave(now)
        }
        while activeCount < Self.activeLimit, let role = queued.popFirst() {
            activeCount += 1
            send(role, now)
        }
    }

    private mutating func request(_ role: String, _ waiter: Waiter, _ now: Instant) {
        if let entry = entries[role], entry.fetchedAt >= waiter.newerThan, isFresh(entry, now) {
            entries[role]?.usedAt = now
            return actions.append(.answer(waiter.ticket, entry.lookup))
        }
        if searches[role] != nil {
            searches[role]?.waiters.append(waiter)
            return
        }
        guard searches.count < Self.searchLimit else {
            let lookup = SecretLookup.unavailable("too many roles are being looked up")
            return actions.append(.answer(waiter.ticket, lookup))
        }
        searches[role] = Search(waiters: [waiter])
        queued.append(role)
    }

    private func isFresh(_ entry: Entry, _ now: Instant) -> Bool {
        let limit = entry.secret?.text == nil ? min(lifetime, Self.absenceLifetime) : lifetime
        return now - entry.fetchedAt < limit
    }

    /// Roles whose search is in such a phase, by name.
    private func roles(in isWanted: (Search.Phase) -> Bool) -> [String] {
        searches.filter { isWanted($0.value.phase) }.keys.sorted()
    }

    // MARK: Queries

    private mutating func send(_ role: String, _ now: Instant) {
        if source == nil, let best {
            source = Source(id: best.id)
            actions.append(.connect(host: best.host, port: best.port))
        }
        switch source?.rights {
        case nil: end(role, .failure(.lost("no member of the cluster can be asked")), now)
        case .unknown:
            lastNumber += 1
            source?.rights = .asked(lastNumber)
            searches[role]?.phase = .awaitingRights
            actions.append(.readRights(lastNumber))
        case .asked: searches[role]?.phase = .awaitingRights
        case .known(let way):
            lastNumber += 1
            let query = Query(role: role, number: lastNumber)
            searches[role]?.phase = .asked(query)
            actions.append(.send(query, way))
        }
    }

    /// A connection that broke, or was given up for a new primary, says nothing about the role.
    private mutating func failed(_ role: String, _ fault: SecretFault, _ now: Instant) {
        guard fault.isRetryable, let attempt = searches[role]?.attempt,
            attempt < Self.attemptLimit
        else { return end(role, .failure(fault), now) }
        searches[role]?.attempt = attempt + 1
        send(role, now)
    }

    private mutating func found(
        _ query: Query, _ secret: RoleSecret?, _ sentAt: Instant, _ now: Instant
    ) {
        guard searches[query.role]?.phase == .asked(query) else { return }
        hasWarned = false
        let entry = Entry(secret: secret, fetchedAt: sentAt, usedAt: now)
        if entries[query.role] == nil, entries.count >= Self.capacity { forgetSome() }
        entries[query.role] = entry
        end(query.role, .success(entry), now)
    }

    private mutating func end(
        _ role: String, _ result: Result<Entry, SecretFault>, _ now: Instant
    ) {
        activeCount -= 1
        let waiters = searches.removeValue(forKey: role)?.waiters ?? []
        switch result {
        case .success(let entry):
            for waiter in waiters {
                if entry.fetchedAt < waiter.newerThan {
                    // It joined a query that had been sent before its time.
                    request(role, waiter, now)
                } else {
                    actions.append(.answer(waiter.ticket, entry.lookup))
                }
            }
        case .failure(let fault):
            if !hasWarned { actions.append(.warn(fault)) }
            hasWarned = true
            let lookup = stale(role, now) ?? .unavailable(fault.words)
            for waiter in waiters { actions.append(.answer(waiter.ticket, lookup)) }
        }
    }

    /// A secret that expired here not long ago, for want of a better one.
    private func stale(_ role: String, _ now: Instant) -> SecretLookup? {
        guard let entry = entries[role], entry.secret != nil,
            now - entry.fetchedAt < Self.staleLifetime
        else { return nil }
        return entry.lookup
    }

    /// Makes room for a while: the quarter that was used the longest time ago goes.
    private mutating func forgetSome() {
        let byAge = entries.sorted { ($0.value.usedAt, $0.key) < ($1.value.usedAt, $1.key) }
        for (role, _) in byAge.prefix(Self.capacity / 4) { entries[role] = nil }
    }

    // MARK: Which node

    /// The primary, or else any replica, one that serves reads before others.
    private var best: Topology.Node? {
        if let primary = topology.primary { return topology[primary] }
        return topology.nodes.first { $0.role == .replica && $0.exclusion == nil }
            ?? topology.nodes.first { $0.role == .replica && $0.exclusion != .unreachable }
    }

    /// Gives the connection up; what was asked on it is asked elsewhere.
    private mutating func leave(_ now: Instant) {
        guard source != nil else { return }
        source = nil
        actions.append(.disconnect)
        for role in roles(in: { $0 != .queued }) {
            failed(role, .lost("the connection was given up"), now)
        }
    }
}

/// Why a secret could not be looked up.
package enum SecretFault: Error, Equatable, Sendable {
    /// The connection broke, or was given up: the query may be sent again.
    case lost(String)
    /// The server refused the query, or the account.
    case refused(sqlState: SQLState, words: String)
    /// No reply came in time, or the query could not be sent.
    case failed(String)

    /// For a log line and for the client.
    package var words: String {
        switch self {
        case .lost(let words), .refused(_, let words), .failed(let words): words
        }
    }

    /// Whether another attempt may succeed at once.
    var isRetryable: Bool {
        if case .lost = self { true } else { false }
    }
}
