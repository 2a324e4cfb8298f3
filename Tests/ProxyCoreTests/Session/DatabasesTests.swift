// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import StatementClassifier
import Testing
@testable import ProxyCore

/// What a shard keeps of the names that clients send.
struct DatabasesTests {
    private func login(_ user: String, _ database: String) -> [UInt8] {
        World.startupPacket(["user", user, "database", database])
    }

    @Test func `a startup message that is not authenticated leaves nothing behind`() {
        var policy = ProxyPolicy.test
        policy.authentication.method = .scramSHA256
        policy.authentication.users = [.init(name: "app", secret: "secret")]
        let world = World(policy)
        for index in 0..<300 {
            world.connect().send(bytes: login("user\(index)", "database\(index)"))
        }
        world.run()
        #expect(world.pooler.databases.count == 0)
        for index in 0..<300 {
            #expect(world.pooler.logins.credential(of: "user\(index)") == nil)
            #expect(world.pooler.logins.secretNewerThan(of: "user\(index)") == Instant(0))
        }
    }

    @Test func `a wrong password for a role without one leaves nothing behind`() {
        var policy = ProxyPolicy.test
        policy.authentication.method = .scramSHA256
        policy.authentication.lookup = false
        let world = World(policy)
        let client = world.connect()
        client.send(bytes: login("nobody", "shop"))
        let response = Array("n,,n=,r=client".utf8)
        let initial = Message.text("SCRAM-SHA-256") + Message.int32(response.count) + response
        client.send(bytes: Message("p", initial).bytes)
        let challenge = client.messages().last?.body.dropFirst(4) ?? []
        let nonce = String(decoding: challenge.prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self)
        let proof = String(repeating: "A", count: 43) + "="
        client.send(bytes: Message("p", Array("c=biws,\(nonce),p=\(proof)".utf8)).bytes)
        #expect(client.messages().errors == ["28P01"])
        #expect(world.pooler.logins.secretNewerThan(of: "nobody") == Instant(0))
    }

    @Test func `by trust any name is let in, and none is kept for ever`() {
        let world = World()
        for index in 0..<(Databases.limit + 50) {
            let client = world.connect()
            client.send(bytes: login("user\(index)", "database\(index)"))
            client.leave()
        }
        #expect(world.pooler.databases.count <= Databases.limit)
        #expect(world.pooler.logins.credential(of: "user0") == nil)
    }

    @Test func `a database is kept while it has clients or a catalogue`() {
        var databases = Databases()
        let used = databases.entered("used")
        databases.catalogueChanged(Catalogue(), of: "catalogued", version: 1)
        let catalogued = databases.entered("catalogued")
        databases.left(catalogued)
        let plain = databases.entered("plain")
        databases.left(plain)
        for index in 0..<Databases.limit { databases.left(databases.entered("\(index)")) }
        #expect(databases.entered("used") === used)
        #expect(databases.entered("catalogued") === catalogued)
        #expect(databases.count <= Databases.limit)
        let again = databases.entered("plain")
        #expect(again !== plain)
        // What servers have parsed for the one that was forgotten is not its own.
        #expect(again.schemaVersion != plain.schemaVersion)
    }

    @Test func `that a database has no catalogue makes no database`() {
        var databases = Databases()
        databases.catalogueChanged(nil, of: "shop", version: 1)
        #expect(databases.count == 0)
    }

    @Test func `credentials of users without clients are forgotten when there are many`() {
        let world = World()
        let client = world.client(user: "present")
        for user in ["present"] + (0..<10_000).map({ "user\($0)" }) {
            world.pooler.deliver(
                .credential(user: user, .password(Array("secret".utf8))), now: world.now)
        }
        #expect(world.pooler.logins.credential(of: "user0") == nil)
        #expect(
            world.pooler.logins.credential(of: "present") == .password(Array("secret".utf8)))
        #expect(client.ask("SELECT 1").kinds == "TDCZ")
    }
}
