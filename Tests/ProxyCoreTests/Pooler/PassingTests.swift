// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Messages that are passed on as they come, and what else arrives in their middle.
struct PassingTests {
    private let world = World(.test(poolSize: 1))

    @Test func `a server that fails a COPY in the middle of a message gets the rest first`() {
        let client = world.client()
        #expect(client.ask("COPY t FROM STDIN").kinds == "G")
        let half = Message.copyData("12345678\n").bytes
        client.send(bytes: Message.copyData("wrong\n").bytes + half.prefix(8))
        #expect(client.messages().kinds == "EZ")
        let other = world.client()
        other.send(.query("INSERT INTO t VALUES (1)"))
        #expect(other.messages().isEmpty)
        client.send(bytes: Array(half.dropFirst(8)))
        #expect(other.messages().kinds == "CZ")
        #expect(client.ask(.copyData("2\n"), .copyDone, .query("SELECT mine")).rows == ["mine"])
    }

    @Test func `what a message in the middle of a failed COPY left behind is read after it`() {
        let client = world.client()
        let statements = "SET application_name = 'x'; COPY t FROM STDIN"
        client.send(.query(statements))
        let half = Message.copyData("12345678\n").bytes
        client.send(bytes: Message.copyData("wrong\n").bytes + half.prefix(8))
        client.send(bytes: Array(half.dropFirst(8)))
        #expect(client.messages().errors == ["22P02"])
        #expect(!world["a1"].isTorn)
        #expect(client.ask("/* martlet: primary */ SELECT 1").kinds == "TDCZ")
    }

    @Test func `a client that stops in the middle of a message is idle`() {
        var policy = ProxyPolicy.test(poolSize: 1)
        policy.clients.idleTimeout = .seconds(10)
        let world = World(policy)
        let client = world.client()
        client.send(.query("COPY t FROM STDIN"))
        let half = Message.copyData("12345678\n").bytes.prefix(8)
        client.send(bytes: Message.copyData("wrong\n").bytes + half)
        world.pass(.seconds(11))
        #expect(client.messages().errors == ["22P02", "57P05"])
        #expect(client.hasEnded)
        #expect(world.client().ask("INSERT INTO t VALUES (1)").kinds == "CZ")
    }

    @Test func `COPY data that comes before the server asks for it waits`() {
        let client = world.client()
        client.send(.query("COPY t FROM STDIN"), .copyData("1\n"), .copyData("2\n"), .copyDone)
        let answer = client.messages()
        #expect(answer.kinds == "GCZ")
        #expect(world.nodes[0].journal == ["COPY 1 2"])
    }

    @Test func `COPY data after a failed COPY is dropped as it comes`() {
        let client = world.client()
        #expect(client.ask(.query("COPY t FROM STDIN"), .copyData("wrong\n")).kinds == "GEZ")
        let row = Message.copyData(String(repeating: "x", count: 50_000))
        let many = Array(repeating: row, count: 100)
        client.send(many + [.copyDone, .query("SELECT mine")])
        #expect(client.messages().rows == ["mine"])
        #expect(world["a1"].kinds.filter { $0 == "d" }.count == 1)
    }

    @Test func `a message too long to be held, after an error, is dropped`() {
        let client = world.client()
        client.send(.parse("SELEC"), .bind(bytes: 3 << 20), .execute(), .flush)
        #expect(client.messages().errors == ["42601"])
        client.send(.bind(bytes: 3 << 20), .execute(), .sync)
        #expect(client.messages().kinds == "Z")
        #expect(client.ask("SELECT mine").rows == ["mine"])
    }

    @Test func `a Bind too long to be held goes to the primary as it comes`() {
        let client = world.client()
        client.send(.parse("INSERT INTO t VALUES ($1)"), .bind(bytes: 3 << 20), .execute(), .sync)
        #expect(client.messages().kinds == "12CZ")
        #expect(world.nodes[0].journal == ["INSERT INTO t VALUES ($1)"])
    }

    /// A world that prepares no statement of more than 3,000 bytes, and one that is too long.
    private func strictWorld() -> (World, Message) {
        var policy = ProxyPolicy.test(poolSize: 1)
        policy.limits.statement = 3_000
        policy.limits.heldMessages = 1_000
        // In pieces, because what has arrived as a whole takes no more memory by being looked at.
        let world = World(policy, chunking: Chunking(.single))
        return (world, .parse("SELECT \(String(repeating: "x", count: 4_000))"))
    }

    // Edge cases: 37
    @Test func `a statement too long to be prepared, behind a Flush, fails where it stands`() {
        let (world, long) = strictWorld()
        let client = world.client()
        #expect(client.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        let write = Message.extended("INSERT INTO t VALUES (1)")
        client.send(write + [.flush, .describe(portal: ""), long, .bind(), .execute()])
        client.send([.sync] + write + [.sync])
        let answer = client.messages()
        #expect(answer.kinds == "12nCnEZ12nCZ")
        #expect(answer.errors == ["54000"])
        // What came before it was of the same implicit transaction.
        #expect(world.nodes[0].journal == ["INSERT INTO t VALUES (0)", "INSERT INTO t VALUES (1)"])
    }

    @Test func `a statement too long to be prepared ends the transaction that it is in`() {
        let (world, long) = strictWorld()
        let client = world.client()
        client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        #expect(client.messages().kinds == "CZCZ")
        client.send(long, .bind(), .execute(), .sync, .query("SELECT 1"), .query("COMMIT"))
        let answer = client.messages()
        #expect(answer.errors == ["54000", "25P02"])
        #expect(answer.last == .ready())
        #expect(world.nodes[0].journal.isEmpty)
    }
}
