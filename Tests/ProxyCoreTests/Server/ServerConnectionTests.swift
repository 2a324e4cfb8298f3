// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import StatementClassifier
import Testing

@testable import ProxyCore

struct ServerConnectionTests {
    private let server = ServerConnection(
        id: ConnectionID(slot: 1, generation: 1),
        key: PoolKey(node: NodeID(0), database: "shop", user: "app"), bytes: BytePool(),
        now: Instant(1))

    /// The phase, by what it is asked.
    private var phases: [String] {
        [
            server.isConnecting ? "connecting" : nil, server.isStarting ? "starting" : nil,
            server.isLeased ? "leased" : nil, server.idleSince != nil ? "idle" : nil,
            server.isClosed ? "closed" : nil, server.isLoggingIn ? "logging in" : nil,
        ].compactMap(\.self)
    }

    private func sent() -> [Message] {
        var bytes: [UInt8] = []
        server.requests.send { span in
            bytes = span.copy(0..<span.byteCount)
            return span.byteCount
        }
        return Message.take(from: &bytes)
    }

    @Test func `a connection opens, serves, waits and is closed`() {
        #expect(phases == ["connecting", "logging in"])
        server.loggedIn()
        #expect(phases == ["leased"] && !server.hasOpened)
        server.opened()
        server.becameIdle(now: Instant(5))
        #expect(phases == ["idle"] && server.idleSince == Instant(5) && server.hasOpened)
        server.leased(to: nil)
        #expect(phases == ["leased"])
        server.closed()
        #expect(phases == ["closed"])
    }

    @Test func `an authentication request outside of a login is malformed`() {
        server.loggedIn()
        #expect(throws: ServerAuthenticationFault.self) {
            try server.authenticationReceived([0, 0, 0, 0].rawSpan)
        }
        #expect(phases == ["leased"])
    }

    @Test func `a connection is at rest when nothing is owed and no cancel request is on its way`() {
        server.loggedIn()
        #expect(server.isAtRest && server.owesNothing)
        server.cancelSent()
        server.cancelSent()
        server.cancelArrived()
        #expect(!server.isAtRest && server.owesNothing)
        server.cancelArrived()
        #expect(server.isAtRest)
        server.requests.sync(.skip)
        #expect(!server.isAtRest && !server.owesNothing)
        _ = server.requests.ready(.inTransaction)
        #expect(!server.owesNothing && server.status == .inTransaction)
        server.requests.sync(.skip)
        _ = server.requests.ready(.idle)
        #expect(server.isAtRest)
    }

    @Test func `a query of martlet's own gets its rows, and no rest until it is over`() throws {
        server.run(.inspection, "SELECT 1")
        #expect(sent() == [.query("SELECT 1")] && !server.owesNothing)
        #expect(server.requests.replies.first == OwedReply(.query, .skip))
        server.internalQueryReceived(row: Message.row(["a", "b"]).body.rawSpan)
        server.internalQueryReceived(row: Message.row(["c", "d"]).body.rawSpan)
        server.internalQueryReady()
        _ = server.requests.ready(.idle)
        #expect(!server.owesNothing)
        let query = try #require(server.endInternalQuery())
        #expect(query.rows == [["a", "b"], ["c", "d"]] && query.failures.isEmpty)
        #expect(server.owesNothing && server.endInternalQuery() == nil)
    }

    @Test func `of several queries of one purpose each failure knows its statement`() throws {
        let statements = ["a", "b"].map {
            SQLStatement(name: $0, text: $0, settings: .empty, classification: Classification())
        }
        server.run(.sqlStatements, "DEALLOCATE ALL")
        for statement in statements {
            server.run(.sqlStatements, statement.text, preparing: statement)
        }
        for isWrong in [false, false, true] {
            if isWrong { server.internalQueryFailed(ErrorResponse(.error, "42P01", "gone")) }
            server.internalQueryReady()
        }
        let query = try #require(server.endInternalQuery())
        #expect(query.failures.map { $0.statement?.name } == ["b"])
        #expect(query.error?.sqlState == "42P01")
        // Another purpose begins anew.
        server.run(.rollback, "ROLLBACK")
        #expect(server.internalQuery?.failures.isEmpty == true)
    }

    @Test func `rows that are malformed or very many fail a query of martlet's own`() throws {
        server.run(.settings, "SELECT 1")
        server.internalQueryReceived(row: [0, 1, 0].rawSpan)
        server.internalQueryReceived(row: Message.row(["late"]).body.rawSpan)
        let malformed = try #require(server.endInternalQuery())
        #expect(malformed.rows.isEmpty && malformed.error?.sqlState == "XX000")
        server.run(.settings, "SELECT 1")
        for _ in 0..<1_001 { server.internalQueryReceived(row: Message.row(["x"]).body.rawSpan) }
        let long = try #require(server.endInternalQuery())
        #expect(long.rows.count == 1_000 && long.error?.sqlState == "XX000")
    }

    @Test func `the end is a fatal error or a violation of the protocol`() {
        #expect(server.lastFatal == nil && !server.brokeProtocol)
        server.received(fatal: ErrorResponse(.fatal, "57P01", "bye"))
        #expect(server.lastFatal?.sqlState == "57P01" && !server.brokeProtocol)
        server.violatedProtocol()
        #expect(server.lastFatal == nil && server.brokeProtocol)
    }

    @Test func `a statement whose Parse the server skipped is not there, others are`() {
        for index in [3, 4, 5] { server.statements.parsed(index) }
        server.requests.describe(statementNamed: [65], .forward, statement: 3)
        server.requests.parse(name: [66], definition: [0, 0, 0], .forward, statement: 4)
        server.requests.parse(name: [], definition: [0, 0, 0], .forward)
        server.requests.sync(.forward)
        server.requests.parse(name: [67], definition: [0, 0, 0], .forward, statement: 5)
        var skipped: [OwedReply.Kind] = []
        server.failed { skipped.append($0.kind) }
        #expect(skipped == [.describe, .parse, .parse])
        #expect([3, 4, 5].map { server.statements.contains($0) } == [true, false, true])
    }

    @Test func `on another shard it has that shard's number and what it had prepared`() {
        server.statements.parsed(3)
        server.becameIdle(now: Instant(2))
        server.moved(to: ConnectionID(slot: 9, generation: 2), bytes: BytePool())
        #expect(server.id == ConnectionID(slot: 9, generation: 2) && phases == ["leased"])
        #expect(server.statements.contains(3) && server.openedAt == Instant(1))
        server.requests.sync(.skip)
        #expect(sent() == [.sync])
    }
}

struct ServerStatementsTests {
    private var statements = ServerStatements()

    @Test mutating func `the least recently used one goes, where there is no room for one more`() {
        for index in [1, 2, 3] {
            #expect(statements.use(index) == nil)
            statements.parsed(index)
        }
        statements.unitBegan()
        #expect(statements.use(1) == .unknown)
        statements.unitBegan()
        #expect(statements.evict(limit: 4) == nil)
        #expect(statements.evict(limit: 3) == 2 && !statements.contains(2))
        #expect(statements.evict(limit: 3) == nil)
        #expect(statements.evict(limit: 2) == 3 && statements.evict(limit: 0) == 1)
        #expect(statements.isEmpty && statements.evict(limit: 0) == nil)
    }

    @Test mutating func `what was used in the present unit stays`() {
        for index in [1, 2] {
            _ = statements.use(index)
            statements.parsed(index)
        }
        #expect(statements.evict(limit: 1) == nil)
        statements.unitBegan()
        _ = statements.use(1)
        #expect(statements.evict(limit: 1) == 2 && statements.evict(limit: 1) == nil)
    }

    @Test mutating func `columns are known once they were described, until a statement is gone`() {
        statements.parsed(1)
        statements.described(1, .none)
        statements.described(2, .none)
        #expect(statements.columns(of: 1) == .none && statements.columns(of: 2) == .unknown)
        #expect(statements.use(1) == ResultColumns.none && !statements.contains(2))
        statements.parsed(1)
        #expect(statements.columns(of: 1) == .unknown)
        for index in [2, 3] { statements.parsed(index) }
        statements.keepOnly { $0 != 2 }
        #expect([1, 2, 3].map(statements.contains) == [true, false, true])
        statements.removeAll()
        #expect(statements.isEmpty)
    }
}

struct AbandonmentTests {
    private let start = Instant(10_000_000_000)

    @Test func `what can lose nothing is cancelled after a second and closed five after that`() {
        var abandonment = Abandonment(since: start, mayCancel: true)
        #expect(abandonment.verdict(now: start + .milliseconds(999)) == .wait)
        #expect(abandonment.verdict(now: start + .seconds(1)) == .cancel)
        let cancelled = start + .seconds(2)
        abandonment.cancelled(at: cancelled)
        #expect(abandonment.verdict(now: cancelled + .milliseconds(4_999)) == .wait)
        #expect(abandonment.verdict(now: cancelled + .seconds(5)) == .close)
    }

    @Test func `what may have an effect goes on, however long`() {
        let abandonment = Abandonment(since: start, mayCancel: false)
        #expect(abandonment.verdict(now: start + .seconds(86_400)) == .wait)
    }

    @Test(arguments: [(true, Abandonment.Verdict.cancel), (false, .close)])
    func `a reply that is larger than a buffer is ended, as the server would`(
        mayCancel: Bool, expected: Abandonment.Verdict
    ) {
        var abandonment = Abandonment(since: start, mayCancel: mayCancel)
        #expect(abandonment.dropped(60, limit: 100) == .wait)
        #expect(abandonment.dropped(40, limit: 100) == .wait)
        #expect(abandonment.dropped(1, limit: 100) == expected)
        abandonment.cancelled(at: start)
        #expect(abandonment.dropped(1_000, limit: 100) == .wait)
    }
}
