// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import Logging
import ProxyCore
import ProxyRuntime
import StatementClassifier
import Synchronization
import Testing

/// Against a real Patroni cluster, where one is given:
///
/// - `MARTLET_TEST_PATRONI`: scheme, host and port of any member's REST interface
/// - `MARTLET_TEST_SERVICE`: `user:password` of an account that may look up secrets
/// - `MARTLET_TEST_DISRUPTION`: a shell command that makes the primary change or restart
private enum LiveCluster {
    static let environment = ProcessInfo.processInfo.environment
    static let patroni = environment["MARTLET_TEST_PATRONI"]
    static let disruption = environment["MARTLET_TEST_DISRUPTION"]

    static var account: ControlAccount {
        let parts = (environment["MARTLET_TEST_SERVICE"] ?? "postgres:").split(separator: ":")
        return ControlAccount(
            user: String(parts[0]), password: parts.count > 1 ? String(parts[1]) : nil,
            database: "postgres")
    }

    static let logger = Logger(label: "test")
}

@Suite(.enabled(if: LiveCluster.patroni != nil), .serialized, .timeLimit(.minutes(1)))
struct LiveClusterTests {
    private let queue = DispatchQueue(label: "test.live")
    private let recorder = TopologyRecorder()
    private let driver: TopologyDriver

    init() {
        let recorder = recorder
        driver = TopologyDriver(
            policy: ProxyPolicy(), seeds: [LiveCluster.patroni ?? ""], account: LiveCluster.account,
            queue: queue, logger: LiveCluster.logger, seed: 1, clock: testClock,
            onChange: { recorder.record($0) })
        driver.start()
    }

    private func stop() async {
        await completion { done in driver.stop { done() } }
    }

    private func query(_ node: Topology.Node, _ text: String) async throws -> [[String?]] {
        let connection = ControlConnection(
            host: node.host, port: node.port, account: LiveCluster.account, queue: queue,
            clock: testClock)
        let result: Result<ControlAnswer, ControlFault> = await answer(
            otherwise: .failure(.timeout)
        ) { done in
            queue.async { connection.query(text, timeout: .seconds(10)) { done($0) } }
        }
        queue.async { connection.close() }
        return try result.get().rows
    }

    @Test func `a real cluster is found, and all its replicas may be read`() async throws {
        await recorder.wait { topology in
            topology.primary != nil && topology.nodes.count > 1
                && topology.nodes.allSatisfy { $0.role == .primary || $0.exclusion == nil }
        }
        let primary = try #require(recorder.latest.primary.flatMap { recorder.latest[$0] })
        #expect(recorder.latest.systemIdentifier != nil)
        let rows = try await query(primary, "SELECT pg_is_in_recovery()::text")
        #expect(rows == [["false"]])
        await stop()
    }

    @Test func `an empty page of the log is no lag`() async throws {
        await recorder.wait { topology in
            topology.primary.flatMap { topology[$0] }?.positions.isEmpty == false
        }
        let primary = try #require(recorder.latest.primary.flatMap { recorder.latest[$0] })
        // Only a superuser may switch.
        guard LiveCluster.account.user == "postgres" else { return await stop() }
        let before = try #require(primary.positions.newest?.position)
        _ = try await query(primary, "SELECT txid_current()::text || pg_switch_wal()::text")
        await recorder.wait { topology in
            let newest = topology.primary.flatMap { topology[$0] }?.positions.newest
            return newest.map { $0.position > before } == true
                && topology.nodes.allSatisfy { $0.role == .primary || $0.lagBytes == 0 }
        }
        await stop()
    }

    @Test func `secrets of real roles are looked up, remembered, and absent ones are absent`()
        async throws
    {
        await recorder.wait { $0.primary != nil }
        let store = SecretStore(
            account: LiveCluster.account, lookupFunction: "martlet.user_secret",
            lifetime: .seconds(30), queue: queue, logger: LiveCluster.logger, clock: testClock)
        store.topologyChanged(recorder.latest)
        func lookUp(_ user: String) async -> SecretLookup {
            await answer(otherwise: .unavailable("no answer in time")) { done in
                store.lookUp(user) { done($0) }
            }
        }
        guard case .found(let secret) = await lookUp("postgres") else {
            Issue.record("no secret")
            return
        }
        #expect(secret.text?.hasPrefix("SCRAM-SHA-256$") == true)
        #expect(secret.validUntil == nil)
        #expect(await lookUp("postgres") == .found(secret))
        guard case .absent = await lookUp("nobody '; DROP TABLE x") else {
            Issue.record("somebody")
            return
        }
        store.stop()
        await stop()
    }

    @Test func `a catalogue is read from the primary`() async throws {
        await recorder.wait { $0.primary != nil }
        let (snapshots, arrival) = AsyncStream<(String, Catalogue?)>.makeStream()
        let store = CatalogueStore(
            account: LiveCluster.account, interval: .seconds(60), queue: queue,
            logger: LiveCluster.logger, clock: testClock
        ) { arrival.yield(($0, $1)) }
        store.topologyChanged(recorder.latest)
        store.need("postgres")
        var iterator = snapshots.makeAsyncIterator()
        let first = await iterator.next()
        #expect(first?.0 == "postgres" && first?.1 != nil)
        store.stale("postgres")
        #expect(await iterator.next()?.1 != nil, "read again when it is out of date")
        store.stop()
        await stop()
    }

    @Test(.enabled(if: LiveCluster.disruption != nil))
    func `after a disruption there is one primary again, and between them there is none`()
        async throws
    {
        await recorder.wait { topology in
            topology.primary != nil
                && topology.nodes.allSatisfy { $0.role == .primary || $0.exclusion == nil }
        }
        let before = recorder.latest
        let began = testClock()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", LiveCluster.disruption ?? ""]
        try process.run()
        await recorder.wait { $0.primary == nil }
        let lost = testClock()
        await recorder.wait { $0.primary != nil }
        let found = testClock()
        await recorder.wait { topology in
            topology.nodes.contains { $0.role != .primary && $0.exclusion == nil }
        }
        let readable = testClock()
        let after = recorder.latest
        #expect(after.timeline >= before.timeline)
        #expect(after.timeline > before.timeline || after.primary == before.primary)
        print(
            "lost after", (lost - began).milliseconds, "found after", (found - began).milliseconds,
            "readable at", (readable - began).milliseconds)
        var last: [String] = []
        for topology in recorder.history.suffix(600) {
            let line = topology.nodes.map {
                "\($0.name):\($0.role.rawValue):\($0.exclusion?.rawValue ?? "ok"):\($0.state)"
            }
            if line != last { print(topology.version, topology.timeline, line) }
            last = line
        }
        await stop()
    }
}
