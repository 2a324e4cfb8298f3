// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Servers that do not let their client in.
struct ServerLoginTests {
    private let world = World(.test(poolSize: 3))
    private var replicas: ArraySlice<ModelNode> { world.nodes.dropFirst() }

    private func refusal(_ sqlState: String, routine: String? = nil) -> Message {
        .error(sqlState, "no", severity: "FATAL", routine: routine)
    }

    private func logIn() -> PlayedClient {
        let client = world.connect()
        client.send(bytes: World.startupPacket(["user", "app", "database", "shop"]))
        world.run()
        return client
    }

    @Test(arguments: ["28P01", "28000", "3D000", "42501"])
    func `who a replica does not know yet is asked of the primary`(sqlState: String) {
        replicas.forEach { $0.refusal = refusal(sqlState) }
        let client = logIn()
        #expect(client.messages().kinds.hasSuffix("KZ"))
        #expect(client.ask("SELECT 1").kinds == "TDCZ", "reads go to the primary, too")
        replicas.forEach { $0.refusal = nil }
        world.pass(.seconds(10))
        #expect(logIn().messages().kinds.hasSuffix("KZ"))
    }

    @Test func `what the primary says of it holds`() {
        world.nodes.forEach { $0.refusal = refusal("28P01") }
        let client = logIn()
        #expect(client.messages().errors == ["28P01"])
        #expect(client.hasEnded)
    }

    @Test func `without a primary the replica's word holds`() {
        world.change(.test(primary: nil))
        world.nodes.forEach { $0.refusal = refusal("28P01") }
        #expect(logIn().messages().errors == ["28P01"])
    }

    /// CONNECTION LIMIT of a role or a database.
    @Test(arguments: ["InitializeSessionUserId", "CheckMyDatabase"])
    func `a role with no more connections waits for those that it has`(routine: String) {
        let holder = logIn()
        holder.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        #expect(holder.messages().kinds.hasSuffix("CZCZ"))
        world.nodes[0].refusal = refusal("53300", routine: routine)
        let waiter = logIn()
        _ = waiter.messages()
        waiter.send(.query("INSERT INTO t VALUES (2)"))
        world.pass(.seconds(5))
        #expect(waiter.messages().isEmpty)
        holder.send(.query("COMMIT"))
        #expect(waiter.messages().kinds == "CZ")
        #expect(world.nodes[0].journal == ["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"])
    }
}
