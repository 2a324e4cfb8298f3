// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Every setting as written or by default, not yet checked against each other.
struct Settings: Equatable, Sendable {
    var patroniURLs: [PatroniURL] = []
    var patroniDNS: HostAndPort?
    var patroniHTTPS = false
    var patroniTLS = TLSFiles()
    var serviceUser: String?
    var servicePassword: String?
    var servicePasswordFile: String?
    var serviceDatabase = "postgres"
    var listeners = [Configuration.Listener(address: HostAndPort(host: "127.0.0.1", port: 6432))]
    var peerAddresses: [HostAndPort] = []
    var peerDNS: HostAndPort?
    var httpAddress = HostAndPort(host: "127.0.0.1", port: 9432)
    var lookupFunction = "martlet.user_secret"
    var policy = ProxyPolicy()
    var clientTLS = ClientTLSSettings()
    var serverTLS = ServerTLSSettings()
    var kubernetes = KubernetesSettings()
    var externalMetrics = ExternalMetricsSettings()
    var log = LogSettings()
    var shards = 0
    var drainTimeout = Instant.Span.seconds(30)

    init() {}
}

extension Settings {
    /// Every key, in the order of the sample file.
    static let registry: [Setting<Settings>] =
        patroni + service + endpoints + kubernetesKeys + externalMetricsKeys + clientEncryption
        + serverEncryption + authentication + clients + pools + routing + limits + tcp + log

    /// The key of this full name.
    static func setting(_ path: String) -> Setting<Settings>? {
        registry.first { $0.path == path }
    }

    /// What a group is about, for the sample file and the reference.
    static let groups: [(name: String, meaning: String)] = [
        ("patroni", "How the cluster is found and watched."),
        ("service", "The role that martlet itself logs in as; `martlet setup` prints its SQL."),
        ("peers", "The other martlets, for cancel requests and for the sum of reads of all."),
        ("http", "Metrics, health, topology and the load of reads over HTTP."),
        ("kubernetes", "Pods and the leader's ConfigMap are watched for hints of what changes."),
        (
            "external_metrics",
            "The external metrics API for a HorizontalPodAutoscaler; changed files are read, too."
        ),
        ("client_tls", "Encryption of clients' connections; changed files are read by themselves."),
        ("server_tls", "Encryption of connections to PostgreSQL; changed files are read, too."),
        ("authentication", "How clients prove who they are."),
        ("clients", "Limits of client connections."),
        ("pools", "Server connections, and who shares them."),
        ("routing", "Which statement goes to which server."),
        ("limits", "What one connection may make martlet hold in memory."),
        ("tcp", "When a peer counts as gone; for clients and servers that connect from now on."),
        ("log", "Events, one a line, on standard error."),
    ]

    private static let patroni: [Setting<Settings>] = [
        Setting(
            "patroni.urls", \.patroniURLs, .list(of: .patroniURL),
            "URLs of Patroni's REST API on one or more members; the others are discovered."
        ).example("[http://127.0.0.1:8008]"),
        Setting(
            "patroni.dns", \.patroniDNS, .optional(.address("address", defaultPort: 8008)),
            "DNS name that resolves to every member, and Patroni's port; instead of patroni.urls."),
        Setting(
            "patroni.https", \.patroniHTTPS, .boolean,
            "Whether members found by patroni.dns are asked over https."
        ).restart,
        Setting(
            "patroni.ca_file", \.patroniTLS.authority, .optional(.file),
            "CA certificates for Patroni's REST API, in PEM; by default the system's."
        ).restart,
        Setting(
            "patroni.cert_file", \.patroniTLS.certificate, .optional(.file),
            "Client certificate for Patroni's REST API, where it asks for one."
        ).restart,
        Setting(
            "patroni.key_file", \.patroniTLS.key, .optional(.file),
            "Private key of patroni.cert_file."
        ).restart,
        Setting(
            "patroni.probe_interval", \.policy.topology.probeInterval,
            .length(.milliseconds(50)...(.seconds(60))), "Interval between probes of a member."),
        Setting(
            "patroni.doubt_interval", \.policy.topology.doubtInterval,
            .length(.milliseconds(10)...(.seconds(60))),
            "Interval between probes while anything is in doubt, as during a failover."),
        Setting(
            "patroni.probe_timeout", \.policy.topology.probeTimeout,
            .length(.milliseconds(10)...(.seconds(60))),
            "Time limit for a member's reply to a probe."),
        Setting(
            "patroni.lag_interval", \.policy.topology.lagInterval,
            .length(.milliseconds(10)...(.seconds(60))),
            "Interval between readings of every node's WAL position."),
        Setting(
            "patroni.timeline_grace", \.policy.topology.timelineGrace, .durationOrZero,
            "How long after a failover a replica may still be one timeline behind."),
    ]

    private static let service: [Setting<Settings>] = [
        Setting("service.user", \.serviceUser, .optional(.text), "Role martlet logs in as.")
            .restart.example("martlet"),
        Setting("service.password", \.servicePassword, .optional(.text), "Password of that role.")
            .secret.example("change-me"),
        Setting(
            "service.password_file", \.servicePasswordFile, .optional(.file),
            "File with the role's password, instead of service.password; read at each reload."),
        Setting(
            "service.database", \.serviceDatabase, .text,
            "Database martlet connects to, where the look-up function is."
        ).restart,
    ]

    private static let endpoints: [Setting<Settings>] = [
        Setting(
            "listen", \.listeners, .list(of: .listener),
            "Where clients connect: host:port, or a list; an entry may fix a route."
        ).restart,
        Setting(
            "peers.addresses", \.peerAddresses, .list(of: .address("address", defaultPort: 6432)),
            "Client addresses of the other martlets; all may share one list."),
        Setting(
            "peers.dns", \.peerDNS, .optional(.address("address", defaultPort: 6432)),
            "DNS name that resolves to every martlet, this one included (a headless Service)."),
        Setting(
            "http.listen", \.httpAddress, .address("address"), "Address of the HTTP endpoint."
        ).restart,
    ]
}
