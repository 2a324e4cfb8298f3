// SPDX-License-Identifier: Apache-2.0

import Testing
@testable import ProxyCore

struct AuthenticationRuleTests {
    private func rule(
        _ type: AuthenticationRule.Connection = .host, databases: [String] = ["all"],
        users: [String] = ["all"], addresses: [String] = ["all"],
        _ method: AuthenticationRule.Method = .scramSHA256
    ) throws -> AuthenticationRule {
        var rule = AuthenticationRule(method: method)
        rule.type = type
        rule.databases = databases
        rule.users = users
        rule.addresses = try addresses.map { try #require(AuthenticationRule.Address($0)) }
        return rule
    }

    private func attempt(
        user: String = "app", database: String = "shop", peer: String = "10.1.2.3:40000",
        encrypted: Bool = false
    ) -> LoginAttempt {
        var attempt = LoginAttempt(user: user, database: database, peer: peer)
        attempt.isEncrypted = encrypted
        return attempt
    }

    @Test func `the type is that of the connection`() throws {
        let expected: [AuthenticationRule.Connection: [Bool]] = [
            .host: [false, true, true],
            .hostssl: [false, false, true], .hostnossl: [false, true, false],
        ]
        let attempts = [attempt(peer: "[local]"), attempt(), attempt(encrypted: true)]
        for (type, matches) in expected {
            let rule = try rule(type)
            #expect(attempts.map(rule.matches) == matches, "\(type)")
        }
    }

    @Test func `addresses are compared as numbers, and ports are none of them`() throws {
        let rule = try rule(addresses: ["10.0.0.0/8", "::1"])
        #expect(rule.matches(attempt()))
        #expect(rule.matches(attempt(peer: "[::1]:1")))
        #expect(!rule.matches(attempt(peer: "11.0.0.1:10")))
        #expect(!rule.matches(attempt(peer: "[::2]:1")))
        #expect(!rule.matches(attempt(peer: "unknown")), "who cannot be told is nobody")
    }

    @Test func `names are exact, and some are words`() throws {
        #expect(try rule(users: ["other", "app"]).matches(attempt()))
        #expect(try !rule(users: ["App"]).matches(attempt()))
        #expect(try !rule(databases: ["other"]).matches(attempt()))
        #expect(try rule(databases: ["sameuser"]).matches(attempt(database: "app")))
        #expect(try !rule(databases: ["sameuser"]).matches(attempt()))
        #expect(try !rule(databases: ["replication"]).matches(attempt(database: "replication")))
    }

    @Test func `physical replication is in no database, and not in all of them`() throws {
        var attempt = attempt(database: "")
        attempt.isPhysicalReplication = true
        #expect(try !rule().matches(attempt))
        #expect(try !rule(databases: ["sameuser", ""]).matches(attempt))
        #expect(try rule(databases: ["replication"]).matches(attempt))
    }

    @Test func `a rule that leaves nothing to another is found`() throws {
        let rules = [
            try rule(.hostssl, users: ["a", "b"], addresses: ["10.0.0.0/8", "::1"]),
            try rule(.hostssl, databases: ["x"], users: ["b"], addresses: ["10.1.0.0/16"], .reject),
            try rule(.host, users: ["b"], addresses: ["10.1.0.0/16"]),
            try rule(.hostssl, users: ["c"], addresses: ["10.1.0.0/16"]),
            try rule(.hostssl, users: ["a"], addresses: ["10.0.0.0/7"]),
            try rule(.hostssl, users: ["a"]),
            try rule(),
            try rule(.hostnossl, databases: ["x"], users: ["d"]),
            try rule(databases: ["replication"]),
            try rule(databases: ["x", "replication"], users: ["d"]),
        ]
        #expect(
            AuthenticationRule.shadows(in: rules)
                == [nil, 0, nil, nil, nil, nil, nil, 6, nil, nil])
    }

    /// What covers another rule matches whatever that one matches; found by trying.
    @Test func `covering is what it says`() throws {
        var random = SplitMix64(seed: 7)
        func pick<T>(_ values: [T]) -> T { values[Int(random.next() % UInt64(values.count))] }
        func pickSome(_ values: [String]) -> [String] {
            let some = values.filter { _ in random.next() % 2 == 0 }
            return some.isEmpty ? [pick(values)] : some
        }
        var covered = 0
        for _ in 0..<3000 {
            let rules = try (0..<2).map { _ in
                try rule(
                    pick(AuthenticationRule.Connection.allCases),
                    databases: pickSome(["all", "sameuser", "replication", "app", "shop"]),
                    users: pickSome(["all", "app", "boss"]),
                    addresses: pickSome(["all", "10.0.0.0/8", "10.1.0.0/16", "::1"]))
            }
            guard rules[0].covers(rules[1]) else { continue }
            covered += 1
            for user in ["app", "boss", "x"] {
                for (database, isPhysical) in [("app", false), ("shop", false), ("", true)] {
                    for peer in ["[local]", "10.1.0.1:1", "10.2.0.1:1", "[::1]:1", "[::2]:1"] {
                        for isEncrypted in [false, true] {
                            var attempt = attempt(
                                user: user, database: database, peer: peer, encrypted: isEncrypted)
                            attempt.isPhysicalReplication = isPhysical
                            #expect(!rules[1].matches(attempt) || rules[0].matches(attempt))
                        }
                    }
                }
            }
        }
        #expect(covered > 100)
    }
}
