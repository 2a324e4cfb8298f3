// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Clients that leave in the middle of something: their only server comes back clean.
struct LeavingTests {
    private let world = World(.test(poolSize: 1))
    private let primary = "/* martlet: primary */ "

    /// The primary's one server, which has served before.
    private func openPrimary() -> ModelServer {
        let client = world.client()
        #expect(client.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        client.leave()
        return world["a1"]
    }

    /// The same back end serves the next client, who gets his own answer.
    private func expectReused(_ server: ModelServer) {
        let next = world.client()
        #expect(next.ask(primary + "SELECT next").rows == ["next"])
        #expect(world.isOpen(server))
        #expect(world.servers.count { $0.node === server.node } == 1)
    }

    @Test func `a COPY that starts after its client left is failed`() {
        let server = openPrimary()
        for messages in [
            [.query("COPY t FROM STDIN")],
            Message.extended("COPY t FROM STDIN") + [.sync],
            Message.extended("COPY t FROM STDIN") + [.flush],
            Message.extended("COPY t FROM STDIN") + [.parse("SELECT 1"), .sync],
        ] {
            let client = world.client()
            server.isDelayed = true
            client.send(messages)
            client.leave()
            server.isDelayed = false
            world.run()
            expectReused(server)
        }
        #expect(server.node.journal == ["INSERT INTO t VALUES (0)"])
    }

    // Edge cases: 44
    @Test func `a COPY whose client leaves is failed`() {
        let server = openPrimary()
        for messages in [
            [.query("COPY t FROM STDIN")], Message.extended("COPY t FROM STDIN") + [.sync],
        ] {
            let client = world.client()
            #expect(client.ask(messages).last?.kind == "G")
            client.send(.copyData("1\n"))
            client.leave()
            expectReused(server)
        }
        #expect(server.node.journal == ["INSERT INTO t VALUES (0)"])
    }

    @Test func `half a message that a client left with a server ends the server`() {
        let server = openPrimary()
        let client = world.client()
        client.send(.query("COPY t FROM STDIN"))
        client.send(bytes: Array(Message.copyData("12345678").bytes.dropLast(3)))
        client.leave()
        #expect(!world.isOpen(server))
        #expect(world.client().ask(primary + "SELECT next").rows == ["next"])
    }

    @Test func `an open transaction whose client leaves is rolled back`() {
        let server = openPrimary()
        let client = world.client()
        client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        client.leave()
        expectReused(server)
        #expect(server.node.journal == ["INSERT INTO t VALUES (0)"])
    }

    @Test func `a write that runs when its client leaves goes on to its end`() {
        let server = openPrimary()
        let client = world.client()
        client.send(.query("SELECT sleep(sneaky())"))
        client.leave()
        world.pass(.seconds(60))
        #expect(world.cancels.isEmpty)
        server.release()
        expectReused(server)
        #expect(server.node.journal.last == "SELECT sleep(sneaky())")
    }

    @Test func `a read that runs on after its client left is cancelled`() {
        let client = world.client()
        client.send(.query("SELECT pg_sleep(60)"))
        let server = world.servers.first { $0.isBusy }
        client.leave()
        #expect(world.cancels.isEmpty)
        world.pass(.seconds(2))
        #expect(world.cancels.count == 1)
        #expect(server?.isBusy == false)
    }

    @Test func `a statement of a transaction that nobody will commit is cancelled`() {
        let server = openPrimary()
        let client = world.client()
        client.send(.query("BEGIN"), .query("SELECT sleep(sneaky())"))
        client.leave()
        world.pass(.seconds(2))
        #expect(world.cancels.count == 1)
        expectReused(server)
        #expect(server.node.journal == ["INSERT INTO t VALUES (0)"])
    }

    // Edge cases: 46
    @Test func `a server is not used again while a cancel request is on its way to it`() {
        let server = openPrimary()
        let client = world.client()
        client.send(.query("BEGIN"), .query("SELECT sleep(1)"))
        client.leave()
        world.holdsCancels = true
        world.pass(.seconds(2))
        #expect(world.cancels.count == 1)
        server.release()
        let next = world.client()
        next.send(.query(primary + "SELECT next"))
        #expect(next.messages().isEmpty)
        world.deliverCancels()
        #expect(next.messages().rows == ["next"])
        #expect(world.isOpen(server))
    }

    @Test func `rows for a client that is gone do not run to their end`() {
        let series = "* FROM generate_series(1, 2000)"
        for (statement, isCancelled) in [
            (primary + "SELECT \(series)", true), ("INSERT INTO t SELECT 1 RETURNING n", false),
        ] {
            let client = world.client()
            #expect(client.ask("INSERT INTO t VALUES (1)").kinds == "CZ")
            let server = world.servers.last { $0.node === world.nodes[0] }
            server?.isMute = true
            world.holdsCancels = true
            client.send(.query(statement))
            client.leave()
            let before = world.cancels.count
            let row = Message.row([String(repeating: "x", count: 1000)])
            for _ in 0..<1000 { server?.say(row) }
            world.run()
            #expect(world.cancels.count == before + (isCancelled ? 1 : 0))
            #expect(server.map(world.isOpen) == isCancelled)
            // One that streams on is closed in the end.
            world.pass(.seconds(6))
            #expect(server.map(world.isOpen) == false)
            world.deliverCancels()
        }
    }

    @Test func `half a message that was kept for one who leaves is followed by its rest`() {
        let world = World(.test(poolSize: 1))
        let client = world.client()
        let server = world.firstServer
        server.isMute = true
        client.send(.query("SELECT 1"))
        // Kept until it is whole, because the read may yet run elsewhere.
        let answer = [Message.columns(["value"]), .row(["1"]), .complete("SELECT 1"), .ready()]
        server.output += answer.bytes.prefix(9)
        world.run()
        client.leave()
        server.output += answer.bytes.dropFirst(9)
        world.run()
        #expect(world.isOpen(server))
        server.isMute = false
        #expect(world.client().ask("SELECT 2").rows == ["2"])
    }
}
