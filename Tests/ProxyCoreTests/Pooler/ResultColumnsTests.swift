// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import Testing

/// A table changes under a prepared statement: what its client was told of the columns, and what the
/// server gives that has or has not had it before.
struct ResultColumnsTests {
    private static let text = "/* martlet: primary */ SELECT 1"
    private let world = World()

    /// A client that has prepared `s` on `a1` and knows its columns.
    private func prepared(_ text: String = text) -> PlayedClient {
        let client = world.client()
        let answer = client.ask(.parse(text, as: "s"), .describe(statement: "s"), .sync)
        #expect(answer.kinds == "1tTZ")
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
        return client
    }

    /// Keeps a server busy, so that others get the next one.
    private func occupy(_ server: String) {
        #expect(world.client().ask("BEGIN; INSERT 1").kinds == "CCZ")
        #expect(world[server].status == "T")
    }

    private func alter() {
        for node in world.nodes { node.columns = ["value", "new"] }
    }

    private func heard(_ server: String) -> String { String(world[server].heard.map(\.kind)) }

    @Test func `another server is asked for the columns first, once`() {
        let client = prepared()
        occupy("a1")
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
        #expect(heard("a2").hasSuffix("PDSBES"))
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
        #expect(heard("a2").hasSuffix("PDSBESBES"))
    }

    @Test func `nothing is asked for a client that knows of no columns`() {
        let client = world.client()
        #expect(client.ask(.parse(Self.text, as: "s"), .sync).kinds == "1Z")
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
        occupy("a1")
        #expect(client.ask(.bind("s"), .execute(), .sync).rows == ["1"])
        #expect(heard("a2").hasSuffix("PBES"))
    }

    // Edge cases: 23
    @Test(arguments: ["a1", "a2"])
    func `who was told of other columns gets PostgreSQL's error`(server: String) {
        let client = prepared("/* martlet: primary */ SELECT 1")
        if server == "a2" { occupy("a1") }
        alter()
        let answer = client.ask(.bind("s"), .execute(), .sync)
        #expect(answer.errors == ["0A000"])
        let error = answer.first.flatMap { try? ErrorResponse(body: $0.body.rawSpan) }
        #expect(error?.routine == "RevalidateCachedQuery")
        #expect(answer.kinds == "EZ")
        // As a driver goes on.
        let again = client.ask(
            .close(statement: "s"), .parse(Self.text, as: "s"), .describe(statement: "s"), .sync)
        #expect(again.kinds == "31tTZ")
        #expect(client.ask(.bind("s"), .execute(), .sync).kinds == "2DCZ")
    }

    @Test(arguments: ["a1", "a2"])
    func `who describes the statement or its portal again gets the error, too`(server: String) {
        let client = prepared()
        if server == "a2" { occupy("a1") }
        alter()
        let portal = client.ask(.bind("s"), .describe(portal: ""), .execute(), .sync)
        #expect(portal.errors == ["0A000"])
        #expect(client.ask(.describe(statement: "s"), .sync).errors == ["0A000"])
    }

    @Test func `a portal that is described binds its client to these columns`() {
        let client = world.client()
        #expect(client.ask(.parse(Self.text, as: "s"), .sync).kinds == "1Z")
        #expect(client.ask(.bind("s"), .describe(portal: ""), .execute(), .sync).kinds == "2TDCZ")
        occupy("a1")
        alter()
        #expect(client.ask(.bind("s"), .execute(), .sync).errors == ["0A000"])
    }

    @Test func `in a transaction the error ends it`() {
        let client = prepared()
        occupy("a1")
        #expect(client.ask("BEGIN; INSERT 2").kinds == "CCZ")
        alter()
        let answer = client.ask(.bind("s"), .execute(), .sync)
        #expect(answer.errors == ["0A000"])
        #expect(answer.last == .ready("E"))
        #expect(world["a2"].status == "E")
        #expect(client.ask("ROLLBACK").last == .ready())
    }

    @Test func `in a transaction a table that is gone ends it with the server's words`() {
        let client = prepared()
        occupy("a1")
        #expect(client.ask("BEGIN; INSERT 2").kinds == "CCZ")
        world.nodes[0].goneTable = "SELECT 1"
        let answer = client.ask(.bind("s"), .execute(), .sync)
        #expect(answer.errors == ["42P01"])
        #expect(answer.last == .ready("E"))
        #expect(client.ask("SELECT 2").errors == ["25P02"])
        #expect(client.ask("ROLLBACK").last == .ready())
    }

    @Test func `outside of one the error comes in its place`() {
        let client = prepared()
        occupy("a1")
        world.nodes[0].goneTable = "SELECT 1"
        let answer = client.ask(
            .parse("INSERT 3"), .bind(), .execute(), .bind("s"), .execute(), .sync)
        #expect(answer.kinds == "12CEZ")
        #expect(answer.errors == ["42P01"])
    }

    @Test func `a replica that is behind what the client was told is passed by`() {
        world.nodes[0].columns = ["value", "new"]
        let client = prepared()
        #expect(client.ask("SET martlet.consistency = 'eventual'").kinds == "CZ")
        let text = "SELECT 1"
        #expect(client.ask("BEGIN; INSERT 2").kinds == "CCZ")
        let told = client.ask(.parse(text, as: "t"), .describe(statement: "t"), .sync)
        #expect(told.kinds == "1tTZ")
        #expect(client.ask("COMMIT").kinds == "CZ")
        for _ in 0..<4 {
            let answer = client.ask(.bind("t"), .execute(), .sync)
            #expect(answer.kinds == "2DCZ")
            #expect(answer.errors.isEmpty)
        }
    }

    @Test func `behind a Flush there is no time to ask, and no row is misread`() {
        let client = prepared()
        occupy("a1")
        #expect(client.ask(.parse("INSERT 1"), .bind(), .execute(), .flush).kinds == "12C")
        alter()
        let answer = client.ask(.bind("s"), .execute(), .sync)
        #expect(answer.kinds == "E")
        #expect(answer.errors == ["0A000"])
        #expect(client.hasEnded)
    }

    @Test func `a server that is lost while it is asked takes its transaction along`() {
        let client = prepared()
        occupy("a1")
        #expect(client.ask("BEGIN; INSERT 2").kinds == "CCZ")
        world["a2"].isDelayed = true
        client.send(.bind("s"), .execute(), .sync)
        world.cut(world["a2"])
        world.run()
        let answer = client.messages()
        #expect(answer.errors == ["40001"])
        #expect(answer.last == .ready("E"))
        #expect(client.ask("ROLLBACK").last == .ready())
    }

    @Test func `a cancel request while it is asked ends the transaction`() {
        let client = prepared()
        occupy("a1")
        #expect(client.ask("BEGIN; INSERT 2").kinds == "CCZ")
        world["a2"].isDelayed = true
        client.send(.bind("s"), .execute(), .sync)
        world.requestCancel(of: client)
        world["a2"].isDelayed = false
        world.run()
        let answer = client.messages()
        #expect(answer.errors == ["57014"])
        #expect(answer.last == .ready("E"))
    }

    @Test func `the time of a query is that of what is asked before it, too`() {
        var policy = ProxyPolicy.test
        policy.clients.queryTimeout = .seconds(2)
        world.reconfigure(policy)
        let client = prepared()
        occupy("a1")
        #expect(client.ask("BEGIN; INSERT 2").kinds == "CCZ")
        world["a2"].isDelayed = true
        client.send(.bind("s"), .execute(), .sync)
        world.pass(.seconds(1))
        #expect(world.cancels.isEmpty)
        world.pass(.seconds(2))
        #expect(world.cancels.count == 1)
    }

    @Test func `columns are the same by name, type and modifier`() throws {
        let hashing = ByteHash(seed: 7)
        func columns(_ message: Message) -> ResultColumns? {
            ResultColumns(rowDescription: message.body.rawSpan, hashing: hashing)
        }
        func described(table: Int, type: Int, format: Int) -> Message {
            let body = Message.int16(1) + Message.text("a") + Message.int32(table)
                + Message.int16(1) + Message.int32(type) + Message.int16(4) + Message.int32(-1)
            return Message("T", body + Message.int16(format))
        }
        let one = try #require(columns(described(table: 0, type: 23, format: 0)))
        #expect(one == columns(described(table: 5, type: 23, format: 1)))
        #expect(one != columns(described(table: 0, type: 20, format: 0)))
        #expect(one != .none && one != .unknown)
        let short = Message("T", described(table: 0, type: 23, format: 0).body.dropLast())
        #expect(columns(short) == nil)
    }
}
