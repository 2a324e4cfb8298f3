// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Logging
package import ProxyConfiguration
internal import ProxyCore
internal import StatementClassifier
internal import Synchronization

/// Why martlet could not start; in words for whoever started it.
package struct StartFailure: Error, CustomStringConvertible {
    package let description: String
}

/// The whole proxy: control plane, shards, listeners, HTTP. Start, reload, drain, stop.
///
/// The control plane (Patroni probes, lag samples, secrets, catalogues) has one queue and shares
/// nothing with the shards but what is posted to them.
package final class ProxyServer: Sendable {
    private struct State {
        var configuration: Configuration
        /// What the settings that need a restart are still taken from.
        let started: Configuration
        var topology = Topology()
        var isListening = false
        var isDraining = false
    }

    private let state: Mutex<State>
    private let log: Log
    private let logger: Logger
    private let processKey: [UInt8]
    private let account: ControlAccount
    private let driver: TopologyDriver
    private let secrets: SecretStore
    private let catalogues: CatalogueStore
    private let shards: ShardGroup
    private let peers: PeerDirectory
    private let http: HTTPEndpoint
    /// Nil where Kubernetes is not watched.
    private let watch: KubernetesWatch?
    /// Nil where no autoscaler is served.
    private let metricsAPI: HTTPEndpoint?
    private let fleet: FleetDemand
    private let tls: TLSStore
    private let shardCount: Int
    private let version: String

    /// Makes everything and binds the HTTP endpoint; nobody is served before `start`.
    package init(
        _ configuration: Configuration, log: Log, version: String
    ) throws(StartFailure) {
        let logger = log.logger()
        let queue = DispatchQueue(label: "martlet.control")
        let clock: @Sendable () -> Instant = { MonotonicClock.now }
        account = ControlAccount(configuration)
        var generator = SystemRandomNumberGenerator()
        let processKey = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let outlet = Outlet()
        do throws(TLSFault) {
            tls = try TLSStore(TLSStore.Settings(configuration), logger: logger)
        } catch {
            throw StartFailure(description: "TLS: \(error)")
        }
        tls.watchFiles(on: queue)

        secrets = SecretStore(
            account: account, lookupFunction: configuration.lookupFunction,
            lifetime: configuration.policy.authentication.secretLifetime, queue: queue,
            logger: logger, clock: clock)
        catalogues = CatalogueStore(
            account: account, interval: configuration.policy.routing.catalogueInterval,
            queue: queue, logger: logger, clock: clock,
            onChange: { database, catalogue in
                outlet.server?.shards.publish(catalogue, database: database)
            })
        driver = TopologyDriver(
            policy: configuration.policy, seeds: configuration.seeds, account: account,
            client: HTTPClient(files: configuration.patroniTLS), queue: queue, logger: logger, seed: generator.next(), clock: clock,
            onChange: { outlet.server?.changed($0) })
        let peers = PeerDirectory(
            names: configuration.peers, queue: queue, logger: logger,
            onChange: { outlet.server?.shards.publish($0) })
        self.peers = peers
        fleet = FleetDemand(
            port: configuration.httpAddress.port, peers: { peers.others },
            refresh: { peers.refresh() }, own: { await outlet.server?.autoscale() })
        watch = Self.watch(configuration, driver, generator.next(), logger)
        shardCount = configuration.shards > 0 ? configuration.shards : GrantedCores.count()
        self.log = log
        self.logger = logger
        self.processKey = processKey
        self.version = version
        state = Mutex(State(configuration: configuration, started: configuration))
        do {
            shards = try ShardGroup(
                count: shardCount, policy: configuration.policy,
                rules: LoginRules(
                    policy: configuration.policy.authentication, processKey: processKey),
                topology: Topology(),
                host: Self.host(secrets, catalogues, driver, log, outlet), tls: tls,
                randomSeed: generator.next())
        } catch {
            throw StartFailure(description: "the event loops could not be made: \(error)")
        }
        http = try Self.http(configuration.httpAddress, outlet)
        metricsAPI = try configuration.externalMetrics.map { access throws(StartFailure) in
            try Self.metricsAPI(access, queue, logger, outlet)
        }
        outlet.server = self
    }

    /// Begins to probe, to answer HTTP, and to accept clients.
    package func start() throws(StartFailure) {
        driver.start()
        watch?.start()
        http.start()
        metricsAPI?.start()
        let listeners = state.withLock { $0.configuration.listeners }
        var addresses: [SocketAddress] = []
        for listener in listeners {
            do {
                addresses += try shards.listen(listener) { [logger] error in
                    logger.error("accept() failed", metadata: ["error": "\(error)"])
                }
            } catch {
                throw StartFailure(description: "listen \(listener.address): \(error)")
            }
        }
        peers.start(listening: addresses)
        state.withLock { $0.isListening = true }
        logger.notice(
            "martlet \(version) ready",
            metadata: [
                "listen": "\(listeners.map(\.address.description).joined(separator: ","))",
                "http": "\(state.withLock { $0.configuration.httpAddress })",
                "shards": "\(shardCount)",
            ])
    }

    // MARK: While it runs

    /// Another configuration for everything that can change without a restart.
    package func reload(_ configuration: Configuration) {
        do throws(TLSFault) {
            try tls.reconfigure(TLSStore.Settings(configuration))
        } catch {
            return logger.error(
                "reload rejected: invalid TLS settings, previous configuration kept",
                metadata: ["error": "\(error)"])
        }
        let started = state.withLock { state in
            state.configuration = configuration
            return state.started
        }
        // At each reload for as long as they differ: the last one may be all that anybody reads.
        for path in configuration.changesThatNeedRestart(from: started) {
            logger.warning(
                "setting changed, takes effect after a restart", metadata: ["setting": "\(path)"])
        }
        log.rules = LogRules(configuration.log)
        account.passwordChanged(to: configuration.service.password.text)
        secrets.reconfigure(
            lookupFunction: configuration.lookupFunction,
            lifetime: configuration.policy.authentication.secretLifetime)
        catalogues.reconfigure(interval: configuration.policy.routing.catalogueInterval)
        peers.reconfigure(names: configuration.peers)
        driver.reconfigure(configuration.policy, seeds: configuration.seeds)
        shards.reconfigure(
            configuration.policy,
            rules: LoginRules(
                policy: configuration.policy.authentication, processKey: processKey))
        logger.notice("configuration reloaded")
    }

    /// Takes no new clients, lets transactions end, and returns when the last client has left or
    /// the drain timeout is over.
    package func drain() async {
        let timeout = state.withLock { state in
            state.isDraining = true
            return state.configuration.drainTimeout
        }
        logger.notice("draining", metadata: ["clients": "\(shards.clientCount)"])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.shards.drain() }
            group.addTask { try? await Task.sleep(nanoseconds: timeout.nanoseconds) }
            await group.next()
            group.cancelAll()
            // `drain` cannot be cancelled; `stop` ends it by closing what is left.
            await self.stop()
        }
    }

    package func stop() async {
        await shards.stop()
        watch?.stop()
        driver.stop()
        peers.stop()
        secrets.stop()
        catalogues.stop()
        http.stop()
        metricsAPI?.stop()
        logger.notice("stopped")
        log.flush()
    }

    private func changed(_ topology: Topology) {
        state.withLock { $0.topology = topology }
        shards.publish(topology)
        secrets.topologyChanged(topology)
        catalogues.topologyChanged(topology)
    }

    // MARK: What others ask

    private var readiness: Readiness {
        state.withLock {
            Readiness(listening: $0.isListening, draining: $0.isDraining, topology: $0.topology)
        }
    }

    private func endpoints() -> AdministrationEndpoints {
        AdministrationEndpoints(
            metrics: { await self.page() },
            topology: { self.state.withLock { $0.topology } },
            readiness: { self.readiness },
            health: { await self.health() }, autoscale: { await self.autoscale() })
    }

    private func health() async -> Health { Health(silentShards: await shards.silentShards()) }

    private func autoscale() async -> AutoscaleDocument? {
        guard let statistics = await shards.statistics() else { return nil }
        return state.withLock {
            AutoscaleDocument(
                statistics: ShardStatistics.sum(statistics), topology: $0.topology,
                cluster: $0.configuration.cluster)
        }
    }

    private func metricsEndpoints() -> ExternalMetricsEndpoints {
        ExternalMetricsEndpoints(
            allowedNames: {
                self.state.withLock { $0.configuration.externalMetrics?.allowedNames ?? [] }
            },
            total: { await self.fleet.total() }, readiness: { self.readiness },
            health: { await self.health() }, clock: { Int(Log.now / 1_000_000_000) })
    }

    private static func watch(
        _ configuration: Configuration, _ driver: TopologyDriver, _ seed: UInt64, _ logger: Logger
    ) -> KubernetesWatch? {
        configuration.kubernetes.map { access in
            KubernetesWatch(
                access, logger: logger, seed: seed, clock: { MonotonicClock.now },
                onHint: { driver.hinted($0) })
        }
    }

    private static func http(
        _ address: HostAndPort, _ outlet: Outlet
    ) throws(StartFailure) -> HTTPEndpoint {
        do throws(HTTPEndpointFault) {
            return try HTTPEndpoint(host: address.host, port: address.port) { request in
                await outlet.server?.endpoints().respond(to: request)
                    ?? HTTPResponse(.serviceUnavailable)
            }
        } catch {
            throw StartFailure(description: "http.listen \(address): \(error)")
        }
    }

    private static func metricsAPI(
        _ access: ExternalMetricsAccess, _ queue: DispatchQueue, _ logger: Logger,
        _ outlet: Outlet
    ) throws(StartFailure) -> HTTPEndpoint {
        let store: TLSStore
        do throws(TLSFault) {
            store = try TLSStore(.http(access.files), logger: logger)
        } catch {
            throw StartFailure(description: "external_metrics: \(error)")
        }
        store.watchFiles(on: queue)
        do throws(HTTPEndpointFault) {
            return try HTTPEndpoint(
                host: access.address.host, port: access.address.port, tls: store,
                refuse: ExternalMetricsEndpoints.refusal
            ) { request in
                await outlet.server?.metricsEndpoints().respond(to: request)
                    ?? ExternalMetricsEndpoints.refusal(.serviceUnavailable)
            }
        } catch {
            throw StartFailure(description: "external_metrics.listen \(access.address): \(error)")
        }
    }

    private func page() async -> MetricsPage? {
        guard let statistics = await shards.statistics() else { return nil }
        var page = MetricsPage()
        page.statistics = ShardStatistics.sum(statistics)
        page.statistics.loop = await shards.loopStatistics()
        page.process = ProcessStatistics.figures()
        page.shards = shardCount
        page.logLinesDropped = log.droppedLines
        page.version = version
        page.kubernetes = watch?.figures ?? []
        state.withLock {
            page.topology = $0.topology
            page.draining = $0.isDraining
        }
        return page
    }

    private static func host(
        _ secrets: SecretStore, _ catalogues: CatalogueStore, _ driver: TopologyDriver,
        _ log: Log, _ outlet: Outlet
    ) -> ShardHost {
        ShardHost(
            lookUpSecret: { user, newerThan, answer in
                secrets.lookUp(user, newerThan: newerThan, answer)
            },
            needCatalogue: { catalogues.need($0) },
            catalogueStale: { catalogues.stale($0) },
            doubt: { driver.doubt($0) },
            wantPositions: { driver.wantPositions() },
            log: { _, event in
                let topology = outlet.server?.state.withLock { $0.topology }
                log.write(
                    LogLine(event, time: Log.now) { id in
                        topology?[id]?.name ?? "node \(id.index)"
                    })
            })
    }
}

/// What call-backs reach the server by; filled once the server is whole.
private final class Outlet: Sendable {
    private let held = Mutex<ProxyServer?>(nil)

    var server: ProxyServer? {
        get { held.withLock { $0 } }
        set { held.withLock { $0 = newValue } }
    }
}

extension ControlAccount {
    /// The service account, and TLS as the data path has it.
    package init(_ configuration: Configuration) {
        let service = configuration.service
        self.init(
            user: service.user, password: service.password.text, database: service.database)
        let files = configuration.serverTLS.files
        let names: [(String, String?)] = [
            ("sslmode", configuration.serverTLS.mode.rawValue), ("sslrootcert", files.authority),
            ("sslcert", files.certificate), ("sslkey", files.key),
        ]
        parameters = names.compactMap { name, value in value.map { Parameter(name, $0) } }
    }
}

extension TLSStore.Settings {
    /// Both sides' TLS, as configured.
    package init(_ configuration: Configuration) {
        self.init(
            clientMode: configuration.policy.authentication.encryption.mode,
            asksForCertificate: configuration.policy.authentication.asksForCertificate,
            client: configuration.clientTLS, server: configuration.serverTLS)
    }
}

extension Configuration {
    /// Base URLs of Patroni's REST interface.
    package var seeds: [String] {
        switch discovery {
        case .urls(let urls): urls.map(\.description)
        case .dns(let name): ["\(patroniHTTPS ? "https" : "http")://\(name)"]
        }
    }
}

extension LogRules {
    package init(_ settings: LogSettings) {
        self.init()
        level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
        format = settings.format == .json ? .json : .text
        statements = settings.statements
    }
}
