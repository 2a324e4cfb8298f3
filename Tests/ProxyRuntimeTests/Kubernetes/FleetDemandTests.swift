// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Synchronization
import Testing

@testable import ProxyRuntime

/// The sum over all instances: whole, or none.
@Suite(.timeLimit(.minutes(1))) struct FleetDemandTests {
    private static func own(_ demand: Double, _ cluster: String? = "pg") -> AutoscaleDocument {
        AutoscaleDocument(
            statistics: ShardStatistics(
                counters: ShardCounters(), readDemand: demand, executingReads: demand),
            topology: Topology(), cluster: cluster)
    }

    /// Instances at 127.0.0.2 and up, all at one port, as pods have it.
    private static func instances(
        _ answers: [HTTPResponse]
    ) throws -> (endpoints: [HTTPEndpoint], port: UInt16, peers: [HostAndPort]) {
        var endpoints: [HTTPEndpoint] = []
        for (index, answer) in answers.enumerated() {
            let endpoint = try HTTPEndpoint(
                host: "127.0.0.\(index + 2)", port: endpoints.first?.port ?? 0
            ) { $0.path == "/autoscale" ? answer : HTTPResponse(.notFound) }
            endpoint.start()
            endpoints.append(endpoint)
        }
        let peers = answers.indices.map { HostAndPort(host: "127.0.0.\($0 + 2)", port: 5432) }
        return (endpoints, endpoints.first?.port ?? 1, peers)
    }

    private static func answer(_ demand: Double, cluster: String? = "pg") -> HTTPResponse {
        HTTPResponse(.ok, own(demand, cluster).text, contentType: AutoscaleDocument.contentType)
    }

    private static func message(_ answer: FleetDemand.Answer) -> String? {
        if case .failure(let status) = answer { "\(status.code) \(status.message)" } else { nil }
    }

    @Test func `it sums over all, each counted once`() async throws {
        let fleet = try Self.instances([Self.answer(1.5), Self.answer(2), Self.answer(0, cluster: nil)])
        defer { fleet.endpoints.forEach { $0.stop() } }
        // Two ports for clients are one instance.
        let peers = fleet.peers + [HostAndPort(host: "127.0.0.2", port: 5433)]
        let demand = FleetDemand(port: fleet.port, peers: { peers }, own: { Self.own(0.25) })
        #expect(await demand.total() == .success(.init(demand: 3.75, cluster: "pg")))
    }

    @Test func `alone it is its own`() async {
        let demand = FleetDemand(port: 1, peers: { [] }, own: { Self.own(4) })
        #expect(await demand.total() == .success(.init(demand: 4, cluster: "pg")))
    }

    @Test(arguments: [
        (HTTPResponse(.serviceUnavailable), "answers 503"),
        (HTTPResponse(.ok, "{}"), "tells no demand"),
        (HTTPResponse(.ok, "nonsense"), "tells no demand"),
        (HTTPResponse(.ok, #"{"readers":{"demand":-1}}"#), "tells no demand"),
        (HTTPResponse(.ok, #"{"readers":{"demand":1e300}}"#), "tells no demand"),
        (HTTPResponse(.ok, #"{"readers":{"demand":"5"}}"#), "tells no demand"),
        (HTTPResponse(.ok, String(repeating: " ", count: 100_000)), "does not answer"),
        (answer(1, cluster: "other"), "is before another cluster, other"),
    ])
    func `one that gives no answer leaves no sum`(bad: HTTPResponse, words: String) async throws {
        let fleet = try Self.instances([Self.answer(1), bad])
        defer { fleet.endpoints.forEach { $0.stop() } }
        let looked = Mutex(0)
        let peers = Mutex(fleet.peers)
        let demand = FleetDemand(
            port: fleet.port, peers: { peers.withLock { $0 } },
            refresh: { looked.withLock { $0 += 1 } }, own: { Self.own(1) })
        let message = try #require(Self.message(await demand.total()))
        #expect(message.hasPrefix("503 the instance at 127.0.0.3:\(fleet.port) \(words)"))
        #expect(looked.withLock { $0 } == 1)
        // It has left DNS: the others are the sum.
        peers.withLock { _ = $0.removeLast() }
        #expect(await demand.total() == .success(.init(demand: 2, cluster: "pg")))
    }

    @Test func `one that is not there, or does not answer in time`() async throws {
        let mute = ScriptedServer { $0.waitForEnd() }
        let peers = [HostAndPort(host: "127.0.0.1", port: 5432)]
        let demand = FleetDemand(port: mute.port, peers: { peers }, own: { Self.own(1) })
        let began = MonotonicClock.now
        // Together they make one asking.
        async let first = demand.total()
        async let second = demand.total()
        for answer in [await first, await second] {
            #expect(Self.message(answer)?.contains("does not answer: Timeout") == true)
        }
        #expect(MonotonicClock.now - began < .seconds(8))
        #expect(mute.connectionCount == 1)
        mute.stop()
        #expect(Self.message(await demand.total())?.contains("does not answer") == true)
    }

    @Test func `before the others are known there is no sum`() async {
        let demand = FleetDemand(port: 1, peers: { nil }, own: { Self.own(1) })
        #expect(Self.message(await demand.total())?.contains("have not been looked up") == true)
        let stuck = FleetDemand(port: 1, peers: { [] }, own: { nil })
        #expect(Self.message(await stuck.total())?.contains("a shard of this instance") == true)
    }

    @Test func `many are asked, some at a time`() async throws {
        let fleet = try Self.instances((0..<60).map { _ in Self.answer(0.5) })
        defer { fleet.endpoints.forEach { $0.stop() } }
        let demand = FleetDemand(port: fleet.port, peers: { fleet.peers }, own: { Self.own(0) })
        #expect(await demand.total() == .success(.init(demand: 30, cluster: "pg")))
    }
}
