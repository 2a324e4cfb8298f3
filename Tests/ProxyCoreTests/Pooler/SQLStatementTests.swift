// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// PREPARE and EXECUTE in SQL, over servers that change hands.
struct SQLStatementTests {
    private let prepare = "PREPARE p AS SELECT value"

    /// One server for all, the primary's.
    private func narrow() -> World {
        var policy = ProxyPolicy.test(poolSize: 1)
        policy.routing.route = .primary
        return World(policy)
    }

    private func isPinned(_ world: World) -> Bool {
        world.log.contains { if case .pinned = $0 { true } else { false } }
    }

    private func statements(_ server: ModelServer) -> [String] {
        server.heard.filter { $0.kind == "Q" }.map { $0.strings()[0] }
            .filter { !$0.contains("'s',name") }
    }

    @Test func `a statement follows its session to a replica`() {
        let world = World()
        let client = world.client()
        #expect(client.ask(prepare).kinds == "CZ")
        #expect(!isPinned(world))
        #expect(client.ask("EXECUTE p").rows == ["value"])
        #expect(client.ask("EXECUTE p").rows == ["value"])
        let replicas = world.servers.filter { $0.node.isStandby && !$0.heard.isEmpty }
        #expect(replicas.count == 1)
        // It was prepared once, and is there the second time.
        #expect(replicas.first.map(statements) == [prepare, "EXECUTE p", "EXECUTE p"])
    }

    @Test func `two sessions with one name and one server do not meet`() {
        let world = narrow()
        let (one, two, three) = (world.client(), world.client(), world.client())
        _ = one.ask("PREPARE p AS SELECT of one")
        _ = two.ask("PREPARE p AS INSERT INTO t VALUES (2)")
        for _ in 0..<3 {
            #expect(one.ask("EXECUTE p").rows == ["of one"])
            #expect(two.ask("EXECUTE p").kinds == "CZ")
            #expect(three.ask("EXECUTE p").errors == ["26000"])
        }
        #expect(world.nodes[0].journal.count == 3)
        #expect(world.ledger.highest == 1)
    }

    // Edge cases: 71
    @Test func `a name that is taken is taken wherever the session is`() {
        let world = narrow()
        let (one, two) = (world.client(), world.client())
        _ = one.ask(prepare)
        _ = two.ask("INSERT INTO t VALUES (1)")
        #expect(one.ask("PREPARE p AS SELECT other").errors == ["42P05"])
        #expect(one.ask("EXECUTE p").rows == ["value"])
        #expect(one.ask("DEALLOCATE p").kinds == "CZ")
        #expect(one.ask("EXECUTE p").errors == ["26000"])
        #expect(one.ask("DEALLOCATE p").errors == ["26000"])
        #expect(one.ask("PREPARE p AS SELECT other").kinds == "CZ")
        #expect(one.ask("EXECUTE p").rows == ["other"])
        #expect(!isPinned(world))
    }

    @Test(arguments: ["DEALLOCATE ALL", "DISCARD ALL"])
    func `all are forgotten everywhere`(command: String) {
        let world = World()
        let client = world.client(settings: ["martlet.consistency", "eventual"])
        _ = client.ask(prepare)
        _ = client.ask("EXECUTE p")
        _ = client.ask(command)
        for hint in ["primary", "replica"] {
            #expect(client.ask("/* martlet: \(hint) */ EXECUTE p").errors == ["26000"])
        }
    }

    @Test func `a rolled back transaction keeps what it prepared, as in PostgreSQL`() {
        let world = World()
        let client = world.client()
        _ = client.ask("BEGIN")
        _ = client.ask(prepare)
        _ = client.ask("PREPARE q AS SELECT second")
        _ = client.ask("ROLLBACK")
        #expect(!isPinned(world))
        #expect(client.ask("EXECUTE p").rows == ["value"])
        #expect(client.ask("EXECUTE q").rows == ["second"])
    }

    @Test func `a read-only transaction on a replica has them`() {
        let world = World()
        let client = world.client()
        _ = client.ask(prepare)
        _ = client.ask("BEGIN READ ONLY")
        #expect(client.ask("EXECUTE p").rows == ["value"])
        _ = client.ask("COMMIT")
        let replica = world.servers.first { $0.kinds.contains("PBE") }
        #expect(replica?.node.isStandby == true)
    }

    @Test func `the parameters of an EXECUTE count for its route, and so does its statement`() {
        let world = World()
        let client = world.client()
        _ = client.ask("PREPARE p AS INSERT INTO t VALUES (1)")
        #expect(client.ask("EXECUTE p").kinds == "CZ")
        #expect(world.nodes[0].journal.count == 1)
        _ = client.ask("PREPARE q AS SELECT value")
        _ = client.ask("EXECUTE q(nextval('s'))")
        #expect(world.servers.allSatisfy { !$0.node.isStandby || $0.sqlPrepared.isEmpty })
    }

    @Test func `a statement that changes settings has them read, and its server keeps none`() {
        let world = narrow()
        let (one, two) = (world.client(), world.client())
        _ = one.ask("PREPARE p AS SELECT set_config(E'work_mem',E'9MB',false)")
        _ = one.ask("EXECUTE p")
        #expect(two.ask("SHOW work_mem").rows == [""])
        #expect(one.ask("SHOW work_mem").rows == ["9MB"])
    }

    @Test func `it is prepared again under the settings that it was prepared under`() {
        let world = World()
        let client = world.client()
        _ = client.ask("SET martlet.route = 'primary'")
        _ = client.ask("SET datestyle = 'dmy'")
        _ = client.ask(prepare)
        _ = client.ask("SET datestyle = 'mdy'")
        _ = client.ask("SET martlet.route = 'auto'")
        #expect(client.ask("EXECUTE p").rows == ["value"])
        let replica = world.servers.first { $0.node.isStandby && $0.sqlPrepared["p"] != nil }
        let texts = replica.map(statements) ?? []
        // The session's settings; those of its PREPARE; the session's again.
        #expect(texts.count == 5)
        #expect(texts.first?.contains("'mdy'") == true)
        #expect(texts.dropFirst().first?.contains("'dmy'") == true)
        #expect(texts.dropFirst(2).first == prepare)
        #expect(texts.dropFirst(3).first?.contains("'mdy'") == true)
    }

    @Test(arguments: [
        "PREPARE p AS SELECT 1; PREPARE q AS SELECT 2", "PREPARE p AS SELECT 'é'",
        "PREPARE p AS SELECT '" + String(repeating: "x", count: 70_000) + "'",
    ])
    func `what cannot be prepared again keeps the session on its server`(text: String) {
        let world = World()
        let client = world.client(settings: ["martlet.consistency", "eventual"])
        _ = client.ask(text)
        #expect(isPinned(world))
        _ = client.ask("EXECUTE p")
        #expect(world.servers.allSatisfy { !$0.node.isStandby || $0.sqlPrepared.isEmpty })
        _ = client.ask("DEALLOCATE ALL")
        _ = client.ask("SELECT 1")
        #expect(world.servers.contains { $0.node.isStandby && !$0.heard.isEmpty })
    }

    @Test func `more than the limit keeps the session on its server`() {
        let world = World()
        let client = world.client()
        for number in 0..<SQLStatements.limit { _ = client.ask("PREPARE p\(number) AS SELECT 1") }
        #expect(!isPinned(world))
        _ = client.ask("PREPARE one_more AS SELECT 1")
        #expect(isPinned(world))
        #expect(client.ask("EXECUTE p0").rows == ["1"])
    }

    @Test func `what a replica does not know yet is prepared on the primary`() {
        let world = World()
        let client = world.client()
        _ = client.ask("PREPARE p AS SELECT new_table")
        #expect(client.ask("EXECUTE p").rows == ["new_table"])
        // Others do not mind.
        #expect(client.ask("SELECT 1").rows == ["1"])
    }

    @Test func `a statement that cannot be made any more fails who executes it, and nobody else`() {
        let world = narrow()
        let (one, two) = (world.client(), world.client())
        _ = one.ask("PREPARE p AS SELECT value")
        _ = one.ask("PREPARE q AS SELECT second")
        for node in world.nodes { node.goneTable = "value" }
        _ = two.ask("INSERT INTO t VALUES (1)")
        #expect(one.ask("SELECT 1").rows == ["1"])
        #expect(one.ask("EXECUTE q").rows == ["second"])
        #expect(one.ask("EXECUTE p").errors == ["42P01"])
        #expect(one.ask("EXECUTE q").rows == ["second"])
        for node in world.nodes { node.goneTable = "another" }
        #expect(one.ask("EXECUTE p").rows == ["value"])
    }

    /// The first client's statement is being made on the server that the second one had; what the
    /// server says of it stays on its way.
    private func preparing(in world: World) -> (PlayedClient, PlayedClient, ModelServer) {
        let (one, two) = (world.client(), world.client())
        _ = one.ask(prepare)
        _ = two.ask("INSERT INTO t VALUES (1)")
        let server = world["a1"]
        server.isDelayed = true
        one.send(.query("EXECUTE p"))
        return (one, two, server)
    }

    @Test func `a cancel request ends the preparing, and hits nobody else`() {
        let world = narrow()
        let (one, two, server) = preparing(in: world)
        world.holdsCancels = true
        world.requestCancel(of: one)
        #expect(world.cancels.count == 1)
        server.isDelayed = false
        #expect(one.messages().errors == ["57014"])
        two.send(.query("SELECT 2"))
        #expect(two.messages().isEmpty)
        world.deliverCancels()
        #expect(two.messages().rows == ["2"])
        #expect(one.ask("EXECUTE p").rows == ["value"])
    }

    @Test func `who leaves while statements are being prepared leaves a clean server`() {
        let world = narrow()
        let (one, two, server) = preparing(in: world)
        one.leave()
        server.isDelayed = false
        #expect(two.ask("EXECUTE p").errors == ["26000"])
        #expect(server.sqlPrepared.isEmpty)
    }
}
