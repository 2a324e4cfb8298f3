// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Logging
import ProxyConfiguration
import ProxyCore
import Synchronization
import Testing
@testable import ProxyRuntime

@Suite(.timeLimit(.minutes(1))) struct PeerDirectoryTests {
    /// Answers look-ups of names, and keeps what was published.
    private final class Names: Sendable {
        let hosts = Mutex<[String: [String]]>([:])
        let published = Mutex<[Peers]>([])

        func lookUp(_ name: String, _ port: UInt16) -> Resolver.Answer {
            guard let hosts = hosts.withLock({ $0[name] }) else {
                return .failure(.unresolvable(host: name, reason: "no"))
            }
            return .success(hosts.compactMap { try? SocketAddress.literal(host: $0, port: port) })
        }
    }

    private let names = Names()
    private let queue = DispatchQueue(label: "test")

    private func directory(_ configured: [String]) -> PeerDirectory {
        PeerDirectory(
            names: configured.compactMap { HostAndPort($0) },
            resolver: Resolver(lifetime: .zero) { [names] in names.lookUp($0, $1) },
            interfaces: { ["127.0.0.1", "10.0.0.2"] }, queue: queue,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            onChange: { [names] peers in names.published.withLock { $0.append(peers) } })
    }

    private func listening(_ host: String) throws -> [SocketAddress] {
        [try #require(try SocketAddress.literal(host: host, port: 6432))]
    }

    /// The newest that was published, once it is as wanted.
    private func settled(_ isWanted: (Peers) -> Bool) async throws -> Peers {
        for _ in 0..<2000 {
            if let last = names.published.withLock({ $0.last }), isWanted(last) { return last }
            try await Task.sleep(for: .milliseconds(10))
        }
        return try #require(nil)
    }

    @Test func `a name of all instances tells the others from this one`() async throws {
        names.hosts.withLock { $0["all"] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"] }
        let directory = directory(["all:6432"])
        try directory.start(listening: listening("0.0.0.0"))
        let peers = try await settled { !$0.others.isEmpty }
        #expect(peers.others.map(\.host) == ["10.0.0.1", "10.0.0.3"])
        #expect(peers.ownTag == HostAndPort(host: "10.0.0.2", port: 6432).tag)
        directory.stop()
    }

    @Test func `who listens at one address is nobody else of the machine`() async throws {
        names.hosts.withLock { $0["all"] = ["10.0.0.2", "127.0.0.1"] }
        let directory = directory(["all:6432"])
        try directory.start(listening: listening("10.0.0.2"))
        let peers = try await settled { !$0.others.isEmpty }
        #expect(peers.others.map(\.host) == ["127.0.0.1"])
        directory.stop()
    }

    @Test func `another configuration counts at once, and a failed look-up changes nothing`()
        async throws
    {
        names.hosts.withLock { $0 = ["a": ["10.0.0.8"], "b": ["10.0.0.9"]] }
        let directory = directory(["a:6432", "b:6432"])
        try directory.start(listening: listening("0.0.0.0"))
        _ = try await settled { $0.others.count == 2 }
        names.hosts.withLock { $0 = [:] }
        directory.reconfigure(names: [HostAndPort(host: "b", port: 6432)])
        let peers = try await settled { $0.others.count == 1 }
        #expect(peers.others.map(\.host) == ["10.0.0.9"])
        #expect(peers.ownTag == 0)
        directory.stop()
    }

    @Test func `the addresses of this machine are found`() {
        #expect(SocketAddress.interfaces().contains("127.0.0.1"))
    }
}
