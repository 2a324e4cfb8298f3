// SPDX-License-Identifier: Apache-2.0

package import Dispatch
package import Logging
internal import PostgresWire
package import ProxyCore

/// Performs what `SecretCache` decides: reads the secrets of roles over libpq with the service
/// account.
// Confined to `queue`; the entries for other threads go through it.
package final class SecretStore: @unchecked Sendable {
    package typealias Completion = @Sendable (SecretLookup) -> Void

    private static let timeout = Instant.Span.seconds(5)

    private let queue: DispatchQueue
    private let clock: @Sendable () -> Instant
    private let logger: Logger
    private let account: ControlAccount
    private var lookupFunction: String
    private var cache: SecretCache
    private var connection: ControlConnection?
    private var completions: [SecretCache.Ticket: Completion] = [:]
    private var lastTicket: SecretCache.Ticket = 0

    /// `lookupFunction`: `schema.name`, takes a role's name and returns its secret and the end of
    /// its validity.
    package init(
        account: ControlAccount, lookupFunction: String, lifetime: Instant.Span,
        queue: DispatchQueue, logger: Logger, clock: @escaping @Sendable () -> Instant
    ) {
        self.account = account
        self.lookupFunction = lookupFunction
        self.queue = queue
        self.logger = logger
        self.clock = clock
        cache = SecretCache(lifetime: lifetime)
    }

    // MARK: From any thread

    /// Calls back on the queue, exactly once, with nothing that was fetched before `newerThan`.
    package func lookUp(
        _ user: String, newerThan: Instant = Instant(0), _ completion: @escaping Completion
    ) {
        queue.async {
            self.lastTicket += 1
            self.completions[self.lastTicket] = completion
            self.happened(.requested(self.lastTicket, role: user, newerThan: newerThan))
        }
    }

    package func topologyChanged(_ topology: Topology) { post(.topologyChanged(topology)) }

    package func reconfigure(lookupFunction: String, lifetime: Instant.Span) {
        queue.async {
            let isOther = lookupFunction != self.lookupFunction
            self.lookupFunction = lookupFunction
            self.happened(.reconfigured(lifetime: lifetime))
            if isOther { self.happened(.functionChanged) }
        }
    }

    package func stop() { post(.stopped) }

    private func post(_ event: SecretCache.Event) { queue.async { self.happened(event) } }

    // MARK: On the queue

    private func happened(_ event: SecretCache.Event) {
        cache.notified(event, now: clock())
        while let action = cache.nextAction() { perform(action) }
    }

    private func perform(_ action: SecretCache.Action) {
        switch action {
        case .connect(let host, let port):
            connection = ControlConnection(
                host: host, port: port, account: account, queue: queue, clock: clock)
        case .disconnect:
            connection?.close()
            connection = nil
        case .readRights(let number):
            run(SecretQueries.rights) { result in
                switch result {
                case .success(let answer):
                    .rightsRead(number, answer.rows.first?.first == "t" ? .table : .function)
                case .failure(let fault): .rightsFailed(number, SecretFault(fault))
                }
            }
        case .send(let query, let way):
            let text =
                way == .table ? SecretQueries.table : SecretQueries.function(lookupFunction)
            run(text, [query.role]) { result in
                switch result {
                case .success(let answer):
                    let secret = answer.rows.first.flatMap {
                        RoleSecret(row: $0, askedAt: answer.sentAt)
                    }
                    return .found(query, secret, sentAt: answer.sentAt)
                case .failure(let fault): return .failed(query, SecretFault(fault))
                }
            }
        case .answer(let ticket, let lookup): completions.removeValue(forKey: ticket)?(lookup)
        case .warn(let fault): warn(fault)
        }
    }

    /// The cache hears of the result after this, not in the middle of the connection's work.
    private func run(
        _ text: String, _ parameters: [String] = [],
        _ event: @escaping @Sendable (Result<ControlAnswer, ControlFault>) -> SecretCache.Event
    ) {
        connection?.query(text, parameters, timeout: Self.timeout) { [weak self] result in
            self?.post(event(result))
        }
    }

    private func warn(_ fault: SecretFault) {
        var reason = fault.words
        let isUnprepared: [SQLState] = [.undefinedFunction, .invalidSchemaName, .insufficientPrivilege]
        if case .refused(let sqlState, _) = fault, isUnprepared.contains(sqlState) {
            reason += " (martlet setup prints the SQL that this needs)"
        }
        logger.warning("cannot look up password secrets", metadata: ["reason": "\(reason)"])
    }
}

extension SecretFault {
    init(_ fault: ControlFault) {
        switch fault {
        case .lost, .closed: self = .lost(fault.words)
        case .refused(let sqlState, _): self = .refused(sqlState: sqlState, words: fault.words)
        case .timeout: self = .failed(fault.words)
        }
    }
}
