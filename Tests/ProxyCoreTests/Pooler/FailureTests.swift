// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// The table of DESIGN 7, row by row.
struct FailureTests {
    private let world = World(.test(poolSize: 1))

    @Test func `a write that a shutdown refused is run again, also after its settings were replayed`()
    {
        let client = world.client()
        #expect(client.ask("SET application_name = 'x'").kinds == "SCZ")
        let other = world.client()
        #expect(other.ask("INSERT INTO t VALUES (0)").kinds == "CZ")
        // It takes the settings, and not the statement.
        world["a1"].diesAt = ("INSERT", "57P01")
        client.send(.query("INSERT INTO t VALUES (1)"))
        #expect(client.messages().kinds == "CZ")
        #expect(world.nodes[0].journal == ["INSERT INTO t VALUES (0)", "INSERT INTO t VALUES (1)"])
    }
}
