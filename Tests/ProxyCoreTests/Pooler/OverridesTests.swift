// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import StatementClassifier
import Testing

/// What the operator says about names, and what the schema says, as they change.
struct OverridesTests {
    private static let statement = "SELECT total FROM ledger"

    private static func policy(_ change: (inout RoutingPolicy) -> Void) -> ProxyPolicy {
        var policy = ProxyPolicy.test
        change(&policy.routing)
        return policy
    }

    /// Whether the primary was asked this, and no replica.
    private func primaryAlone(_ world: World, heard text: String) -> Bool {
        let heard = world.servers.filter { server in
            server.heard.contains { $0.strings().contains { $0.contains(text) } }
        }
        return !heard.isEmpty && heard.allSatisfy { !$0.node.isStandby }
    }

    @Test func `a table named in primary_relations is read on the primary without a catalogue`() {
        let world = World(Self.policy { $0.primaryRelations = ["ledger"] })
        #expect(world.client().ask(Self.statement).kinds == "TDCZ")
        #expect(primaryAlone(world, heard: Self.statement))
    }

    @Test func `a function named in write_functions is called on the primary without a catalogue`()
    {
        let world = World(Self.policy { $0.writeFunctions = ["lower"] })
        #expect(world.client().ask("SELECT lower('A')").kinds == "TDCZ")
        #expect(primaryAlone(world, heard: "SELECT lower('A')"))
    }

    @Test func `a function named in read_functions is called on a replica without a catalogue`() {
        let text = "SELECT totals_of_my_own(1)"
        let unknown = World()
        #expect(unknown.client().ask(text).kinds == "TDCZ")
        #expect(primaryAlone(unknown, heard: text))
        let world = World(Self.policy { $0.readFunctions = ["totals_of_my_own"] })
        #expect(world.client().ask(text).kinds == "TDCZ")
        #expect(!primaryAlone(world, heard: text))
    }

    @Test func `overrides outlive a catalogue that is dropped`() {
        let world = World(Self.policy { $0.primaryRelations = ["ledger"] })
        let client = world.client()
        world.pooler.catalogueChanged(Catalogue(safeFunctions: ["f"]), database: "shop")
        #expect(client.ask(Self.statement).kinds == "TDCZ")
        world.pooler.catalogueChanged(nil, database: "shop")
        #expect(client.ask(Self.statement).kinds == "TDCZ")
        #expect(primaryAlone(world, heard: Self.statement))
    }

    @Test func `a reload of overrides concerns statements that are prepared already`() {
        let world = World()
        let overridden = Self.policy { $0.primaryRelations = ["ledger"] }
        let use = [Message.bind("p"), .execute(), .sync]
        func binds() -> Int { world["a1"].heard.count { $0.kind == "B" } }
        // Before each reload another client, because one that read on the primary stays there.
        for (first, second, expected) in [(.test, overridden, 1), (overridden, .test, 1)] {
            world.reconfigure(first)
            let client = world.client()
            #expect(client.ask(.parse(Self.statement, as: "p"), .sync).kinds == "1Z")
            world.reconfigure(second)
            #expect(client.ask(use).kinds == "2DCZ")
            #expect(binds() == expected)
        }
    }
}

/// A statement that a replica refused goes to the primary until the schema is another.
struct RefusedStatementTests {
    private static let statement = "SELECT sneaky"
    private let world = World()

    /// How often replicas were asked.
    private var attempts: Int {
        world.servers.filter(\.node.isStandby).reduce(0) { sum, server in
            sum + server.heard.count { $0 == .query(Self.statement) }
        }
    }

    /// Asks in a session of its own, as one that has written reads on the primary anyway.
    private func ask(in database: String = "shop") {
        let client = world.client(database: database)
        #expect(client.ask(Self.statement).kinds == "TDCZ")
    }

    @Test func `a new catalogue lets replicas try again, in its own database`() {
        for database in ["shop", "shop", "other", "other"] { ask(in: database) }
        #expect(attempts == 2)
        world.pooler.catalogueChanged(Catalogue(safeFunctions: ["f"]), database: "shop")
        ask(in: "other")
        #expect(attempts == 2)
        ask()
        #expect(attempts == 3)
    }

    @Test func `DDL that passed lets replicas try again, once its transaction is over`() {
        ask()
        let writer = world.client()
        #expect(writer.ask("BEGIN").kinds == "CZ")
        #expect(writer.ask("ALTER FUNCTION sneaky() STABLE").kinds == "CZ")
        ask()
        #expect(attempts == 1)
        #expect(writer.ask("COMMIT").kinds == "CZ")
        ask()
        #expect(attempts == 2)
    }

    @Test func `the schema of one database is not that of another`() {
        ask()
        let writer = world.client(database: "other")
        #expect(writer.ask("CREATE TABLE t (a int)").kinds == "CZ")
        ask()
        #expect(attempts == 1)
    }
}
