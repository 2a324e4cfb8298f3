// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// Everything an operator decided, checked: a value of this type holds no contradiction.
///
/// `load` is the only way to one. A reload makes a new value, and a bad one none at all.
package struct Configuration: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    /// How the cluster's members are found.
    package let discovery: Discovery
    /// Who asks the cluster about lag, secrets and catalogues.
    package let service: ServiceAccount
    /// At least one.
    package let listeners: [Listener]
    /// Names of the other martlets, of all of them or of some.
    package let peers: [HostAndPort]
    /// TLS with Patroni's REST interfaces.
    package let patroniTLS: TLSFiles
    /// Whether a name that stands for Patroni's members means https.
    package let patroniHTTPS: Bool
    /// TLS with clients; whether there is any is in `policy.authentication`.
    package let clientTLS: ClientTLSSettings
    /// TLS with servers.
    package let serverTLS: ServerTLSSettings
    /// Where metrics, health and topology are served.
    package let httpAddress: HostAndPort
    /// What is watched in Kubernetes; nil for nothing.
    package let kubernetes: KubernetesAccess?
    /// The API for an autoscaler; nil where it is off.
    package let externalMetrics: ExternalMetricsAccess?
    /// What an autoscaler knows the cluster by; nil: Patroni's scope.
    package let cluster: String?
    /// What is logged, and how.
    package let log: LogSettings
    /// Event loops; 0 means one for each core that the cgroup grants.
    package let shards: Int
    /// How long transactions may go on after SIGTERM.
    package let drainTimeout: Instant.Span
    /// The function that returns a role's secret where `pg_authid` may not be read.
    package let lookupFunction: String
    /// What the core's decisions depend on.
    package let policy: ProxyPolicy
    /// What was written, setting by setting.
    private let settings: Settings

    /// Where Patroni's members are looked for first; the rest is discovered from them.
    package enum Discovery: Equatable, Sendable {
        /// Never empty.
        case urls([PatroniURL])
        /// A name that resolves to every member (a headless service), and Patroni's port.
        case dns(HostAndPort)
    }

    /// The role that martlet itself connects as.
    package struct ServiceAccount: Equatable, Sendable {
        package let user: String
        package let password: Password
        package let database: String
    }

    /// One address to accept clients on.
    package struct Listener: Equatable, Sendable {
        package var address: HostAndPort
        /// Where everything that comes in here goes; nil: as each client's own setting says.
        package var route: Route?

        package init(address: HostAndPort, route: Route? = nil) {
            self.address = address
            self.route = route
        }
    }

    /// Only from settings that were checked against each other.
    init(
        _ settings: Settings, discovery: Discovery, service: ServiceAccount,
        kubernetes: KubernetesAccess?, externalMetrics: ExternalMetricsAccess?
    ) {
        self.discovery = discovery
        self.service = service
        self.kubernetes = kubernetes
        self.externalMetrics = externalMetrics
        cluster = settings.externalMetrics.cluster
        self.settings = settings
        listeners = settings.listeners
        peers = settings.peerAddresses + [settings.peerDNS].compactMap(\.self)
        patroniTLS = settings.patroniTLS
        patroniHTTPS = settings.patroniHTTPS
        clientTLS = settings.clientTLS
        serverTLS = settings.serverTLS
        httpAddress = settings.httpAddress
        log = settings.log
        shards = settings.shards
        drainTimeout = settings.drainTimeout
        lookupFunction = settings.lookupFunction
        policy = settings.policy
    }

    /// Every setting as `name: value`, one a line, secrets masked.
    package var description: String {
        Settings.registry.map { "\($0.path): \($0.shown(settings))" }.joined(separator: "\n")
    }

    /// Keeps `dump` and test failures from printing secrets.
    package var customMirror: Mirror {
        Mirror(self, children: Settings.registry.map { ($0.path, $0.shown(settings)) })
    }

    /// Settings that differ from `old` and that a running martlet cannot change.
    package func changesThatNeedRestart(from old: Configuration) -> [String] {
        Settings.registry
            .filter { $0.needsRestart && !$0.isEqual(settings, old.settings) }
            .map(\.path)
    }
}
