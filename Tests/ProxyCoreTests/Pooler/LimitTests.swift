// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// What ends a client, its statement or its wait when there is too much of it.
struct LimitTests {
    private func world(_ change: (inout ProxyPolicy) -> Void) -> World {
        var policy = ProxyPolicy.test
        change(&policy)
        return World(policy)
    }

    private func refused(_ client: PlayedClient) -> [String] {
        client.hasEnded ? client.messages().errors : []
    }

    private func logIn(
        _ world: World, user: String = "app", database: String = "shop"
    ) -> PlayedClient {
        let client = world.connect()
        client.send(bytes: World.startupPacket(["user", user, "database", database]))
        world.run()
        return client
    }

    // MARK: Numbers of clients

    @Test func `clients that have not logged in are limited, and those that have are not`() {
        let world = world { $0.clients.maximumLoggingIn = 2 }
        let inside = (0..<3).map { _ in logIn(world) }
        let silent = (0..<2).map { _ in world.connect() }
        let oneMore = world.connect()
        world.run()
        #expect(refused(oneMore) == ["53300"])
        #expect(inside.allSatisfy { !$0.hasEnded } && silent.allSatisfy { !$0.hasEnded })
        silent[0].leave()
        #expect(!logIn(world).hasEnded)
    }

    @Test func `one address cannot take the places of all others`() {
        let world = world { $0.clients.maximumLoggingInPerAddress = 1 }
        _ = world.connect(peer: "10.0.0.1:1")
        let again = world.connect(peer: "10.0.0.1:2")
        let other = world.connect(peer: "10.0.0.2:1")
        world.run()
        #expect(refused(again) == ["53300"])
        #expect(!other.hasEnded)
    }

    @Test func `clients of a user and of a database are limited, each by its own override`() {
        let world = world {
            $0.clients.maximumPerUser = 1
            $0.clients.maximumPerDatabase = 4
            var override = PoolPolicies.Override(user: "many")
            override.clientsPerUser = 2
            $0.pools.overrides = [override]
        }
        let clients = ["app", "app", "many", "many", "many", "third", "fourth"].map {
            logIn(world, user: $0)
        }
        #expect(clients.map { refused($0) } == [[], ["53300"], [], [], ["53300"], [], ["53300"]])
        #expect(!logIn(world, user: "fourth", database: "other").hasEnded)
        clients[0].leave()
        #expect(!logIn(world).hasEnded)
    }

    @Test func `who does not log in in time is told so`() {
        let world = world { $0.clients.loginTimeout = .seconds(2) }
        let client = world.connect()
        world.pass(.milliseconds(1900))
        #expect(!client.hasEnded)
        world.pass(.milliseconds(100))
        #expect(refused(client) == ["57014"])
    }

    // MARK: Numbers of servers

    @Test func `servers of a user are limited over its databases, and room is made`() {
        let world = world { $0.pools.standard.serversPerUser = 1 }
        let shop = world.client()
        #expect(shop.ask("INSERT INTO t VALUES (1)").kinds == "CZ")
        let first = world["a1"]
        let other = world.client(database: "other")
        #expect(other.ask("INSERT INTO t VALUES (2)").kinds == "CZ")
        #expect(!world.isOpen(first), "idle, so it makes room")
        other.send(.query("BEGIN"), .query("INSERT INTO t VALUES (3)"))
        shop.send(.query("INSERT INTO t VALUES (4)"))
        world.pass(.seconds(1))
        #expect(shop.messages().isEmpty, "busy, so one waits")
        let stranger = world.client(user: "stranger")
        #expect(stranger.ask("INSERT INTO t VALUES (5)").kinds == "CZ")
        other.send(.query("COMMIT"))
        world.pass(.seconds(1))
        #expect(shop.messages().kinds == "CZ")
    }

    @Test func `servers of a database are limited over its users`() {
        let world = world { $0.pools.standard.serversPerDatabase = 1 }
        let holder = world.client()
        holder.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        let other = world.client(user: "other")
        other.send(.query("INSERT INTO t VALUES (2)"))
        world.pass(.seconds(1))
        #expect(other.messages().isEmpty)
        holder.send(.query("COMMIT"))
        world.pass(.seconds(1))
        #expect(other.messages().kinds == "CZ")
    }

    @Test func `the reserve is for those who have waited for its time`() {
        let world = world {
            $0.pools.standard.size = 1
            $0.pools.standard.reserveSize = 1
            $0.pools.reserveTimeout = .seconds(5)
        }
        let holder = world.client()
        holder.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        let waiters = (0..<2).map { _ in world.client() }
        for waiter in waiters { waiter.send(.query("BEGIN"), .query("INSERT INTO t VALUES (2)")) }
        world.pass(.seconds(4))
        #expect(waiters.map { $0.messages().kinds } == ["CZ", "CZ"])
        world.pass(.seconds(1))
        #expect(waiters.map { $0.messages().kinds } == ["CZ", ""])
        world.pass(.seconds(60))
        #expect(waiters[1].messages().isEmpty, "one in reserve, not more")
    }

    @Test func `zero keeps a server for ever`() {
        let world = world {
            $0.pools.serverIdleTimeout = .zero
            $0.pools.serverLifetime = .zero
        }
        let client = world.client()
        #expect(client.ask("INSERT INTO t VALUES (1)").kinds == "CZ")
        world.pass(.seconds(100_000))
        #expect(client.ask("INSERT INTO t VALUES (2)").kinds == "CZ")
        #expect(world.isOpen(world["a1"]))
    }

    // MARK: Times of work

    // Edge cases: 106
    @Test(arguments: [false, true])
    func `a query that takes too long is cancelled on its server`(isExtended: Bool) {
        let world = world { $0.clients.queryTimeout = .seconds(3) }
        let client = world.client()
        let statement = "SELECT pg_sleep(60)"
        client.send(isExtended ? Message.extended(statement) + [.sync] : [.query(statement)])
        world.pass(.milliseconds(2900))
        #expect(world.cancels.isEmpty)
        world.pass(.milliseconds(100))
        #expect(world.cancels.count == 1)
        let answer = client.messages()
        #expect(answer.errors == ["57014"])
        #expect(answer.words == ["canceling statement due to query timeout"])
        #expect(!client.hasEnded)
        #expect(client.ask("SELECT 1").kinds == "TDCZ")
    }

    @Test func `a COPY whose rows do not come in time fails, and what comes later is dropped`() {
        let world = world { $0.clients.queryTimeout = .seconds(3) }
        let client = world.client()
        client.send(.query("COPY t FROM STDIN"), .copyData("1\n"))
        world.pass(.seconds(3))
        let answer = client.messages()
        #expect(answer.errors == ["57014"])
        #expect(answer.words == ["canceling statement due to query timeout"])
        client.send(.copyData("2\n"), .copyDone)
        #expect(client.ask("SELECT 1").kinds == "TDCZ")
        #expect(world.cancels.isEmpty && world.nodes[0].journal.isEmpty)
    }

    @Test func `each query has its time, and waiting is not in it`() {
        let world = world {
            $0.clients.queryTimeout = .seconds(3)
            $0.pools.standard.size = 1
        }
        let holder = world.client()
        holder.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        let waiter = world.client()
        waiter.send(.query("/* martlet: primary */ SELECT pg_sleep(60)"))
        world.pass(.seconds(10))
        #expect(holder.ask("COMMIT").errors.isEmpty)
        world.pass(.seconds(2))
        #expect(world.cancels.isEmpty)
        world.pass(.seconds(1))
        #expect(waiter.messages().errors == ["57014"])
    }

    @Test func `a cancel request that does not reach the statement is made again`() {
        let world = world { $0.clients.queryTimeout = .seconds(3) }
        let client = world.client()
        client.send(.query("SELECT pg_sleep(60)"))
        world.holdsCancels = true
        world.pass(.seconds(3))
        world.pass(.milliseconds(900))
        #expect(world.cancels.count == 1)
        world.pass(.milliseconds(100))
        #expect(world.cancels.count == 2)
        world.deliverCancels()
        #expect(client.messages().errors == ["57014"])
    }

    @Test func `an idle transaction that takes too long ends, and its client`() {
        let world = world { $0.clients.transactionTimeout = .seconds(3) }
        let client = world.client()
        client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        world.pass(.seconds(2))
        #expect(client.ask("INSERT INTO t VALUES (2)").kinds == "CZCZCZ")
        world.pass(.seconds(1))
        #expect(refused(client) == ["25P04"])
        #expect(world.nodes[0].journal.isEmpty)
        #expect(world.client().ask("INSERT INTO t VALUES (3)").kinds == "CZ")
    }

    @Test func `in a transaction that takes too long what runs is cancelled first`() {
        let world = world { $0.clients.transactionTimeout = .seconds(3) }
        let client = world.client()
        client.send(.query("BEGIN"), .query("SELECT pg_sleep(60)"))
        world.pass(.seconds(3))
        #expect(world.cancels.count == 1)
        world.pass(.milliseconds(100))
        let answer = client.messages()
        #expect(answer.errors == ["57014", "25P04"])
        #expect(answer.words.first == "canceling statement due to transaction timeout")
        #expect(client.hasEnded)
    }

    // Edge cases: 106
    @Test func `a COMMIT is left to end, and a statement alone is no transaction block`() {
        let world = world { $0.clients.transactionTimeout = .seconds(3) }
        let client = world.client()
        client.send(.query("BEGIN"), .query("INSERT INTO t VALUES (1)"))
        let server = world["a1"]
        server.isMute = true
        client.send(.query("COMMIT"))
        let alone = world.client()
        alone.send(.query("SELECT pg_sleep(60)"))
        world.pass(.seconds(10))
        #expect(world.cancels.isEmpty)
        server.say(.complete("COMMIT"), .ready())
        #expect(client.messages().kinds == "CZCZCZ")
        #expect(!client.hasEnded && !alone.hasEnded)
    }

    @Test func `times are those of the override, and of the reload`() {
        var policy = ProxyPolicy.test
        policy.clients.idleTimeout = .seconds(100)
        var override = PoolPolicies.Override(database: "shop", user: "app")
        override.idleTimeout = .seconds(10)
        var later = PoolPolicies.Override(database: "shop")
        later.idleTimeout = .seconds(1)
        policy.pools.overrides = [override, later]
        let world = World(policy)
        let client = world.client()
        let other = world.client(database: "other")
        world.pass(.seconds(9))
        #expect(!client.hasEnded)
        world.pass(.seconds(1))
        #expect(refused(client) == ["57P05"])
        policy.clients.idleTimeout = .seconds(15)
        world.reconfigure(policy)
        world.pass(.seconds(4))
        #expect(!other.hasEnded)
        world.pass(.seconds(1))
        #expect(refused(other) == ["57P05"])
    }

    @Test func `time is looked at often while work is timed, and not otherwise`() {
        for (timeout, span) in [(0, 1000), (60, 100)] as [(UInt64, UInt64)] {
            let world = world { $0.clients.queryTimeout = .seconds(timeout) }
            let client = world.client()
            world.pass(.seconds(1))
            #expect(world.pooler.nextDeadline == world.now + .milliseconds(span))
            client.leave()
        }
    }
}
