// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

@testable import martlet

struct CheckRulesTests {
    private static func member(_ name: String, isPrimary: Bool = false) -> ClusterFacts.Member {
        var patroni = ClusterFacts.PatroniFacts()
        patroni.isPrimary = isPrimary
        patroni.isReplica = !isPrimary
        patroni.state = isPrimary ? "running" : "streaming"
        patroni.systemIdentifier = "7"
        patroni.version = "4.1.5"
        var server = ClusterFacts.ServerFacts()
        server.version = "15.14"
        server.versionNumber = 15_00_14
        server.isInRecovery = !isPrimary
        server.systemIdentifier = "7"
        server.maySeeReplication = true
        server.lookup = .callable
        server.connectionLimit = 97
        return ClusterFacts.Member(
            name: name, address: HostAndPort(host: "10.0.0.1", port: 5432),
            restURL: "http://10.0.0.1:8008", patroni: .answer(patroni), server: .answer(server))
    }

    private static var healthy: ClusterFacts {
        var facts = ClusterFacts()
        facts.seeds = [.init(address: "http://10.0.0.1:8008", answer: .answer(["a", "b"]))]
        facts.members = [member("a", isPrimary: true), member("b")]
        return facts
    }

    private func findings(
        _ yaml: String = "", _ change: (inout ClusterFacts) -> Void
    ) throws -> [CheckFinding] {
        let text = """
            patroni: {urls: [http://10.0.0.1:8008]}
            service: {user: martlet, password: sesame}

            """
        var facts = Self.healthy
        change(&facts)
        let configuration = try Configuration.load(yaml: text + yaml)
        return CheckRules(configuration: configuration, facts: facts).findings
    }

    /// What is wrong, as it is printed.
    private func complaints(
        _ yaml: String = "", _ change: (inout ClusterFacts) -> Void
    ) throws -> [String] {
        try findings(yaml, change).filter { $0.verdict != .ok }.map(\.text)
    }

    /// Changes the first member's server.
    private func server(
        _ facts: inout ClusterFacts, _ change: (inout ClusterFacts.ServerFacts) -> Void
    ) {
        guard var server = facts.members[0].server.value else { return }
        change(&server)
        facts.members[0].server = .answer(server)
    }

    @Test func `a healthy cluster has nothing to mend`() throws {
        let all = try findings { _ in }
        #expect(all.allSatisfy { $0.verdict == .ok && $0.remedy == nil })
        #expect(all.count == 1 + 2 * 6 + 4)
        #expect(all.last?.text == "ok    versions: PostgreSQL 15 everywhere")
    }

    @Test func `a Patroni address that does not answer is named`() throws {
        let lines = try complaints {
            $0.seeds[0] = .init(address: "http://x:1", answer: .failed("connection refused"))
            $0.members[1].patroni = .failed("timeout")
        }
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("FAIL  Patroni at http://x:1: connection refused\n      -> "))
        #expect(lines[1].hasPrefix("FAIL  b: Patroni: timeout (http://10.0.0.1:8008)\n"))
        #expect(lines[2].hasPrefix("warn  replicas: there is none\n"))
    }

    @Test(arguments: [
        ("FATAL: password authentication failed for user \"martlet\"", "\\password martlet"),
        ("FATAL: no pg_hba.conf entry for host \"1.2.3.4\"", "postgresql.pg_hba"),
        ("FATAL: role \"martlet\" does not exist", "martlet setup"),
        ("FATAL: database \"postgres\" does not exist", "service.database"),
        ("FATAL: the database system is starting up", "check again"),
        ("connection refused", "connect_address"),
    ])
    func `a server that refuses says how to mend it`(reason: String, remedy: String) throws {
        let all = try findings { $0.members[0].server = .failed(reason) }
        let finding = try #require(all.first { $0.verdict == .failure })
        #expect(finding.subject == "a: PostgreSQL")
        #expect(finding.remedy?.contains(remedy) == true)
    }

    @Test func `missing privileges are told with what grants them`() throws {
        let lines = try complaints {
            server(&$0) {
                $0.maySeeReplication = false
                $0.lookup = .missing
            }
        }
        #expect(
            lines[0] == """
                FAIL  a: replication state: martlet may not see it
                      -> GRANT pg_monitor TO "martlet"
                """)
        #expect(lines[1].hasPrefix("FAIL  a: secrets: there is no function martlet.user_secret"))
        let forbidden = try complaints { server(&$0) { $0.lookup = .forbidden } }
        #expect(forbidden[0].hasPrefix("FAIL  a: secrets: martlet may not call"))
        let broken = try complaints { server(&$0) { $0.lookup = .broken("no column secret") } }
        #expect(
            broken[0].hasPrefix("FAIL  a: secrets: martlet.user_secret fails: no column secret"))
    }

    @Test func `secrets need a function only where they are looked up and pg_authid is closed`()
        throws
    {
        #expect(
            try complaints {
                server(&$0) {
                    $0.lookup = .missing
                    $0.mayReadSecrets = true
                }
            }.isEmpty)
        let yaml = "authentication: {lookup: false, users: [{name: a, secret: b}]}"
        #expect(try complaints(yaml) { server(&$0) { $0.lookup = .missing } }.isEmpty)
    }

    @Test func `pools must fit into max_connections`() throws {
        let lines = try complaints { server(&$0) { $0.connectionLimit = 82 } }
        #expect(lines.count == 1)
        #expect(
            lines[0].hasPrefix("FAIL  a: connections: martlet may open 83, PostgreSQL allows 82"))
        #expect(try complaints { server(&$0) { $0.connectionLimit = 83 } }.isEmpty)
    }

    @Test func `a clock is complained about only beyond what the round trip explains`() throws {
        func offset(_ seconds: Double, _ uncertainty: Double) throws -> [String] {
            try complaints {
                server(&$0) {
                    $0.clockOffset = seconds
                    $0.clockUncertainty = uncertainty
                }
            }
        }
        #expect(try offset(-0.9, 0).isEmpty)
        #expect(try offset(1.5, 0.6).isEmpty)
        #expect(try offset(3.21, 0.1)[0].hasPrefix("warn  a: clock: 3.2 s ahead of"))
        #expect(try offset(-3.21, 0.1)[0].hasPrefix("warn  a: clock: 3.2 s behind"))
    }

    @Test func `the members must be one cluster with one primary`() throws {
        let two = try complaints { $0.members[1] = Self.member("b", isPrimary: true) }
        #expect(two[0].hasPrefix("FAIL  primary: claimed by a and b"))
        let none = try complaints { $0.members.removeFirst() }
        #expect(none.map { $0.prefix(28) } == ["FAIL  primary: there is none"])
        let foreign = try complaints { server(&$0) { $0.systemIdentifier = "8" } }
        #expect(foreign[0].hasPrefix("FAIL  system identifier: differs: b: 7; a: 8"))
        let mixed = try complaints { server(&$0) { $0.versionNumber = 18_00_00 } }
        #expect(mixed[0].hasPrefix("FAIL  versions: PostgreSQL 15 and 18 in one cluster"))
        let old = try complaints { server(&$0) { $0.versionNumber = 12_00_00 } }
        #expect(old[0].hasPrefix("FAIL  a: PostgreSQL: version 15.14 is too old"))
    }

    @Test func `a standby cluster only reads`() throws {
        let lines = try complaints {
            guard var patroni = $0.members[0].patroni.value else { return }
            patroni.isPrimary = false
            patroni.isStandbyLeader = true
            $0.members[0].patroni = .answer(patroni)
        }
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("warn  primary: none, a leads a standby cluster"))
    }

    @Test func `without members nothing else is judged`() throws {
        let lines = try complaints { $0.members = [] }
        #expect(lines.count == 1)
        #expect(lines[0].hasPrefix("FAIL  members: none is known"))
    }
}
