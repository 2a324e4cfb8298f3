// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Checks settings against each other, and resolves alternatives.
struct SettingsCheck {
    /// With alternatives resolved, after `run`.
    var settings: Settings
    private let origins: [String: Origin]
    /// Those of the reader, then its own.
    private(set) var problems: Problems
    /// What is allowed but may not be meant.
    var warnings: [String] = []
    let sources: ConfigurationSources

    /// Takes over what was read, problems included.
    init(_ reader: SettingsReader, _ sources: ConfigurationSources) {
        settings = reader.settings
        origins = reader.origins
        problems = reader.problems
        self.sources = sources
    }

    /// All checks; nil when anything is wrong, here or in what was read before.
    mutating func run() -> Configuration? {
        let discovery = discovery()
        let service = service()
        let kubernetes = kubernetes()
        let externalMetrics = externalMetrics()
        checkAddresses()
        checkPeers()
        checkAuthentication()
        checkEncryption()
        checkPools()
        checkOverrides()
        checkTopology()
        checkRouting()
        checkLimits()
        guard problems.found.isEmpty, let discovery, let service else { return nil }
        return Configuration(
            settings, discovery: discovery, service: service, kubernetes: kubernetes,
            externalMetrics: externalMetrics)
    }

    // MARK: Finding the cluster

    private mutating func discovery() -> Configuration.Discovery? {
        if !settings.patroniURLs.isEmpty, settings.patroniDNS != nil {
            switch stronger("patroni.urls", "patroni.dns") {
            case "patroni.urls": settings.patroniDNS = nil
            case "patroni.dns": settings.patroniURLs = []
            default: return nil
            }
        }
        if let dns = settings.patroniDNS {
            if dns.host == "*" || dns.port == 0 {
                report("patroni.dns", "'\(dns)' is not a name and a port")
            }
            return .dns(dns)
        }
        guard settings.patroniURLs.isEmpty else { return .urls(settings.patroniURLs) }
        // Where the value is wrong, that was said already.
        guard !isReported("patroni.urls"), !isReported("patroni.dns") else { return nil }
        let problem = origins["patroni.urls"] == nil ? "not set" : "the list is empty"
        report(
            "patroni.urls", problem,
            "name a member's REST address, such as http://127.0.0.1:8008")
        return nil
    }

    private mutating func service() -> Configuration.ServiceAccount? {
        if settings.serviceUser == nil, !isReported("service.user") {
            report(
                "service.user", "not set",
                "`martlet setup` prints the SQL that makes the account")
        }
        guard let password = password(), let user = settings.serviceUser else { return nil }
        return Configuration.ServiceAccount(
            user: user, password: password, database: settings.serviceDatabase)
    }

    private mutating func password() -> Password? {
        if settings.servicePassword != nil, settings.servicePasswordFile != nil {
            switch stronger("service.password", "service.password_file") {
            case "service.password": settings.servicePasswordFile = nil
            case "service.password_file": settings.servicePassword = nil
            default: return nil
            }
        }
        if let password = settings.servicePassword { return Password(password) }
        if let file = settings.servicePasswordFile { return password(in: file) }
        if !isReported("service.password"), !isReported("service.password_file") {
            // After `password: #x` nothing is left but the name.
            let isEmpty = origins["service.password"] != nil
            report(
                "service.password", isEmpty ? "is empty" : "not set",
                isEmpty
                    ? "a value with # in it must be in quotes"
                    : "set it, service.password_file or MARTLET_SERVICE_PASSWORD")
        }
        return nil
    }

    /// A name in the configuration file is relative to that file, as in PostgreSQL.
    func path(of file: String, _ setting: String) -> String {
        guard !file.hasPrefix("/"), case .file(let name, _, _) = origins[setting],
            let slash = name.lastIndex(of: "/")
        else { return file }
        return name[...slash] + file
    }

    private mutating func password(in file: String) -> Password? {
        let path = path(of: file, "service.password_file")
        switch sources.readSecret(path) {
        case .unreadable(let reason):
            report("service.password_file", reason)
            return nil
        case .text(let text, let isWorldReadable):
            if isWorldReadable {
                warnings.append(
                    "service.password_file: every user may read '\(path)'; chmod o-r it")
            }
            let line = text.prefix { !$0.isNewline }
            let rest = text.dropFirst(line.count)
            guard !line.isEmpty, rest.allSatisfy(\.isNewline), !line.utf8.contains(0) else {
                report("service.password_file", "'\(path)' does not hold exactly one line")
                return nil
            }
            return Password(String(line))
        }
    }

    // MARK: Contradictions

    private mutating func checkAddresses() {
        let addresses = settings.listeners.map(\.address)
        if addresses.isEmpty, !isReported("listen") {
            report("listen", "the list is empty", "name at least one address")
        }
        for (index, address) in addresses.enumerated() {
            if let other = addresses[..<index].first(where: address.overlaps) {
                let same = other == address ? "is listed twice" : "overlaps with \(other)"
                report("listen", "\(address) \(same)")
            }
            if address.overlaps(settings.httpAddress) {
                report(
                    "http.listen", "\(settings.httpAddress) is taken by listen (\(address))",
                    "choose another port")
            }
        }
    }

    private mutating func checkPeers() {
        let named = [("peers.addresses", settings.peerAddresses)]
            + (settings.peerDNS.map { [("peers.dns", [$0])] } ?? [])
        for (setting, addresses) in named {
            for address in addresses where address.isWildcard || address.port == 0 {
                report(setting, "'\(address)' is not a name and a port")
            }
        }
        if settings.peerAddresses.count > Peers.limit {
            report("peers.addresses", "there are more than \(Peers.limit)", "use peers.dns")
        }
    }

    private mutating func checkPools() {
        let pools = settings.policy.pools
        func tooLarge(_ size: Int) -> String? {
            size <= pools.serversPerNode
                ? nil : "\(size) is more than pools.servers_per_node (\(pools.serversPerNode))"
        }
        if let message = tooLarge(pools.standard.size) {
            // Blame the one that was written.
            let written = origins["pools.size"] == nil ? "pools.servers_per_node" : "pools.size"
            report(
                written, "pools.size \(message)",
                "lower pools.size or raise pools.servers_per_node")
        }
        for (index, override) in pools.overrides.enumerated() {
            if let size = override.size, let message = tooLarge(size) {
                report("pools.overrides", "size \(message)", entry: index)
            }
        }
    }

    private mutating func checkOverrides() {
        let overrides = settings.policy.pools.overrides
        for (index, override) in overrides.enumerated() {
            if override.database == nil, override.user == nil {
                report(
                    "pools.overrides", "names neither database nor user",
                    "put settings for all sessions under pools and routing", entry: index)
            }
            if override == .init(database: override.database, user: override.user) {
                report(
                    "pools.overrides", "changes nothing",
                    "set mode, size, route, consistency or a limit", entry: index)
            }
            let same = overrides[..<index].contains {
                $0.database == override.database && $0.user == override.user
            }
            if same {
                report(
                    "pools.overrides", "is for the same database and user as one before it",
                    "write both in one entry", entry: index)
            }
        }
    }

    private mutating func checkTopology() {
        let topology = settings.policy.topology
        if topology.doubtInterval > topology.probeInterval {
            report(
                origins["patroni.doubt_interval"] == nil
                    ? "patroni.probe_interval" : "patroni.doubt_interval",
                "in doubt, members would be probed less often "
                    + "(every \(formatDuration(topology.doubtInterval))) than otherwise "
                    + "(every \(formatDuration(topology.probeInterval)))",
                "patroni.doubt_interval must not exceed patroni.probe_interval")
        }
    }

    private mutating func checkRouting() {
        let routing = settings.policy.routing
        for name in routing.readFunctions where routing.writeFunctions.contains(name) {
            report(
                "routing.read_functions", "'\(name)' is in routing.write_functions, too",
                "a function either reads or writes")
        }
    }

    private mutating func checkLimits() {
        let limits = settings.policy.limits
        for (path, value) in [
            ("limits.held_messages", limits.heldMessages),
            ("limits.statement", limits.statement),
            ("limits.startup_packet", limits.startupPacket),
        ] where value > limits.message {
            let (part, whole) = (formatSize(value), formatSize(limits.message))
            // Blame the one that was written.
            if origins[path] == nil {
                report("limits.message", "\(whole) is less than \(path) (\(part))", "lower that, too")
            } else {
                report(path, "\(part) is more than limits.message (\(whole))")
            }
        }
    }

    // MARK: Helpers

    /// Which of two alternatives counts: the one from the higher source. From the same source,
    /// they contradict each other.
    private mutating func stronger(_ a: String, _ b: String) -> String? {
        let ranks = (origins[a]?.rank ?? 0, origins[b]?.rank ?? 0)
        if ranks.0 != ranks.1 { return ranks.0 > ranks.1 ? a : b }
        report(b, "excludes \(a) (\(origins[a] ?? .standard))", "remove one of them")
        return nil
    }

    func isWritten(_ path: String) -> Bool { origins[path] != nil }

    /// Whether something was said of it, of a part of it, or of its group.
    func isReported(_ path: String) -> Bool {
        let group = path.prefix { $0 != "." }
        return problems.found.contains {
            $0.path == path || $0.path == group || $0.path.hasPrefix("\(path)[")
        }
    }

    mutating func report(
        _ path: String, _ message: String, _ suggestion: String? = nil, entry: Int? = nil
    ) {
        let fallback = sources.file.map { Origin.file($0.name, line: 0, column: 0) }
        let shown = entry.map { "\(path)[\($0)]" } ?? path
        problems.report(
            origins[shown] ?? origins[path] ?? fallback ?? .standard, shown, message,
            suggestion: suggestion)
    }
}
