// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// A short play whose every message is known: recorded as a trace, and played again with its bytes
/// cut in other places.
struct Scenario: CustomTestStringConvertible, Sendable {
    /// The name of its trace.
    let name: String
    /// Of the pool: the number of servers per node.
    var poolSize = 20
    /// Too long to be cut into single bytes.
    var isLong = false
    /// How much of a failed COPY's data reaches the server depends on when the client sends it.
    var isTimed = false
    let play: @Sendable (World) -> Void

    var testDescription: String { name }

    static let all = session + extended + copies + failures

    func world(_ chunking: Chunking = Chunking()) -> World {
        World(.test(poolSize: poolSize), chunking: chunking)
    }

    // MARK: Sessions

    private static let session = [
        Scenario(name: "login") { world in
            let client = world.connect()
            client.send(bytes: Message.int32(8) + Message.int32(80_877_103))
            // It waits for the answer; whoever does not is refused.
            world.run()
            client.send(bytes: World.startupPacket(["user", "app", "database", "shop"]))
            // The next client that asks for the same costs no server.
            world.connect().send(bytes: World.startupPacket(["user", "app", "database", "shop"]))
        },
        Scenario(name: "read-and-write") { world in
            let client = world.client()
            client.send(.query("SELECT 1"))
            client.send(.query("INSERT INTO t VALUES (1)"))
            // It reads its own write: on the primary.
            client.send(.query("SELECT 2"))
            client.send(.query(""))
        },
        Scenario(name: "several-statements-in-one-query") { world in
            let client = world.client()
            client.send(.query("SELECT 1; SELECT 1/0; INSERT INTO t VALUES (1)"))
            client.send(.query("INSERT INTO t VALUES (1); SELECT 2"))
        },
        Scenario(name: "begin-goes-with-the-first-statement") { world in
            let client = world.client()
            client.send(.query("BEGIN"))
            client.send(.query("INSERT INTO t VALUES (1)"))
            client.send(.query("COMMIT"))
            client.send(.query("BEGIN"))
            client.send(.query("COMMIT"))
        },
        Scenario(name: "read-only-transaction") { world in
            let client = world.client()
            client.send(.query("BEGIN READ ONLY"))
            client.send(.query("SELECT 1"))
            client.send(.query("INSERT INTO t VALUES (1)"))
            client.send(.query("SELECT 2"))
            client.send(.query("ROLLBACK"))
        },
        Scenario(name: "begin-fails") { world in
            let client = world.client()
            world.nodes[0].refusesBegin = true
            client.send(.query("BEGIN"))
            client.send(.query("INSERT INTO t VALUES (1)"))
            client.send(.query("SELECT 1"))
            client.send(.query("ROLLBACK"))
        },
        Scenario(name: "settings-follow-the-session") { world in
            let client = world.client()
            client.send(.query("SET application_name = 'one'"))
            client.send(.query("INSERT INTO t VALUES (1)"))
            let other = world.client()
            other.send(.query("INSERT INTO t VALUES (2)"))
            client.send(.query("BEGIN"), .query("SET application_name = 'two'"))
            client.send(.query("ROLLBACK"))
            client.send(.query("SHOW application_name"))
        },
        Scenario(name: "temporary-table-pins") { world in
            let client = world.client()
            client.send(.query("CREATE TEMP TABLE u (n int)"))
            client.send(.query("SELECT 1"))
            world["a1"].die("57P01")
        },
        Scenario(name: "two-clients-share-a-server", poolSize: 1) { world in
            let one = world.client()
            let two = world.client()
            one.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
            two.send(.query("INSERT INTO t VALUES (2)"))
            one.send(.query("COMMIT"))
        },
    ]

    // MARK: The extended protocol

    private static let extended = [
        Scenario(name: "extended-unnamed") { world in
            let client = world.client()
            client.send(Message.extended("SELECT 1") + [.sync])
            client.send(Message.extended("INSERT INTO t VALUES (1)") + [.sync])
        },
        Scenario(name: "prepared-over-two-servers") { world in
            let client = world.client()
            client.send(.parse("SELECT 1", as: "s"), .describe(statement: "s"), .sync)
            client.send(.bind("s"), .execute(), .sync)
            client.send(.query("BEGIN"), .bind("s"), .execute(), .sync, .query("COMMIT"))
            client.send(.close(statement: "s"), .sync)
            client.send(.bind("s"), .execute(), .sync)
        },
        Scenario(name: "prepared-by-two-clients") { world in
            let one = world.client()
            one.send(.parse("INSERT INTO t VALUES (1)", as: "a"), .bind("a"), .execute(), .sync)
            let two = world.client()
            two.send(.parse("INSERT INTO t VALUES (1)", as: "b"), .bind("b"), .execute(), .sync)
            one.send(.bind("a"), .execute(), .sync)
            one.send(.parse("SELECT 1", as: "a"), .sync)
        },
        Scenario(name: "prepare-up-to-a-flush") { world in
            let client = world.client()
            client.send(.parse("SELECT 1", as: "s"), .describe(statement: "s"), .flush)
            client.send(.bind("s"), .execute(), .sync)
            client.send(.parse("SELEC", as: "t"), .describe(statement: "t"), .flush)
            client.send(.bind("t"), .execute(), .sync)
        },
        Scenario(name: "pipeline-error-skips-to-sync") { world in
            let client = world.client()
            client.send(
                Message.extended("INSERT INTO t VALUES (1)") + Message.extended("SELECT 1/0")
                    + Message.extended("INSERT INTO t VALUES (2)") + [.sync]
                    + Message.extended("INSERT INTO t VALUES (3)") + [.sync])
        },
        Scenario(name: "known-statement-in-a-pipeline") { world in
            let client = world.client()
            client.send(
                Message.extended("INSERT INTO t VALUES (1)")
                    + Message.extended("INSERT INTO t VALUES (1)") + [.sync])
        },
        Scenario(name: "portal-in-steps") { world in
            let client = world.client()
            client.send(
                .parse("SELECT * FROM generate_series(1, 3)"), .bind(), .execute(rows: 2), .flush)
            client.send(.execute(rows: 2), .sync)
        },
        Scenario(name: "deallocate-all") { world in
            let client = world.client()
            client.send(.parse("SELECT 1", as: "s"), .sync)
            client.send(.query("DEALLOCATE ALL"))
            client.send(.parse("SELECT 1", as: "s"), .sync)
        },
        Scenario(name: "flush-behind-a-wait", poolSize: 1) { world in
            let one = world.client()
            let two = world.client()
            one.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
            two.send(Message.extended("INSERT INTO t VALUES (2)") + [.flush, .sync])
            one.send(.query("COMMIT"))
        },
        Scenario(name: "long-bind", isLong: true) { world in
            let client = world.client()
            client.send(
                .parse("INSERT INTO t VALUES ($1)"), .bind(bytes: 1_100_000), .execute(), .sync)
        },
    ]
}
