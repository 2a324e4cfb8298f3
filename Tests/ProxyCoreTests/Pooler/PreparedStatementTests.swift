// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Prepared statements of the protocol: the client's names, the servers' statements.
struct PreparedStatementTests {
    private func prepare(_ text: String, as name: String, by client: PlayedClient) -> String {
        client.ask(.parse(text, as: name), .describe(statement: name), .sync).kinds
    }

    @Test(arguments: ["DEALLOCATE ALL", "DISCARD ALL"], [PoolMode.transaction, .session])
    func `what deallocates all means the client's statements, wherever they are`(
        statement: String, mode: PoolMode
    ) {
        var policy = ProxyPolicy.test
        policy.pools.standard.mode = mode
        let world = World(policy)
        let client = world.client()
        #expect(prepare("SELECT 1", as: "s", by: client) == "1tTZ")
        #expect(client.ask(statement).kinds == "CZ")
        #expect(prepare("SELECT 2", as: "s", by: client) == "1tTZ")
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["2"])
        #expect(client.ask(Message.extended(statement) + [.sync]).kinds == "12nCZ")
        #expect(client.ask(.bind("s"), .execute(), .sync).errors == ["26000"])
        // The same text again: the server must be given it again.
        #expect(prepare("SELECT 2", as: "s", by: client) == "1tTZ")
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["2"])
    }

    @Test func `deallocating all leaves what is prepared behind it in the pipeline`() {
        let world = World()
        let client = world.client()
        #expect(prepare("SELECT 1", as: "s", by: client) == "1tTZ")
        let answer = client.ask(
            Message.extended("DEALLOCATE ALL") + [.parse("INSERT 2", as: "t"), .sync])
        #expect(answer.kinds == "12nC1Z")
        #expect(client.ask(.bind("t"), .execute(), .sync).kinds == "2CZ")
        #expect(prepare("SELECT 3", as: "s", by: client) == "1tTZ")
    }

    @Test func `a statement that is closed is not there behind that in the pipeline`() {
        let world = World()
        let client = world.client()
        let answer = client.ask(
            .parse("BEGIN", as: "s"), .close(statement: "s"), .bind("s"), .execute(), .sync)
        #expect(answer.kinds == "13EZ")
        #expect(answer.errors == ["26000"])
        #expect(answer.last == .ready())
    }

    @Test func `a simple query destroys the unnamed statement`() {
        let world = World()
        let client = world.client()
        #expect(client.ask(Message.extended("SELECT 1") + [.sync]).rows == ["1"])
        #expect(client.ask(.bind(""), .execute(), .sync).rows == ["1"])
        #expect(client.ask("SELECT 2").rows == ["2"])
        #expect(client.ask(.bind(""), .execute(), .sync).errors == ["26000"])
    }

    @Test func `the unnamed statement of a deferred BEGIN is not the client's`() {
        let world = World()
        let client = world.client()
        #expect(client.ask("BEGIN").kinds == "CZ")
        #expect(client.ask(.bind(""), .execute(), .sync).errors == ["26000"])
        #expect(client.ask("ROLLBACK").kinds == "CZ")
    }

    // Edge cases: 36
    @Test func `what the server skips after an error changes no names`() {
        let world = World()
        let client = world.client()
        #expect(prepare("SELECT 1", as: "s", by: client) == "1tTZ")
        #expect(client.ask([.parse("SELECT 2", as: ""), .sync]).kinds == "1Z")
        let answer = client.ask(
            [.bind("t"), .execute(), .close(statement: "s"), .parse("SELECT 3", as: ""), .sync])
        #expect(answer.errors == ["26000"])
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
        #expect(client.ask(.bind(""), .execute(), .sync).rows == ["2"])
    }

    @Test func `a failed transaction takes no statement that its server happens to know`() {
        let world = World()
        let client = world.client()
        #expect(prepare("INSERT 1", as: "s", by: client) == "1tnZ")
        #expect(client.ask("BEGIN").kinds == "CZ")
        #expect(client.ask("SELECT 1/0").errors == ["22012"])
        #expect(client.ask(.parse("INSERT 1", as: "t"), .sync).errors == ["25P02"])
        #expect(client.ask(.parse("INSERT 1", as: "s"), .sync).errors == ["25P02"])
        #expect(client.ask("ROLLBACK").kinds == "CZ")
        #expect(client.ask(.parse("INSERT 1", as: "t"), .sync).kinds == "1Z")
    }

    // Edge cases: 20
    @Test func `the error of a pipeline is that of its first wrong message`() {
        let world = World()
        let client = world.client()
        #expect(client.ask("BEGIN").kinds == "CZ")
        #expect(client.ask("INSERT 1").kinds == "CZ")
        #expect(prepare("SELECT 1", as: "s", by: client) == "1tTZ")
        let answer = client.ask(.parse("SELECT 2", as: "s"), .bind("unknown"), .bind(""), .sync)
        #expect(answer.errors == ["42P05"])
    }

    @Test(arguments: [PoolMode.transaction, .session])
    func `what is prepared between BEGIN and the first write leaves both in one transaction`(
        mode: PoolMode
    ) {
        var policy = ProxyPolicy.test
        policy.pools.standard.mode = mode
        let world = World(policy)
        let client = world.client()
        #expect(client.ask("BEGIN").last == .ready("T"))
        #expect(prepare("INSERT INTO t VALUES (1)", as: "s", by: client) == "1tnZ")
        #expect(client.ask(.bind("s"), .execute(), .sync).last == .ready("T"))
        #expect(client.ask("ROLLBACK").last == .ready())
        #expect(world.nodes[0].journal.isEmpty)
        _ = client.ask("BEGIN")
        #expect(client.ask(.bind("s"), .execute(), .sync).last == .ready("T"))
        #expect(client.ask("COMMIT").last == .ready())
        #expect(world.nodes[0].journal == ["INSERT INTO t VALUES (1)"])
    }

    @Test func `a second BEGIN in one pipeline is the server's to answer`() {
        let world = World()
        let client = world.client()
        let answer = client.ask(Message.extended("BEGIN") + Message.extended("BEGIN") + [.sync])
        #expect(answer.kinds == "12nC12nCZ")
        #expect(world.servers.contains { $0.status == "T" })
    }

    // Edge cases: 71
    @Test func `DEALLOCATE of a protocol-level statement frees the client's name`() {
        let world = World()
        let client = world.client()
        #expect(prepare("SELECT 1", as: "S a", by: client) == "1tTZ")
        #expect(client.ask("DEALLOCATE \"S a\"") == [.complete("DEALLOCATE"), .ready()])
        #expect(client.ask(.bind("S a"), .execute(), .sync).errors == ["26000"])
        #expect(prepare("SELECT 2", as: "S a", by: client) == "1tTZ")
        #expect(client.ask(Message.extended("DEALLOCATE \"S a\"") + [.sync]).kinds == "12nCZ")
        #expect(prepare("SELECT 3", as: "S a", by: client) == "1tTZ")
    }

    @Test func `who may not deallocate in a failed transaction is told so`() {
        let world = World()
        let client = world.client()
        #expect(prepare("SELECT 1", as: "s", by: client) == "1tTZ")
        _ = client.ask("BEGIN")
        #expect(client.ask("SELECT 1/0").errors == ["22012"])
        #expect(client.ask("DEALLOCATE s").errors == ["25P02"])
        #expect(client.ask("ROLLBACK").errors.isEmpty)
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
    }

    @Test(arguments: ["", "BEGIN"])
    func `DEALLOCATE between other statements means the client's statement, too`(begin: String) {
        let world = World(.test(poolSize: 1))
        let client = world.client()
        for round in 1...2 {
            #expect(prepare("SELECT 1", as: "s", by: client) == "1tTZ")
            if !begin.isEmpty { _ = client.ask(begin) }
            #expect(client.ask("SELECT 1/0; DEALLOCATE s").errors == ["22012"])
            if !begin.isEmpty { _ = client.ask("ROLLBACK") }
            #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
            #expect(client.ask("INSERT \(round); DEALLOCATE s").kinds == "CCZ")
            #expect(client.ask(.bind("s"), .execute(), .sync).errors == ["26000"])
        }
        let others = world["a1"].prepared.keys.filter { !$0.hasPrefix("martlet_") }
        #expect(others.isEmpty)
    }

    private func parses(_ server: ModelServer) -> Int {
        server.heard.count { $0.kind == "P" }
    }

    @Test(arguments: ["ALTER TABLE t ADD c int", "BEGIN; DROP TABLE t; COMMIT"])
    func `who parses a text after the schema changed has it analysed anew`(change: String) {
        let world = World()
        let client = world.client()
        let text = Message.extended("INSERT INTO t VALUES (1)") + [.sync]
        #expect(client.ask(text).kinds == "12nCZ")
        #expect(client.ask(text).kinds == "12nCZ")
        #expect(parses(world["a1"]) == 1)
        _ = client.ask(change)
        #expect(client.ask(text).kinds == "12nCZ")
        #expect(parses(world["a1"]) == 2)
    }

    @Test(arguments: [
        ("search_path", true), ("client_encoding", true), ("datestyle", true), ("new_setting", true),
        ("application_name", false), ("work_mem", false), ("my.setting", false),
    ])
    func `a text means another thing where it is read otherwise`(setting: String, matters: Bool) {
        let parts = ["one", "two", "one"].map { ParameterSet([setting: $0]).parseSettingsHash }
        #expect(parts[0] == parts[2])
        #expect((parts[0] != parts[1]) == matters)
        #expect((parts[0] != ParameterSet.empty.parseSettingsHash) == matters)
    }

    // Edge cases: 19
    @Test func `a text means another thing where names are looked up elsewhere`() {
        let world = World(.test(poolSize: 1))
        let text = Message.extended("INSERT INTO t VALUES (1)") + [.sync]
        for (path, count) in [("one", 1), ("two", 2), ("one", 2), ("two", 2)] {
            let client = world.client()
            #expect(client.ask("SET search_path = \(path)").kinds == "CZ")
            #expect(client.ask(text).kinds == "12nCZ")
            #expect(parses(world["a1"]) == count)
        }
    }

    // Edge cases: 23
    @Test func `a text that others made a server analyse too early is run again, unseen`() {
        let world = World()
        let client = world.client()
        let text = Message.extended("INSERT INTO t VALUES (1)") + [.sync]
        #expect(client.ask(text).kinds == "12nCZ")
        world["a1"].stale = Set(world["a1"].prepared.keys)
        #expect(client.ask(text).kinds == "12nCZ")
        #expect(world.nodes[0].journal.count == 2)
    }

    @Test func `a statement whose client does not know its columns is analysed anew, too`() {
        let world = World()
        let client = world.client()
        #expect(client.ask(.parse("INSERT INTO t VALUES (1)", as: "s"), .sync).kinds == "1Z")
        #expect(client.ask(.bind("s"), .execute(), .sync).kinds == "2CZ")
        world["a1"].stale = Set(world["a1"].prepared.keys)
        #expect(client.ask(.bind("s"), .execute(), .sync).kinds == "2CZ")
        #expect(client.ask(.bind("s"), .execute(), .sync).kinds == "2CZ")
        #expect(parses(world["a1"]) == 2)
    }

    @Test func `a text too long to be shared is analysed anew once`() {
        let world = World()
        let client = world.client()
        let text = "INSERT INTO t VALUES (1) RETURNING 1 /* \(String(repeating: "x", count: 70_000)) */"
        let prepare = client.ask(.parse(text, as: "s"), .describe(statement: "s"), .sync)
        #expect(prepare.errors.isEmpty, "\(prepare.kinds)")
        for _ in 1...2 { #expect(client.ask(.bind("s"), .execute(), .sync).errors.isEmpty) }
        let before = parses(world["a1"])
        world["a1"].stale = Set(world["a1"].prepared.keys)
        for _ in 1...2 { #expect(client.ask(.bind("s"), .execute(), .sync).errors.isEmpty) }
        #expect(parses(world["a1"]) == before + 1)
    }
}
