// SPDX-License-Identifier: Apache-2.0

import ProxyRuntime
import Testing

@testable import martlet

struct CheckQueryTests {
    private let row: [String?] = [
        "15.14 (Debian 15.14-0+deb12u1)", "150014", "t", "7", "t", "f", nil, "97", "1000.5",
    ]

    @Test func `a row becomes facts`() throws {
        let facts = try #require(CheckQuery.facts(row, askedAt: 998, answeredAt: 999))
        #expect(facts.version == "15.14" && facts.versionNumber == 150_014)
        #expect(facts.isInRecovery && facts.maySeeReplication && !facts.mayReadSecrets)
        #expect(facts.systemIdentifier == "7" && facts.connectionLimit == 97)
        #expect(facts.clockOffset == 2 && facts.clockUncertainty == 0.5)
        guard case .missing = facts.lookup else {
            Issue.record("no function, and yet \(facts.lookup)")
            return
        }
    }

    @Test func `a function that may not be called is told from one that may`() throws {
        func lookup(_ text: String) throws -> ClusterFacts.Lookup {
            var changed = row
            changed[6] = text
            return try #require(CheckQuery.facts(changed, askedAt: 0, answeredAt: 0)).lookup
        }
        guard case .callable = try lookup("t"), case .forbidden = try lookup("f") else {
            Issue.record("not told apart")
            return
        }
    }

    @Test func `a row of another shape is none`() {
        #expect(CheckQuery.facts(Array(row.dropLast()), askedAt: 0, answeredAt: 0) == nil)
        var odd = row
        odd[1] = "fifteen"
        #expect(CheckQuery.facts(odd, askedAt: 0, answeredAt: 0) == nil)
    }

    @Test func `the look-up function is called by its quoted name`() {
        #expect(
            CheckQuery.call("martlet.user_secret")
                == #"SELECT secret, valid_until FROM "martlet"."user_secret"(current_user)"#)
        #expect(CheckQuery.parameters("martlet.user_secret") == ["martlet", "user_secret"])
    }
}
