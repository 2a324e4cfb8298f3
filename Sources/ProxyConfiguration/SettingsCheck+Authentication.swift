// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Whether anybody can log in, and whether each rule has anything to decide.
extension SettingsCheck {
    mutating func checkAuthentication() {
        let policy = settings.policy.authentication
        let needsPassword =
            policy.rules.isEmpty
            ? policy.method != .trust
            : policy.rules.allSatisfy { [.scramSHA256, .md5, .reject].contains($0.method) }
        if needsPassword, !policy.lookup, policy.users.isEmpty {
            report(
                "authentication.lookup", "is false and there are no authentication.users",
                "nobody could log in; name users or allow the look-up")
        }
        if policy.method == .trust, policy.rules.isEmpty,
            let open = settings.listeners.first(where: { !$0.address.isLoopback })
        {
            warnings.append(
                "authentication.method: trust asks nobody for a password, and \(open.address) "
                    + "can be reached from other machines")
        }
        for (index, user) in policy.users.enumerated() {
            if policy.users[..<index].contains(where: { $0.name == user.name }) {
                report("authentication.users", "'\(user.name)' is listed twice")
            }
        }
        checkRules()
    }

    // MARK: Rules

    private mutating func checkRules() {
        let rules = settings.policy.authentication.rules
        if rules.isEmpty { return }
        if isWritten("authentication.method") {
            warnings.append("authentication.method: not used where there are authentication.rules")
        }
        if rules.allSatisfy({ $0.method == .reject }) {
            warnings.append("authentication.rules: nobody can log in, every rule rejects")
        }
        let shadows = AuthenticationRule.shadows(in: rules)
        for (index, rule) in rules.enumerated() {
            checkCertificate(rule, index)
            checkListening(rule)
            let shadow = shadows[index].map {
                "authentication.rules[\($0)] matches all that it could"
            }
            if let reason = reasonAgainst(rule) ?? shadow {
                warnings.append("authentication.rules[\(index)]: can never match: \(reason)")
            }
        }
    }

    /// As PostgreSQL, which takes `cert` for encrypted connections only.
    private mutating func checkCertificate(_ rule: AuthenticationRule, _ index: Int) {
        guard rule.method == .cert else { return }
        if rule.type != .hostssl {
            report(
                "authentication.rules", "cert needs an encrypted connection", "write type: hostssl",
                entry: index)
        }
        if settings.clientTLS.files.authority == nil {
            report(
                "authentication.rules", "cert needs authorities of certificates",
                "set client_tls.ca_file", entry: index)
        }
    }

    private mutating func checkListening(_ rule: AuthenticationRule) {
        guard rule.method == .trust else { return }
        let isHere = rule.addresses.allSatisfy { address in
            if case .range(let range) = address { range.isLoopback } else { false }
        }
        guard !isHere, let open = settings.listeners.first(where: { !$0.address.isLoopback }) else {
            return
        }
        warnings.append(
            "authentication.rules: trust asks nobody for a password, and \(open.address) can be "
                + "reached from other machines")
    }

    /// What else keeps a rule from ever deciding anything.
    private func reasonAgainst(_ rule: AuthenticationRule) -> String? {
        let mode = settings.policy.authentication.encryption.mode
        if rule.users.isEmpty { return "it names no user" }
        if rule.databases.isEmpty { return "it names no database" }
        if rule.addresses.isEmpty { return "it names no address" }
        switch rule.type {
        case .hostssl where !mode.isOffered: return "client_tls.sslmode is disable"
        case .hostnossl where mode.isOffered && mode != .allow:
            return "client_tls.sslmode is \(mode.rawValue)"
        case .host, .hostssl, .hostnossl: return nil
        }
    }
}
