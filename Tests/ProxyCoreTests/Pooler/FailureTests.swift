// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// The table of the manual's page Failures, row by row.
struct FailureTests {
    private let world = World(.test(poolSize: 1))

    @Test func `a server that is lost right behind its answer is no failure of the unit`() {
        let client = world.client()
        #expect(client.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        let server = world["a1"]
        server.isMute = true
        client.send(.query("INSERT INTO t VALUES (1)"), .query("INSERT INTO t VALUES (2)"))
        // The first bytes of its last words come with the answer, the rest never.
        server.output += [.complete("INSERT 0 1"), .ready()].bytes
        server.output += Message.error("57P01", "", severity: "FATAL").bytes.prefix(7)
        world.run()
        world.cut(server)
        #expect(client.messages().kinds == "CZCZ")
        #expect(world.nodes[0].journal.last == "INSERT INTO t VALUES (2)")
        // The session still reads what it wrote.
        #expect(client.ask("SELECT 1").kinds == "TDCZ")
        #expect(world["a2"].heard.last == .query("SELECT 1"))
    }

    @Test func `a write that a shutdown refused is run again, also behind replayed settings`() {
        let client = world.client()
        #expect(client.ask("SET application_name = 'x'").kinds == "SCZ")
        let other = world.client()
        #expect(other.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        // It takes the settings, and not the statement.
        world["a1"].diesAt = ("INSERT", "57P01")
        client.send(.query("INSERT INTO t VALUES (1)"))
        #expect(client.messages().kinds == "CZ")
        #expect(world.nodes[0].journal.count == 2)
    }

    @Test func `a write outlives a shutdown that ends more sessions than a unit has attempts`() {
        let world = World()
        let writers = (0..<8).map { _ in world.client() }
        for writer in writers {
            #expect(writer.ask("BEGIN").kinds == "CZ")
            #expect(writer.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        }
        for writer in writers { #expect(writer.ask("COMMIT").kinds == "CZ") }
        let open = world.servers
        #expect(open.count >= 8)
        for server in open { server.diesAt = ("INSERT", "57P01") }
        #expect(writers[0].ask("INSERT INTO t VALUES (1)").kinds == "CZ")
        #expect(world.nodes[0].journal.last == "INSERT INTO t VALUES (1)")
    }

    @Test(arguments: ["ROLLBACK AND CHAIN", "COMMIT AND CHAIN"])
    func `a transaction that failed before any server knew of it is followed by one like it`(
        end: String
    ) {
        let client = world.client()
        #expect(client.ask("BEGIN ISOLATION LEVEL SERIALIZABLE").kinds == "CZ")
        #expect(client.ask(.describe(statement: "none"), .sync).errors == ["26000"])
        #expect(client.ask("SELECT 1").errors == ["25P02"])
        let answer = client.ask(Message.extended(end) + [.sync])
        #expect(answer.kinds == "12nCZ")
        #expect(answer.last == .ready("T"))
        #expect(client.ask("INSERT INTO t VALUES (1)").kinds == "CZ")
        #expect(client.ask("COMMIT").last == .ready())
        #expect(world["a1"].heard.contains { $0.strings().contains("BEGIN ISOLATION LEVEL SERIALIZABLE") })
    }

    @Test func `what comes behind the end of a transaction that no server has is a server's to answer`() {
        for (end, next, kinds, status) in [
            ("ROLLBACK", "SELECT 1", "12nC12TDCZ", "I"), ("COMMIT", "BEGIN", "12nC12nCZ", "T"),
            ("ROLLBACK AND CHAIN", "SELECT 1", "12nC12TDCZ", "T"),
        ] as [(String, String, String, Character)] {
            let client = world.client()
            #expect(client.ask("BEGIN").kinds == "CZ")
            #expect(client.ask(.describe(statement: "none"), .sync).errors == ["26000"])
            let answer = client.ask(Message.extended(end) + Message.extended(next) + [.sync])
            #expect(answer.kinds == kinds)
            #expect(answer.last == .ready(status))
            #expect(client.ask("SELECT 2").rows == ["2"])
            client.leave()
        }
    }

    @Test func `in a transaction that no server has, what is not there is looked for first`() {
        let client = world.client()
        #expect(client.ask("BEGIN").kinds == "CZ")
        #expect(client.ask(.parse("SELECT 1", as: "s"), .sync).kinds == "1Z")
        #expect(client.ask(.describe(statement: "none"), .sync).errors == ["26000"])
        #expect(client.ask(.bind("none"), .sync).errors == ["26000"])
        #expect(client.ask(.execute(), .sync).errors == ["34000"])
        #expect(client.ask(.bind("s"), .sync).errors == ["25P02"])
        #expect(client.ask("ROLLBACK TO SAVEPOINT a;").errors == ["3B001"])
        #expect(client.ask("ROLLBACK").kinds == "CZ")
    }

    @Test func `several statements in a transaction that no server has are the server's to answer`() {
        for (query, kinds, status) in [
            ("ROLLBACK; SELECT 1", "CTDCZ", "I"), ("ROLLBACK; BEGIN; SELECT 2", "CCTDCZ", "T"),
            ("SELECT 3; ROLLBACK", "EZ", "E"), ("SELECT 4; SELECT 5", "EZ", "E"),
        ] as [(String, String, Character)] {
            let client = world.client()
            #expect(client.ask("BEGIN").kinds == "CZ")
            #expect(client.ask(.describe(statement: "none"), .sync).errors == ["26000"])
            let answer = client.ask(query)
            #expect(answer.kinds == kinds)
            #expect(answer.errors.allSatisfy { $0 == "25P02" })
            #expect(answer.last == .ready(status))
            #expect(client.ask("ROLLBACK").last == .ready())
            client.leave()
        }
    }

    @Test(arguments: [[.query("SELEC 1")], Message.extended("SELEC 1") + [.sync]])
    func `in a transaction that no server has, an error in the syntax comes first`(
        statement: [Message]
    ) {
        let client = world.client()
        #expect(client.ask("BEGIN").kinds == "CZ")
        #expect(client.ask(.describe(statement: "none"), .sync).errors == ["26000"])
        let answer = client.ask(statement)
        #expect(answer.errors == ["42601"])
        #expect(answer.last == .ready("E"))
        #expect(client.ask("SELECT 1").errors == ["25P02"])
        #expect(client.ask("ROLLBACK").last == .ready())
    }

    @Test func `a transaction that failed on a replica may end among statements for the primary`() {
        let client = world.client()
        #expect(client.ask("BEGIN READ ONLY").kinds == "CZ")
        #expect(client.ask("SELECT 1/0").errors == ["22012"])
        #expect(client.ask("SELECT 1; SELECT 2").errors == ["25P02"])
        #expect(client.ask("END; INSERT 3").kinds == "CCZ")
        #expect(world.nodes[0].journal == ["INSERT 3"])
        #expect(world.servers.allSatisfy { $0.status == "I" })
    }

    @Test func `what a replica does not know yet is asked of the primary`() {
        let world = World()
        let client = world.client()
        #expect(client.ask("SELECT new_table").kinds == "TDCZ")
        #expect(client.ask(Message.extended("SELECT new_table") + [.sync]).kinds == "12TDCZ")
        #expect(client.ask(.parse("SELECT new_table", as: "s"), .sync).kinds == "1Z")
        #expect(client.ask(.bind("s"), .execute(), .sync).kinds == "2DCZ")
        // Other errors are passed on.
        #expect(client.ask("SELECT 1/0").kinds == "EZ")
    }

    /// What a back end answered before its server was promoted may arrive behind the news of it.
    @Test func `a server that was a replica's when it answered serves no write that waits`() throws {
        let reader = world.client()
        reader.send(.query("SELECT pg_sleep(1)"))
        world.run()
        let server = try #require(world.servers.first { $0.isBusy })
        let place = try #require(world.nodes.firstIndex { $0 === server.node })
        world.tell(.test(primary: place, timeline: 2))
        // This answer is of before the promotion.
        server.say(.columns(["pg_sleep"]), .row([""]), .complete("SELECT 1"), .ready())
        let writers = (0..<3).map { _ in world.client() }
        for (index, writer) in writers.enumerated() {
            writer.send(.query("INSERT INTO t VALUES (\(index))"))
        }
        world.run()
        #expect(reader.messages().kinds == "TDCZ")
        world.pass(.seconds(1))
        #expect(writers.allSatisfy { $0.messages().kinds == "CZ" })
        #expect(server.node.journal.count == 3)
    }

    // Edge cases: 38
    @Test func `an error without a code is passed on as it is`() {
        let client = world.client()
        let server = world.firstServer
        server.isMute = true
        for body in [[0], Message.text("SERROR", "Mno code") + [0]] as [[UInt8]] {
            client.send(.query("SELECT 1"))
            server.say(Message("E", body), .ready())
            #expect(client.messages() == [Message("E", body), .ready()])
        }
    }

    @Test func `a server that says something unasked while it is idle serves nobody any more`() {
        let client = world.client()
        let server = world.firstServer
        server.say(.parseComplete)
        world.run()
        #expect(!world.isOpen(server))
        #expect(client.ask("SELECT 1").kinds == "TDCZ")
        #expect(!server.heard.contains(.query("SELECT 1")))
    }

    @Test func `a server that vanishes without a word takes those of its node along`() {
        let world = World(.test(poolSize: 3))
        let writers = (0..<3).map { _ in world.client() }
        for writer in writers { writer.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)")) }
        world.run()
        // One is idle, one is in the middle of a transaction, and one dies.
        #expect(writers[2].ask("COMMIT").last == .ready())
        world.pass(.milliseconds(1))
        let (dead, busy, idle) = (world["a1"], world["a2"], world["a3"])
        #expect(world.nodes[0].journal.count == 1)
        world.cut(dead)
        world.run()
        #expect(!world.isOpen(idle))
        #expect(world.isOpen(busy))
        // What is done is done; nobody else is given it.
        #expect(writers[1].ask("COMMIT").last == .ready())
        world.run()
        #expect(!world.isOpen(busy))
        #expect(writers[2].ask("INSERT INTO t VALUES (2)").kinds == "CZ")
        #expect(world["a4"].heard.contains(.query("INSERT INTO t VALUES (2)")))
    }

    @Test func `a server that says why it ends takes nobody along`() {
        let world = World(.test(poolSize: 2))
        let writers = (0..<2).map { _ in world.client() }
        for writer in writers { writer.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)")) }
        world.run()
        for writer in writers { #expect(writer.ask("COMMIT").last == .ready()) }
        world["a1"].say(.error("57P01", "terminating connection", severity: "FATAL"))
        world.run()
        world.cut(world["a1"])
        world.run()
        #expect(world.isOpen(world["a2"]))
    }

    // Edge cases: 95
    @Test(arguments: [1, 20])
    func `a write does not take a standby for the primary, and waits for who is`(size: Int) {
        let world = World(.test(poolSize: size))
        let client = world.client()
        // The primary came back as a standby before the topology could tell.
        world.nodes[0].isStandby = true
        client.send(.query("INSERT INTO t VALUES (1)"))
        #expect(client.messages().isEmpty)
        world.pass(.seconds(1))
        #expect(client.messages().isEmpty)
        // One connection at a time finds out whether it is still one.
        #expect(world.servers.count { $0.node === world.nodes[0] } == 2)
        world.change(.test(primary: 1, timeline: 2))
        #expect(client.messages().kinds == "CZ")
        #expect(world.nodes[1].journal == ["INSERT INTO t VALUES (1)"])
        #expect(world.nodes[0].journal.isEmpty)
    }

    @Test func `a unit behind one that was held is held once, and answered once`() {
        let client = world.client()
        #expect(client.ask("INSERT INTO t VALUES (1)").kinds == "CZ")
        // The first waits for a sample of the write's position, the second for a replica.
        client.send(.query("SHOW martlet.position"), .query("/* martlet: replica */ SELECT 2"))
        world.change(sampled(position: 2000, excluded: .lagging))
        #expect(client.messages().kinds == "TDCZ")
        world.change(sampled(position: 2001, excluded: nil))
        #expect(client.messages().kinds == "TDCZ")
        #expect(world.servers.flatMap(\.heard).count { $0.strings()[0].hasSuffix("SELECT 2") } == 1)
    }

    /// Everybody was found at this position a moment from now.
    private func sampled(position: UInt64, excluded: Topology.Exclusion?) -> Topology {
        var topology = Topology.test
        topology.version = position
        for index in topology.nodes.indices {
            if index > 0 { topology.nodes[index].exclusion = excluded }
            let moment = world.now + .milliseconds(position)
            topology.nodes[index].positions.append(
                PositionHistory.Sample(
                    position: LogPosition(position), askedAt: moment, arrivedAt: moment))
        }
        return topology
    }
}
