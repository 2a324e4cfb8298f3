// SPDX-License-Identifier: Apache-2.0

package import Dispatch
package import Logging
internal import ProxyConfiguration
package import ProxyCore
internal import Synchronization

/// Knows where the other martlets are: looks their names up every few seconds.
///
/// Names may stand for this instance, too, as a headless service does; its own addresses are those of
/// this machine at which it accepts clients. A name that cannot be looked up keeps what it had.
package final class PeerDirectory: Sendable {
    private struct State {
        var names: [HostAndPort]
        var listening: [SocketAddress] = []
        var found: [HostAndPort: [SocketAddress]] = [:]
        var published = Peers()
        var isRunning = false

        /// Everybody who was found, but for this instance.
        func peers(_ interfaces: Set<String>) -> Peers {
            Peers(found: Set(found.values.joined().compactMap(\.peer))) { address in
                listening.contains { $0.accepts(address, on: interfaces) }
            }
        }
    }

    private static let interval = DispatchTimeInterval.seconds(5)

    private let state: Mutex<State>
    private let resolver: Resolver
    private let interfaces: @Sendable () -> Set<String>
    private let queue: DispatchQueue
    private let logger: Logger
    private let onChange: @Sendable (Peers) -> Void

    /// `names`: of one or more instances each. `onChange` is called when any of it has changed.
    package init(
        names: [HostAndPort], resolver: Resolver = Resolver(),
        interfaces: @escaping @Sendable () -> Set<String> = SocketAddress.interfaces,
        queue: DispatchQueue, logger: Logger, onChange: @escaping @Sendable (Peers) -> Void
    ) {
        state = Mutex(State(names: names))
        self.resolver = resolver
        self.interfaces = interfaces
        self.queue = queue
        self.logger = logger
        self.onChange = onChange
    }

    /// Begins to look; `listening`: where this instance accepts clients.
    package func start(listening: [SocketAddress]) {
        state.withLock {
            $0.listening = listening
            $0.isRunning = true
        }
        look()
        lookLater()
    }

    package func stop() { state.withLock { $0.isRunning = false } }

    /// The others as last looked up; nil while a name has not been looked up yet.
    package var others: [HostAndPort]? {
        let interfaces = interfaces()
        return state.withLock { state in
            guard state.names.allSatisfy({ state.found[$0] != nil }) else { return nil }
            return state.peers(interfaces).others
        }
    }

    /// Looks now: one of them does not answer, and may have left.
    package func refresh() { look() }

    /// Other names; those that stay keep what was found.
    package func reconfigure(names: [HostAndPort]) {
        state.withLock { state in
            state.names = names
            state.found = state.found.filter { names.contains($0.key) }
        }
        look()
        settle()
    }

    // MARK: -

    private func lookLater() {
        queue.asyncAfter(deadline: .now() + Self.interval) { [weak self] in
            guard let self, state.withLock({ $0.isRunning }) else { return }
            look()
            lookLater()
        }
    }

    private func look() {
        for name in state.withLock({ $0.isRunning ? $0.names : [] }) {
            resolver.resolve(host: name.host, port: name.port) { [weak self] answer in
                self?.answered(name, answer)
            }
        }
    }

    private func answered(_ name: HostAndPort, _ answer: Resolver.Answer) {
        // A failure may be the resolver's own; peers that are gone only do not answer.
        guard case .success(let addresses) = answer else { return }
        state.withLock { state in
            if state.names.contains(name) { state.found[name] = addresses }
        }
        settle()
    }

    private func settle() {
        let interfaces = interfaces()
        let changed = state.withLock { state -> Peers? in
            let peers = state.peers(interfaces)
            if peers == state.published { return nil }
            state.published = peers
            return peers
        }
        guard let changed else { return }
        logger.info(
            "peer list updated",
            metadata: [
                "peers": "\(changed.others.map { "\($0.host):\($0.port)" }.joined(separator: ","))",
                "own": "\(changed.ownTag == 0 ? "unknown" : "\(changed.ownTag)")",
            ])
        onChange(changed)
    }
}

extension SocketAddress {
    /// As the core knows it; nil for a path.
    fileprivate var peer: HostAndPort? {
        HostAndPort(text)
    }

    /// Whether who connects to that address from elsewhere comes to this listening socket.
    fileprivate func accepts(_ address: HostAndPort, on interfaces: Set<String>) -> Bool {
        guard let own = HostAndPort(text), own.port == address.port else { return false }
        return own.isWildcard ? interfaces.contains(address.host) : own.host == address.host
    }
}
