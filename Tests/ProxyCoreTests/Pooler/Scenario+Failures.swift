// SPDX-License-Identifier: Apache-2.0

import ProxyCore

extension Scenario {
    // MARK: COPY

    static let copies = [
        Scenario(name: "copy-in") { world in
            let client = world.client()
            client.send(.query("COPY t FROM STDIN"))
            client.send(.copyData("1\n"), .copyData("2\n"), .copyDone)
        },
        Scenario(name: "copy-in-without-waiting") { world in
            let client = world.client()
            client.send(
                .query("COPY t FROM STDIN"), .copyData("1\n"), .copyDone, .query("SELECT 1"))
        },
        Scenario(name: "copy-in-extended", isTimed: true) { world in
            let client = world.client()
            client.send(Message.extended("COPY t FROM STDIN") + [.sync])
            client.send(.copyData("1\n"), .copyDone, .sync)
            client.send(
                Message.extended("COPY t FROM STDIN") + [.copyData("1\n"), .copyDone, .sync])
        },
        Scenario(name: "copy-in-extended-without-a-flush", isTimed: true) { world in
            let client = world.client()
            client.send(Message.extended("COPY t FROM STDIN"))
            client.send(.copyData("1\n"), .copyDone, .sync)
            client.send(.query("SELECT 1"))
        },
        Scenario(name: "copy-in-fails", isTimed: true) { world in
            let client = world.client()
            client.send(.query("COPY t FROM STDIN"))
            client.send(.copyData("wrong\n"))
            client.send(.copyData("2\n"), .copyDone, .query("SELECT 1"))
            client.send(.query("COPY t FROM STDIN"))
            client.send(.copyData("1\n"), .copyFail("enough"))
            client.send(Message.extended("COPY t FROM STDIN") + [.flush])
            client.send(.copyData("wrong\n"))
            client.send(.copyData("2\n"), .copyDone, .sync)
        },
        Scenario(name: "copy-out") { world in
            let client = world.client()
            client.send(.query("COPY t TO STDOUT"))
            client.send(Message.extended("COPY t TO STDOUT") + [.sync])
        },
    ]

    // MARK: Failures

    static let failures = [
        Scenario(name: "refused-read-runs-on-the-primary") { world in
            let client = world.client()
            client.send(.query("SELECT * FROM sneaky"))
            // Its shape is known now.
            client.send(.query("SELECT * FROM sneaky"))
        },
        Scenario(name: "refused-read-in-the-extended-protocol") { world in
            let client = world.client()
            client.send(
                [.parse("SELECT * FROM sneaky", as: "s"), .describe(statement: "s"), .bind("s")]
                    + [.execute(), .sync])
        },
        Scenario(name: "recovery-conflict-runs-elsewhere") { world in
            let client = world.client()
            client.send(.query("SELECT * FROM conflict"))
        },
        Scenario(name: "lost-replica-read-runs-elsewhere") { world in
            let client = world.client()
            world.firstServer.diesAt = ("SELECT", nil)
            client.send(.query("SELECT 1"))
        },
        Scenario(name: "rows-were-out-when-the-replica-was-lost") { world in
            let client = world.client()
            world.firstServer.isMute = true
            client.send(.query("SELECT 1"))
            world.firstServer.say(.columns(["value"]), .row(["1"]))
            world.run()
            world.firstServer.die("40001")
            world.run()
        },
        Scenario(name: "cancel-while-waiting", poolSize: 1) { world in
            let one = world.client()
            let two = world.client()
            one.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
            two.send(.query("INSERT INTO t VALUES (2)"))
            world.requestCancel(of: two)
            two.send(.query("SELECT 1"))
        },
        Scenario(name: "cancel-while-running") { world in
            let client = world.client()
            client.send(.query("SELECT pg_sleep(60)"))
            world.requestCancel(of: client)
            client.send(Message.extended("SELECT pg_sleep(60)") + [.sync])
            world.requestCancel(of: client)
        },
        Scenario(name: "shutdown-before-the-result") { world in
            let client = world.client()
            client.send(.query("INSERT INTO t VALUES (1)"))
            world["a1"].diesAt = ("INSERT", "57P01")
            client.send(.query("INSERT INTO t VALUES (2)"))
        },
        Scenario(name: "write-lost-without-an-answer") { world in
            let client = world.client()
            client.send(.query("INSERT INTO t VALUES (1)"))
            world["a1"].diesAt = ("INSERT", nil)
            client.send(.query("INSERT INTO t VALUES (2)"))
            client.send(.query("SELECT 1"))
        },
        Scenario(name: "lost-in-commit") { world in
            let client = world.client()
            client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
            world["a1"].diesAt = ("COMMIT", nil)
            client.send(.query("COMMIT"))
            client.send(.query("SELECT 1"))
        },
        Scenario(name: "lost-in-a-query-that-commits") { world in
            let client = world.client()
            client.send(.query("INSERT INTO t VALUES (1)"))
            world["a1"].diesAt = ("INSERT", nil)
            client.send(.query("BEGIN"))
            client.send(.query("INSERT INTO t VALUES (2); COMMIT"))
        },
        Scenario(name: "lost-in-the-commit-of-a-read-only-transaction") { world in
            let client = world.client()
            client.send(.query("BEGIN READ ONLY"), .query("SELECT 1"))
            world.firstServer.diesAt = ("COMMIT", nil)
            client.send(.query("COMMIT"))
        },
        Scenario(name: "lost-replica-in-the-first-statement-of-a-transaction") { world in
            let client = world.client()
            client.send(.query("BEGIN READ ONLY"))
            world.firstServer.diesAt = ("SELECT", nil)
            client.send(.query("SELECT 1"))
            client.send(.query("COMMIT"))
        },
        Scenario(name: "transaction-lost-in-a-statement") { world in
            let client = world.client()
            client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
            world["a1"].diesAt = ("INSERT", nil)
            client.send(.query("INSERT INTO t VALUES (2)"))
            client.send(.query("INSERT INTO t VALUES (3)"))
            client.send(.query("ROLLBACK"))
        },
        Scenario(name: "transaction-lost-between-statements") { world in
            let client = world.client()
            client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
            world["a1"].die("57P01")
            world.run()
            client.send(Message.extended("INSERT INTO t VALUES (2)") + [.sync])
            client.send(Message.extended("ROLLBACK") + [.sync])
        },
        Scenario(name: "write-waits-for-a-primary") { world in
            let client = world.client()
            world.change(.test(primary: nil))
            client.send(.query("INSERT INTO t VALUES (1)"))
            world.pass(.seconds(10))
            world.change(.test(primary: 1, timeline: 2))
            world.change(.test(primary: nil, timeline: 2))
            client.send(.query("INSERT INTO t VALUES (2)"))
            world.pass(.seconds(31))
        },
        Scenario(name: "client-leaves-in-a-transaction") { world in
            let client = world.client()
            client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
            client.leave()
        },
    ]
}
