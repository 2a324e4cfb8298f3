// SPDX-License-Identifier: Apache-2.0

package import Dispatch
internal import Glibc
package import Logging
package import ProxyConfiguration
package import ProxyCore
internal import Synchronization

/// The TLS contexts in force, made anew when their files change.
///
/// Certificates are renewed under a running martlet, by a program that replaces files or by a mount
/// that does so behind a symbolic link. So files are looked at every few seconds, and at a reload.
/// New files that do not work are reported once, and the old ones stay in force.
package final class TLSStore: Sendable {
    /// What contexts are made from.
    package struct Settings: Equatable, Sendable {
        package var clientMode: ClientSSLMode
        /// Whether clients are asked for a certificate; who has none is for the core to refuse.
        package var asksForCertificate: Bool
        package var client: ClientTLSSettings
        package var server: ServerTLSSettings
        /// With clients.
        package var spoken = ApplicationProtocol.postgresql

        package init(
            clientMode: ClientSSLMode = .disable, asksForCertificate: Bool? = nil,
            client: ClientTLSSettings = ClientTLSSettings(),
            server: ServerTLSSettings = ServerTLSSettings()
        ) {
            self.clientMode = clientMode
            self.asksForCertificate = asksForCertificate ?? clientMode.asksForCertificate
            self.client = client
            self.server = server
        }

        /// HTTPS alone, with a certificate of the client's where it has one; no server is asked.
        package static func http(_ files: TLSFiles) -> Settings {
            var settings = none
            settings.clientMode = .require
            settings.asksForCertificate = true
            settings.client.files = files
            settings.spoken = .http
            return settings
        }

        /// Nobody is offered TLS, and no server is asked for it.
        static var none: Settings {
            var settings = Settings()
            settings.server.mode = .disable
            return settings
        }
    }

    /// How a file looks without opening it; another one under the same name looks different.
    private struct Trace: Equatable {
        var inode: UInt64 = 0
        var size: Int64 = 0
        var seconds = 0
        var nanoseconds = 0

        init(_ path: String) {
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return }
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        }
    }

    private struct State {
        var settings: Settings
        var clients: TLSContext?
        var servers: TLSContext?
        /// As the files were when they were last read, with success or without.
        var traces: [Trace] = []
    }

    private static let interval = DispatchTimeInterval.seconds(5)

    private let state: Mutex<State>
    private let logger: Logger

    /// Fails where TLS is configured and cannot be had.
    package init(_ settings: Settings, logger: Logger) throws(TLSFault) {
        self.logger = logger
        var state = State(settings: settings)
        try Self.load(&state)
        self.state = Mutex(state)
    }

    /// No TLS on either side.
    package init() {
        logger = Logger(label: "martlet") { _ in SwiftLogNoOpLogHandler() }
        state = Mutex(State(settings: .none))
    }

    /// For clients' connections; nil where there is no TLS for them.
    package var clientContext: TLSContext? { state.withLock { $0.clients } }
    /// For servers' connections; nil where they are never asked.
    package var serverContext: TLSContext? { state.withLock { $0.servers } }
    package var serverMode: ServerSSLMode { state.withLock { $0.settings.server.mode } }

    /// Other settings; throws, and keeps the old ones, where they do not work.
    ///
    /// Where only the contents of files are at fault, that is no reason to refuse the rest of a new
    /// configuration: the old contents stay in force.
    package func reconfigure(_ settings: Settings) throws(TLSFault) {
        let isSame = state.withLock { $0.settings == settings }
        if isSame { return refresh() }
        let failure = state.withLock { state -> TLSFault? in
            var next = State(settings: settings)
            do throws(TLSFault) {
                try Self.load(&next)
            } catch {
                return error
            }
            state = next
            return nil
        }
        if let failure { throw failure }
    }

    /// Looks at the files every few seconds, for as long as the store lives.
    package func watchFiles(on queue: DispatchQueue) {
        queue.asyncAfter(deadline: .now() + Self.interval) { [weak self] in
            guard let self else { return }
            refresh()
            watchFiles(on: queue)
        }
    }

    /// Looks at the files, and reads them again where one is not what it was.
    package func refresh() {
        let outcome = state.withLock { state -> TLSFault?? in
            guard Self.traces(of: state.settings) != state.traces else { return nil }
            do throws(TLSFault) {
                try Self.load(&state)
                return .some(nil)
            } catch {
                return .some(error)
            }
        }
        switch outcome {
        case nil: break
        case .some(nil): logger.notice("TLS certificates reloaded")
        case .some(.some(let fault)):
            logger.error(
                "cannot load changed TLS files, previous ones kept",
                metadata: ["error": "\(fault)"])
        }
    }

    private static func load(_ state: inout State) throws(TLSFault) {
        let settings = state.settings
        // Before they are read: a file that changes meanwhile is read again.
        state.traces = traces(of: settings)
        var clients: TLSContext?
        if settings.clientMode.isOffered {
            clients = try TLSContext(
                forClients: settings.client,
                asksForCertificate: settings.asksForCertificate, speaking: settings.spoken)
        }
        var servers: TLSContext?
        if settings.server.mode.asks { servers = try TLSContext(forServers: settings.server) }
        (state.clients, state.servers) = (clients, servers)
    }

    private static func traces(of settings: Settings) -> [Trace] {
        (settings.client.files.named + settings.server.files.named).map { Trace($0.path) }
    }
}
