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
}
