// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Logging
import ProxyCore
import ProxyRuntime
import StatementClassifier
import Synchronization
import Testing

/// A clock that a test moves.
private final class HandClock: Sendable {
    private let time = Mutex(Instant(1_000_000_000))
    var now: Instant { time.withLock { $0 } }
    /// A little later each time, as a real clock is.
    var tick: Instant {
        time.withLock { time in
            time = time + Instant.Span(nanoseconds: 1)
            return time
        }
    }
    func advance(_ span: Instant.Span) { time.withLock { $0 = $0 + span } }
}

/// A server with an answer for each statement, which keeps what it was asked.
private final class Oracle: Sendable {
    private struct State {
        var queries = 0
        var answer: [String?] = ["secret-1", nil]
        var mayReadTable = true
        var error: String?
        var statements: [String] = []
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let shared = Shared()
    let server: ScriptedServer

    init() {
        let shared = shared
        server = ScriptedServer { peer in
            peer.logIn()
            while let statement = peer.receiveStatement() {
                let state = shared.state.withLock { state in
                    state.statements.append(statement)
                    return state
                }
                if statement.contains("has_column_privilege") {
                    peer.sendRow([state.mayReadTable ? "t" : "f"])
                } else if let error = state.error {
                    peer.sendError("ERROR", error, "no")
                    peer.sendMessage("Z", Array("I".utf8))
                } else {
                    peer.sendRow(state.answer)
                }
            }
        }
    }

    func answers(_ row: [String?]) { shared.state.withLock { $0.answer = row } }

    func answers(_ secret: String?, validFor seconds: String? = nil) {
        answers([secret, seconds])
    }
    func refuses(_ code: String?) { shared.state.withLock { $0.error = code } }
    func hidesTable() { shared.state.withLock { $0.mayReadTable = false } }

    /// What it was asked, but for questions about rights.
    var statements: [String] {
        shared.state.withLock { $0.statements.filter { !$0.contains("has_column_privilege") } }
    }

    /// A topology in which it is this member, and the primary or not.
    func topology(_ index: Int = 0, isPrimary: Bool = true) -> Topology {
        var topology = Topology()
        var node = Topology.Node(
            id: NodeID(index), name: "n\(index)", host: "127.0.0.1", port: server.port,
            role: isPrimary ? .primary : .replica)
        node.exclusion = isPrimary ? .notReplica : nil
        topology.nodes = [node]
        topology.primary = isPrimary ? node.id : nil
        return topology
    }
}

extension ScriptedPeer {
    /// The text of the next statement, up to Sync; nil at the end.
    fileprivate func receiveStatement() -> String? {
        var text: String?
        while let message = receiveMessage() {
            switch message.type {
            case UInt8(ascii: "P"):
                let rest = message.body.drop { $0 != 0 }.dropFirst()
                text = String(decoding: rest.prefix { $0 != 0 }, as: UTF8.self)
            case UInt8(ascii: "S"): return text
            case UInt8(ascii: "X"): return nil
            default: break
            }
        }
        return nil
    }
}

private let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
private let account = ControlAccount(user: "u", password: nil, database: "d")

@Suite(.timeLimit(.minutes(1))) struct SecretStoreTests {
    private let clock = HandClock()
    private let queue = DispatchQueue(label: "test.secrets")
    private let store: SecretStore

    init() {
        let clock = clock
        store = SecretStore(
            account: account, lookupFunction: "martlet.user_secret", lifetime: .seconds(30),
            queue: queue, logger: quietLogger,
            clock: { clock.now })
    }

    private func lookUp(_ user: String, newerThan: Instant = Instant(0)) async -> SecretLookup {
        await answer(otherwise: .unavailable("no answer in time")) { done in
            store.lookUp(user, newerThan: newerThan) { done($0) }
        }
    }

    private func secret(_ user: String, newerThan: Instant = Instant(0)) async -> String?? {
        switch await lookUp(user, newerThan: newerThan) {
        case .found(let secret): .some(secret.text)
        case .absent: .some(nil)
        case .unavailable: nil
        }
    }

    @Test func `a secret is remembered for its lifetime`() async {
        let oracle = Oracle()
        store.topologyChanged(oracle.topology())
        #expect(await secret("app") == "secret-1")
        oracle.answers("secret-2")
        clock.advance(.seconds(29))
        #expect(await secret("app") == "secret-1")
        clock.advance(.seconds(1))
        #expect(await secret("app") == "secret-2")
        #expect(oracle.statements.count == 2)
        #expect(oracle.server.connectionCount == 1)
        store.stop()
    }

    @Test func `who knows of a change gets the new secret at once`() async {
        let oracle = Oracle()
        store.topologyChanged(oracle.topology())
        #expect(await secret("app") == "secret-1")
        oracle.answers("secret-2")
        clock.advance(.milliseconds(1))
        #expect(await secret("app", newerThan: clock.now) == "secret-2")
        #expect(await secret("app") == "secret-2")
        store.stop()
    }

    @Test func `an absent role is remembered for a shorter time`() async {
        let oracle = Oracle()
        oracle.answers(nil)
        store.topologyChanged(oracle.topology())
        #expect(await secret("ghost") == .some(nil))
        oracle.answers("secret-1")
        #expect(await secret("ghost") == .some(nil))
        clock.advance(.seconds(5))
        #expect(await secret("ghost") == "secret-1")
        store.stop()
    }

    @Test func `without a lifetime each login is told what holds after it has begun`() async {
        let oracle = Oracle()
        store.reconfigure(lookupFunction: "martlet.user_secret", lifetime: .zero)
        store.topologyChanged(oracle.topology())
        #expect(await secret("app") == "secret-1")
        oracle.answers("secret-2")
        #expect(await secret("app") == "secret-2")
        oracle.answers(nil)
        #expect(await secret("app") == .some(nil))
        #expect(oracle.statements.count == 3)
        store.stop()
    }

    /// An answer that was on its way when a login began may be older than a change before it.
    @Test func `who comes while a question is on its way waits for the next, with all others`()
        async
    {
        let clock = clock
        let store = SecretStore(
            account: account, lookupFunction: "martlet.user_secret", lifetime: .zero,
            queue: queue, logger: quietLogger, clock: { clock.tick })
        let isAsked = DispatchSemaphore(value: 0)
        let mayAnswer = DispatchSemaphore(value: 0)
        let server = ScriptedServer { peer in
            peer.logIn()
            var count = 0
            while let statement = peer.receiveStatement() {
                if statement.contains("has_column_privilege") {
                    peer.sendRow(["t"])
                    continue
                }
                count += 1
                if count == 1 {
                    isAsked.signal()
                    mayAnswer.wait()
                }
                peer.sendRow(["secret-\(count)", nil])
            }
        }
        var topology = Oracle().topology()
        topology.nodes[0].port = server.port
        store.topologyChanged(topology)
        let (answers, arrival) = AsyncStream<SecretLookup>.makeStream()
        func lookUp() { store.lookUp("app") { arrival.yield($0) } }
        lookUp()
        await completion { done in
            DispatchQueue.global().async {
                isAsked.wait()
                done()
            }
        }
        for _ in 0..<10 { lookUp() }
        // The queue has taken them all when it comes to this.
        await completion { done in queue.async { done() } }
        mayAnswer.signal()
        var arrived = answers.makeAsyncIterator()
        for expected in ["secret-1"] + [String](repeating: "secret-2", count: 10) {
            guard case .found(let found) = await arrived.next() else {
                Issue.record("not found")
                continue
            }
            #expect(found.text == expected)
        }
        store.stop()
    }

    @Test func `the end of a secret's validity is told on our clock`() async {
        let oracle = Oracle()
        store.reconfigure(lookupFunction: "martlet.user_secret", lifetime: .zero)
        store.topologyChanged(oracle.topology())
        for (seconds, end) in [
            ("90.5", clock.now + .milliseconds(90_500)), ("-1", Instant(0)), ("0", Instant(0)),
            ("soon", Instant(0)), (nil, nil),
        ] as [(String?, Instant?)] {
            oracle.answers("secret-1", validFor: seconds)
            guard case .found(let found) = await lookUp("app") else {
                Issue.record("not found")
                continue
            }
            #expect(found.validUntil == end)
        }
        store.stop()
    }

    @Test func `equal questions are asked once`() async {
        let oracle = Oracle()
        store.topologyChanged(oracle.topology())
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 { group.addTask { await secret("app") == "secret-1" } }
            for await isRight in group { #expect(isRight) }
        }
        #expect(oracle.statements.count == 1)
        store.stop()
    }

    @Test func `more roles than can be asked for at once wait for their turn`() async {
        let oracle = Oracle()
        store.topologyChanged(oracle.topology())
        await withTaskGroup(of: Bool.self) { group in
            for index in 0..<500 { group.addTask { await secret("role\(index)") == "secret-1" } }
            for await isRight in group { #expect(isRight) }
        }
        #expect(oracle.statements.count == 500)
        store.topologyChanged(Topology())
        await withTaskGroup(of: Bool.self) { group in
            for index in 0..<500 { group.addTask { await secret("other\(index)") == nil } }
            for await isRight in group { #expect(isRight) }
        }
        store.stop()
    }

    @Test func `without the right to read the table the function is asked`() async {
        let oracle = Oracle()
        oracle.hidesTable()
        store.topologyChanged(oracle.topology())
        #expect(await secret("app") == "secret-1")
        #expect(oracle.statements.last?.contains(#""martlet"."user_secret"($1)"#) == true)
        #expect(oracle.statements.last?.contains("pg_authid") == false)
        store.stop()
    }

    @Test func `a secret that ran out serves while nobody can be asked, a new one is unavailable`()
        async
    {
        let oracle = Oracle()
        store.topologyChanged(oracle.topology())
        #expect(await secret("app") == "secret-1")
        clock.advance(.seconds(60))
        store.topologyChanged(Topology())
        #expect(await secret("app") == "secret-1")
        #expect(await secret("other") == nil)
        clock.advance(.seconds(300))
        #expect(await secret("app") == nil)
        store.stop()
    }

    @Test func `a refusal is unavailable and not an absent role`() async {
        let oracle = Oracle()
        oracle.refuses("42501")
        store.topologyChanged(oracle.topology())
        #expect(await lookUp("app") == .unavailable("42501: no"))
        oracle.refuses(nil)
        #expect(await secret("app") == "secret-1")
        store.stop()
    }

    @Test func `a replica is asked while there is no primary, and left when there is one`() async {
        let replica = Oracle()
        let primary = Oracle()
        primary.answers("from the primary")
        store.topologyChanged(replica.topology(0, isPrimary: false))
        #expect(await secret("app") == "secret-1")
        store.topologyChanged(primary.topology(1))
        clock.advance(.seconds(30))
        #expect(await secret("app") == "from the primary")
        store.stop()
    }
}

@Suite(.timeLimit(.minutes(1))) struct CatalogueStoreTests {
    private let clock = HandClock()

    /// A store, and what it publishes.
    private func store() -> (
        CatalogueStore, AsyncStream<(String, Bool)>.AsyncIterator
    ) {
        let (stream, arrival) = AsyncStream<(String, Bool)>.makeStream()
        let clock = clock
        let store = CatalogueStore(
            query: "SELECT kind, name", account: account, interval: .seconds(60),
            queue: DispatchQueue(label: "test.catalogues"), logger: quietLogger,
            clock: { clock.now }
        ) { arrival.yield(($0, $1 != nil)) }
        return (store, stream.makeAsyncIterator())
    }

    @Test func `a database's catalogue waits for a primary and is read again when it is stale`()
        async
    {
        let oracle = Oracle()
        oracle.answers(["volatile", "public.f"])
        var (store, published) = store()
        store.stale("app")
        store.need("app")
        store.topologyChanged(oracle.topology(0, isPrimary: false))
        store.topologyChanged(oracle.topology())
        let first = await published.next()
        #expect(first?.0 == "app" && first?.1 == true)
        oracle.answers(["volatile", "public.g"])
        clock.advance(.seconds(2))
        store.stale("app")
        #expect(await published.next()?.0 == "app")
        #expect(oracle.statements.count == 2)
        #expect(oracle.server.connectionCount == 2, "no database is held")
        store.stop()
    }
}
