// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Logging
internal import ProxyConfiguration
internal import ProxyCore
internal import ProxyRuntime

/// `martlet serve`: the proxy.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the proxy.",
        discussion: """
            SIGTERM and SIGINT drain: no new clients, transactions finish, then everything ends \
            (a second signal ends it at once). SIGHUP reads the configuration again; a file with \
            errors changes nothing.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let loaded = try Configuration.Loaded.orExit(file: options.config, flags: options.flags)
        let log = Log(LogRules(loaded.configuration.log))
        let logger = log.logger()
        for warning in loaded.warnings { logger.warning("\(warning)") }
        let descriptors = DescriptorLimit.raise()
        let server: ProxyServer
        do {
            server = try ProxyServer(loaded.configuration, log: log, version: Version.text)
            warnOfDescriptors(descriptors, loaded.configuration, logger: log)
            try server.start()
        } catch {
            log.flush()
            Terminal.warn("martlet: \(error.description)")
            throw ExitCode.failure
        }
        for await request in Self.signals() {
            switch request {
            case .reload: reload(server, log)
            case .drain: Task { await server.drain(); Self.exit() }
            case .end:
                log.flush()
                Self.exit()
            }
        }
    }

    /// Requests by signal, in order, for as long as the process lives.
    private static func signals() -> AsyncStream<SignalSources.Request> {
        AsyncStream { continuation in
            let sources = SignalSources { continuation.yield($0) }
            continuation.onTermination = { _ in withExtendedLifetime(sources) {} }
        }
    }

    private func reload(_ server: ProxyServer, _ log: Log) {
        do {
            let loaded = try options.load()
            for warning in loaded.warnings { log.logger().warning("\(warning)") }
            server.reload(loaded.configuration)
        } catch {
            log.logger().error(
                "the configuration has errors; nothing was changed",
                metadata: ["errors": "\(error.description)"])
        }
    }

    private func warnOfDescriptors(_ limit: Int, _ configuration: Configuration, logger log: Log) {
        let needed = DescriptorLimit.needed(
            clients: configuration.policy.clients.maximum,
            servers: configuration.policy.pools.serversPerNode * 3)
        guard limit < needed else { return }
        log.logger().warning(
            "the limit of open files is too low for clients.maximum",
            metadata: ["limit": "\(limit)", "needed": "\(needed)"])
    }
}
