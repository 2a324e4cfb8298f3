// SPDX-License-Identifier: Apache-2.0

internal import ProxyConfiguration
internal import ProxyCore

/// Judges what was found out about a cluster: one finding for each check, with a way to fix it.
struct CheckRules {
    let configuration: Configuration
    let facts: ClusterFacts

    /// The oldest major version whose behaviour martlet knows.
    private static let oldestVersion = 13_00_00
    /// Beyond this, lag in time says little.
    private static let clockTolerance = 1.0
    /// Connections that martlet opens to a node besides the pools': lag, secrets, catalogues.
    private static let controlConnections = 3

    /// All findings, in the order of the path from martlet to the data.
    var findings: [CheckFinding] {
        var findings = facts.seeds.map(seed)
        if facts.members.isEmpty {
            findings.append(
                .failure(
                    "members", "none is known", "start Patroni, or correct patroni.urls"))
            return findings
        }
        for member in facts.members {
            findings.append(patroni(member))
            findings.append(contentsOf: server(member))
        }
        findings.append(primary())
        findings.append(replicas())
        findings.append(systemIdentifier())
        findings.append(versions())
        return findings
    }

    // MARK: Patroni

    private func seed(_ seed: ClusterFacts.Seed) -> CheckFinding {
        let subject = "Patroni at \(seed.address)"
        switch seed.answer {
        case .answer(let names) where names.isEmpty:
            return .failure(
                subject, "answers, but knows no member",
                "wait until the cluster is initialized, or look at Patroni's log there")
        case .answer(let names):
            return .ok(subject, "knows \(names.joined(separator: ", "))")
        case .failed(let reason):
            return .failure(
                subject, reason,
                "is Patroni running there, is restapi.connect_address right, and may this "
                    + "machine reach that port?")
        }
    }

    private func patroni(_ member: ClusterFacts.Member) -> CheckFinding {
        let subject = "\(member.name): Patroni"
        switch member.patroni {
        case .failed(let reason):
            return .failure(
                subject, "\(reason) (\(member.restURL))",
                "martlet must reach every member's REST address; see restapi.connect_address")
        case .answer(let patroni):
            let role =
                patroni.isPrimary
                ? "primary"
                : patroni.isReplica
                    ? "replica"
                    : "neither "
                        + "primary nor replica"
            let version = patroni.version.map { ", Patroni \($0)" } ?? ""
            guard ["running", "streaming"].contains(patroni.state) else {
                return .warning(
                    subject, "\(role), \(patroni.state)\(version)",
                    "it gets no work until it is running; see PostgreSQL's log there")
            }
            return .ok(subject, "\(role), \(patroni.state)\(version)")
        }
    }

    // MARK: Servers

    private func server(_ member: ClusterFacts.Member) -> [CheckFinding] {
        let subject = "\(member.name): PostgreSQL"
        switch member.server {
        case .failed(let reason):
            return [.failure(subject, "\(reason) (\(member.address))", remedy(for: reason))]
        case .answer(let server):
            return [
                version(server, subject), privileges(server, member.name),
                secrets(server, member.name), connections(server, member.name),
                clock(server, member.name),
            ].compactMap(\.self)
        }
    }

    private func version(
        _ server: ClusterFacts.ServerFacts, _ subject: String
    ) -> CheckFinding {
        let role = server.isInRecovery ? "standby" : "not in recovery"
        guard server.versionNumber >= Self.oldestVersion else {
            return .failure(
                subject, "version \(server.version) is too old", "13 or later is needed")
        }
        return .ok(subject, "version \(server.version), \(role)")
    }

    /// PostgreSQL's and libpq's messages say what to do, if one knows them.
    private func remedy(for reason: String) -> String {
        let user = configuration.service.user
        let text = reason.lowercased()
        if text.contains("pg_hba.conf") {
            return "allow user \(user) from this machine in postgresql.pg_hba of Patroni"
        }
        if text.contains("password authentication failed") || text.contains("no password") {
            // PostgreSQL gives the same message for a role that does not exist.
            return "is there a role \(user) (`martlet setup` makes it), and is service.password "
                + "its password (in psql: \\password \(user))?"
        }
        if text.contains("role") && text.contains("does not exist") {
            return "`martlet setup` prints the SQL that makes the role"
        }
        if text.contains("database") && text.contains("does not exist") {
            return "service.database must exist"
        }
        if text.contains("starting up") || text.contains("shutting down") {
            return "wait, and check again"
        }
        return "is PostgreSQL running there, is postgresql.connect_address right, and may this "
            + "machine reach that port?"
    }

    private func privileges(
        _ server: ClusterFacts.ServerFacts, _ name: String
    ) -> CheckFinding {
        let user = configuration.service.user
        let subject = "\(name): replication state"
        return server.maySeeReplication
            ? .ok(subject, "\(user) may see it")
            : .failure(
                subject, "\(user) may not see it",
                "GRANT pg_monitor TO \(SQLText.identifier(user))")
    }

    private func secrets(
        _ server: ClusterFacts.ServerFacts, _ name: String
    ) -> CheckFinding? {
        guard configuration.policy.authentication.lookup else { return nil }
        let subject = "\(name): secrets"
        let function = configuration.lookupFunction
        let database = configuration.service.database
        if server.mayReadSecrets { return .ok(subject, "read from pg_authid") }
        switch server.lookup {
        case .callable:
            return .ok(subject, "looked up by \(function)")
        case .broken(let reason):
            return .failure(
                subject, "\(function) fails: \(reason)",
                "run the SQL that `martlet setup` prints once more, in database \(database)")
        case .forbidden:
            return .failure(
                subject, "\(configuration.service.user) may not call \(function)",
                "run the SQL that `martlet setup` prints once more, in database \(database)")
        case .missing:
            return .failure(
                subject, "there is no function \(function)(text) in database \(database)",
                "run the SQL that `martlet setup` prints, there; or name users in "
                    + "authentication.users and set authentication.lookup to false")
        }
    }

    private func connections(
        _ server: ClusterFacts.ServerFacts, _ name: String
    ) -> CheckFinding {
        let subject = "\(name): connections"
        let wanted = configuration.policy.pools.serversPerNode + Self.controlConnections
        guard wanted <= server.connectionLimit else {
            return .failure(
                subject,
                "martlet may open \(wanted), PostgreSQL allows \(server.connectionLimit)",
                "lower pools.servers_per_node or raise max_connections; each martlet counts")
        }
        return .ok(subject, "up to \(wanted) of \(server.connectionLimit)")
    }

    private func clock(_ server: ClusterFacts.ServerFacts, _ name: String) -> CheckFinding {
        let subject = "\(name): clock"
        let beyondDoubt = abs(server.clockOffset) - server.clockUncertainty
        let seconds = (abs(server.clockOffset) * 10).rounded() / 10
        guard beyondDoubt > Self.clockTolerance else {
            return .ok(subject, "agrees with this machine's")
        }
        let direction = server.clockOffset > 0 ? "ahead of" : "behind"
        return .warning(
            subject, "\(seconds) s \(direction) this machine's",
            "run a time service on all machines; lag in time is measured by clocks")
    }

    // MARK: The cluster

    private func primary() -> CheckFinding {
        let answers = facts.members.compactMap { member in
            member.patroni.value.map { (member.name, $0) }
        }
        let primaries = answers.filter(\.1.isPrimary).map(\.0)
        if primaries.count == 1 {
            return .ok("primary", primaries[0])
        }
        if primaries.count > 1 {
            return .failure(
                "primary", "claimed by \(primaries.joined(separator: " and "))",
                "during a failover that passes; otherwise look at `patronictl list`")
        }
        if let leader = answers.first(where: \.1.isStandbyLeader) {
            return .warning(
                "primary", "none, \(leader.0) leads a standby cluster",
                "reads will work, writes will not until the cluster is promoted")
        }
        return .failure(
            "primary", "there is none", "look at `patronictl list`; writes would wait for one")
    }

    private func replicas() -> CheckFinding {
        let count = facts.members.count { $0.patroni.value?.isReplica ?? false }
        if count > 0 { return .ok("replicas", "\(count)") }
        return .warning(
            "replicas", "there is none",
            configuration.policy.routing.primaryReads
                ? "until there is one, reads go to the primary"
                : "reads would fail; add a member, or set routing.primary_reads to true")
    }

    private func systemIdentifier() -> CheckFinding {
        var owners: [String: [String]] = [:]
        for member in facts.members {
            let found =
                member.server.value?.systemIdentifier ?? member.patroni.value?.systemIdentifier
            if let found { owners[found, default: []].append(member.name) }
        }
        guard owners.count <= 1 else {
            let groups = owners.sorted { $0.key < $1.key }.map {
                "\($0.value.joined(separator: ", ")): \($0.key)"
            }
            return .failure(
                "system identifier", "differs: \(groups.joined(separator: "; "))",
                "these are different clusters; correct patroni.urls, or rebuild the odd member")
        }
        guard let identifier = owners.keys.first else {
            return .warning(
                "system identifier", "could not be read", "fix what is above, and check again")
        }
        return .ok("system identifier", identifier)
    }

    private func versions() -> CheckFinding {
        let majors = Set(facts.members.compactMap { $0.server.value.map(\.majorVersion) })
        let words = majors.sorted().map(String.init).joined(separator: " and ")
        switch majors.count {
        case 0:
            return .warning(
                "versions", "could not be read", "fix what is above, and check again")
        case 1:
            return .ok("versions", "PostgreSQL \(words) everywhere")
        default:
            return .failure(
                "versions", "PostgreSQL \(words) in one cluster",
                "streaming replication needs one major version")
        }
    }
}

extension ClusterFacts.ServerFacts {
    /// 15 of 15.14.
    fileprivate var majorVersion: Int { versionNumber / 10_000 }
}
