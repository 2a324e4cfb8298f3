// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// Reads what Patroni's REST interface says, of any version from 2.1 on: unknown keys and words
/// are no errors, missing ones neither.
package enum PatroniAnswer {
    /// The answer to `GET /primary`; nil when the body is not Patroni's.
    package static func member(status: Int, body: [UInt8]) -> MemberReport? {
        guard let json = JSONValue(body), let state = json["state"]?.string else { return nil }
        let role = RoleWord(json["role"]?.string ?? "unknown")
        var report = MemberReport(status: status, role: role, state: state)
        report.timeline = json["timeline"]?.integer.flatMap { UInt32(exactly: $0) }
        if report.timeline == 0 { report.timeline = nil }
        report.replicationState = json["replication_state"]?.string
        report.tags = tags(json["tags"])
        report.systemIdentifier = json["database_system_identifier"]?.text
        report.isFailsafeActive = json["failsafe_mode_is_active"]?.bool ?? false
        report.isPaused = json["pause"]?.bool ?? false
        report.serverVersion = json["server_version"]?.integer.flatMap { Int(exactly: $0) }
        report.isRestartPending = json["pending_restart"]?.bool ?? false
        report.scope = json["patroni"]?["scope"]?.string
        report.patroniVersion = json["patroni"]?["version"]?.string
        return report
    }

    /// The answer to `GET /cluster`; nil when the body is not Patroni's.
    package static func cluster(body: [UInt8]) -> ClusterReport? {
        guard let json = JSONValue(body), let members = json["members"]?.array else { return nil }
        return ClusterReport(
            scope: json["scope"]?.string, members: members.compactMap { clusterMember($0) })
    }

    /// Nil for a member that has not told yet where it can be reached.
    private static func clusterMember(_ json: JSONValue) -> ClusterReport.Member? {
        guard let name = json["name"]?.string, !name.isEmpty,
            let host = json["host"]?.string, !host.isEmpty,
            let restURL = json["api_url"]?.string.flatMap({ base(of: $0) })
        else { return nil }
        let port = json["port"]?.integer ?? 5432
        guard let port = UInt16(exactly: port), port != 0 else { return nil }
        return ClusterReport.Member(
            name: name, host: host, port: port, restURL: restURL, tags: tags(json["tags"]))
    }

    /// Scheme, host and port of a URL.
    static func base(of url: String) -> String? {
        for scheme in ["http://", "https://"] where url.hasPrefix(scheme) {
            let authority = url.dropFirst(scheme.count).prefix { $0 != "/" }
            // An account in front of the host is nothing that a member would announce.
            return authority.isEmpty || authority.contains("@") ? nil : scheme + authority
        }
        return nil
    }

    private static func tags(_ json: JSONValue?) -> MemberTags {
        MemberTags((json?.object ?? [:]).compactMapValues(\.text))
    }
}
