// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// The extended protocol: what belongs to an error, to a Flush, to a Sync.
struct PipelineTests {
    private let world = World(.test(poolSize: 1))

    @Test func `after a failed prepare up to a Flush the client skips to its Sync`() {
        let client = world.client()
        client.send(.parse("SELEC", as: "s"), .describe(statement: "s"), .flush)
        #expect(client.messages().kinds == "E")
        client.send(.parse("INSERT INTO t VALUES (1)"), .bind(), .execute())
        #expect(client.messages().isEmpty)
        #expect(client.ask(.sync).kinds == "Z")
        #expect(world.nodes[0].journal.isEmpty)
        #expect(client.ask(Message.extended("SELECT mine") + [.sync]).rows == ["mine"])
    }

    // Edge cases: 35
    @Test func `messages between an error and its Sync are skipped, however they arrive`() {
        let client = world.client()
        client.send(Message.extended("SELECT 1/0") + [.flush])
        #expect(client.messages().kinds == "12TE")
        client.send(Message.extended("INSERT INTO t VALUES (1)"))
        client.send(.flush)
        #expect(client.messages().isEmpty)
        client.send(.query("INSERT INTO t VALUES (2)"))
        #expect(client.messages().isEmpty)
        #expect(client.ask(.sync).kinds == "Z")
        #expect(world.nodes[0].journal.isEmpty)
        #expect(client.ask("SELECT mine").rows == ["mine"])
    }

    @Test func `an unnamed portal that nobody has bound is none, behind a BEGIN as well`() {
        let client = world.client()
        _ = client.ask("BEGIN")
        #expect(client.ask(.execute(), .sync).errors == ["34000"])
        #expect(client.ask("ROLLBACK").kinds == "CZ")
        _ = client.ask("BEGIN")
        #expect(client.ask(Message.extended("SELECT mine") + [.sync]).rows == ["mine"])
    }

    @Test func `an error about a statement that its own pipeline gave up names it as it is called`() {
        let client = world.client()
        _ = client.ask(.parse("SELECT 1", as: "mine"), .sync)
        let answer = client.ask(Message.extended("DISCARD ALL") + [.bind("mine"), .sync])
        #expect(answer.kinds == "12nCEZ")
        #expect(answer.last { $0.kind == "E" }?.fields["M"] ==
            "prepared statement \"mine\" does not exist")
        _ = client.ask(.parse("SELECT 1", as: "mine"), .sync)
        let again = client.ask(
            Message.extended("DEALLOCATE ALL") + [
                .parse("SELECT 3", as: "mine"), .bind("mine"), .execute(), .sync,
            ])
        #expect(again.rows == ["3"])
        #expect(client.ask("SELECT 2").rows == ["2"])
    }

    @Test func `a statement is described in a failed transaction, wherever it was prepared`() {
        let client = world.client()
        _ = client.ask("BEGIN")
        _ = client.ask(.parse("BEGIN", as: "s"), .sync)
        #expect(client.ask("SELECT 1/0").errors == ["22012"])
        #expect(client.ask(.describe(statement: "s"), .sync).kinds == "tnZ")
        #expect(client.ask("ROLLBACK").kinds == "CZ")
        #expect(client.ask("SELECT 2").rows == ["2"])
    }

    @Test func `who waits for the server to be ready for a COPY need not ask for it`() {
        let client = world.client()
        client.send(Message.extended("COPY t FROM STDIN"))
        #expect(client.messages().kinds == "12nG")
        #expect(client.ask(.copyData("1\n"), .copyDone, .sync).kinds == "CZ")
        #expect(client.ask("SELECT 2").rows == ["2"])
    }

    @Test func `a Sync that comes while its unit waits for a server is sent after it`() {
        let first = world.client()
        first.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        let second = world.client()
        second.send(Message.extended("INSERT INTO t VALUES (2)") + [.flush])
        second.send(.sync)
        #expect(second.messages().isEmpty)
        first.send(.query("COMMIT"))
        #expect(second.messages().kinds == "12nCZ")
        #expect(first.messages().kinds == "CZCZCZ")
    }

    @Test func `a Sync that comes while settings are replayed is sent after its unit`() {
        let client = world.client()
        #expect(client.ask("SET application_name = 'x'").kinds == "SCZ")
        #expect(client.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        let other = world.client()
        #expect(other.ask("INSERT INTO t VALUES (1)").kinds == "CZ")
        world["a1"].isDelayed = true
        client.send(Message.extended("INSERT INTO t VALUES (2)") + [.flush])
        client.send(.sync)
        world["a1"].isDelayed = false
        #expect(client.messages().kinds == "12nCZ")
    }

    @Test func `a unit that ends in a Flush and gets no server is told so without ReadyForQuery`() {
        let first = world.client()
        first.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        let second = world.client()
        second.send(
            .parse("/* martlet: primary */ SELECT 1"), .describe(statement: ""), .flush)
        world.pass(.seconds(121))
        let answer = second.messages()
        #expect(answer.kinds == "E" && answer.errors == ["53300"])
        #expect(second.ask(.sync).kinds == "Z")
    }

    @Test func `a BEGIN that fails before a Flush is an error without ReadyForQuery`() {
        let client = world.client()
        world.nodes[0].refusesBegin = true
        #expect(client.ask("BEGIN").kinds == "CZ")
        client.send(Message.extended("INSERT INTO t VALUES (1)") + [.flush])
        let answer = client.messages()
        #expect(answer.kinds == "E", "\(answer.kinds)")
        #expect(client.ask(.sync) == [.ready("E")])
        #expect(client.ask("ROLLBACK") == [.complete("ROLLBACK"), .ready()])
    }

    @Test func `a refused read that was bound before a Flush is run again, and answered once`() {
        let client = world.client()
        client.send(.parse("SELECT * FROM sneaky"), .bind(), .flush)
        #expect(client.messages().kinds == "12")
        client.send(.describe(portal: ""), .flush)
        #expect(client.messages().kinds == "T")
        #expect(client.ask(.execute(), .sync).kinds == "DCZ")
    }

    @Test func `a replica that refused before a Flush gets its Sync and serves the next client`() {
        let client = world.client()
        client.send(.parse("SELECT * FROM sneaky"), .bind(), .execute(), .flush)
        #expect(client.messages().kinds == "12DC")
        #expect(client.ask(.sync).kinds == "Z")
        let counters = world.pooler.statistics(now: world.now).counters
        for node in world.nodes.indices {
            let servers = counters[node: NodeID(node)].servers
            #expect(servers.total == servers[.idle], "node \(node)")
        }
    }

    @Test func `a read that was bound before a Flush outlives its replica`() {
        let client = world.client()
        client.send(.parse("SELECT mine"), .bind(), .flush)
        #expect(client.messages().kinds == "12")
        for server in world.servers where server.kinds.contains("B") { server.die() }
        world.run()
        let answer = client.ask(.execute(), .sync)
        #expect(answer.kinds == "DCZ" && answer.rows == ["mine"])
    }

    @Test(arguments: ["", "BEGIN"])
    func `a unit too long to be held goes to its server before its Sync`(begin: String) {
        var policy = ProxyPolicy.test
        policy.limits.heldMessages = 1024
        let world = World(policy)
        let client = world.client()
        if !begin.isEmpty { #expect(client.ask(.query(begin)).kinds == "CZ") }
        client.send(.parse("INSERT INTO t VALUES (1)", as: "s"))
        for _ in 0..<1_000 { client.send(.bind("s"), .execute()) }
        let executed = world["a1"].heard.count { $0.kind == "E" }
        #expect(executed > 900)
        let answer = client.ask(.sync)
        #expect(answer.kinds.suffix(3) == "2CZ" && answer.errors.isEmpty)
        #expect(client.ask(.query("COMMIT")).errors.isEmpty)
        #expect(world.nodes[0].journal.filter { $0.hasPrefix("INSERT") }.count == 1_000)
    }
}
