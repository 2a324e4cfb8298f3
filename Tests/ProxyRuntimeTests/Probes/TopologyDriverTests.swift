// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Logging
import ProxyCore
import ProxyRuntime
import Synchronization
import Testing

/// Keeps what a driver publishes, and lets a test wait for a state.
final class TopologyRecorder: Sendable {
    private struct State {
        var history: [Topology] = []
        var waiting: [(condition: @Sendable (Topology) -> Bool, resume: @Sendable () -> Void)] = []
    }

    private let state = Mutex(State())

    var latest: Topology { state.withLock { $0.history.last ?? Topology() } }
    /// Every snapshot so far, oldest first.
    var history: [Topology] { state.withLock { $0.history } }

    func record(_ topology: Topology) {
        let due = state.withLock { state in
            state.history.append(topology)
            let due = state.waiting.filter { $0.condition(topology) }
            state.waiting.removeAll { $0.condition(topology) }
            return due
        }
        for waiter in due { waiter.resume() }
    }

    func wait(until condition: @escaping @Sendable (Topology) -> Bool) async {
        await completion { done in
            let isThere = state.withLock { state in
                if let last = state.history.last, condition(last) { return true }
                state.waiting.append((condition, done))
                return false
            }
            if isThere { done() }
        }
    }
}

/// One member with a Patroni and a server of its own, both scripted.
private final class ScriptedMember: Sendable {
    struct State {
        var isPrimary: Bool
        var timeline = 1
        var position: UInt64 = 0x300_0148
        var isUp = true
        var members = ""
    }

    let name: String
    private let shared: Shared
    let rest: ScriptedServer
    let server: ScriptedServer

    init(_ name: String, isPrimary: Bool) {
        self.name = name
        let shared = Shared(State(isPrimary: isPrimary))
        self.shared = shared
        rest = ScriptedServer { peer in
            let isCluster = peer.receiveHead().hasPrefix("GET /cluster")
            let now = shared.state.withLock { $0 }
            peer.send(isCluster ? Self.cluster(now) : Self.report(now))
        }
        server = ScriptedServer { peer in
            guard shared.state.withLock({ $0.isUp }) else { return }
            peer.logIn()
            while peer.receiveUnit() {
                let now = shared.state.withLock { $0 }
                guard now.isUp else { return peer.sendError("FATAL", "57P01", "going down") }
                peer.sendRow(Self.row(now))
            }
        }
    }

    final class Shared: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    func change(_ change: (inout State) -> Void) { shared.state.withLock { change(&$0) } }

    var listing: String {
        """
        {"name": "\(name)", "host": "127.0.0.1", "port": \(server.port), "state": "running",
         "api_url": "http://127.0.0.1:\(rest.port)/patroni"}
        """
    }

    private static func cluster(_ state: State) -> String {
        "HTTP/1.0 200 OK\r\n\r\n{\"scope\": \"demo\", \"members\": [\(state.members)]}"
    }

    private static func report(_ state: State) -> String {
        let isPrimary = state.isPrimary && state.isUp
        return """
            HTTP/1.0 \(isPrimary ? 200 : 503) OK\r\n\r\n{"state": \
            "\(state.isUp ? "running" : "stopping")", "role": \
            "\(state.isPrimary ? "primary" : "replica")", "timeline": \(state.timeline), \
            "database_system_identifier": "77"}
            """
    }

    private static func row(_ state: State) -> [String?] {
        let position = LogPosition(state.position).description
        return [
            state.isPrimary ? "f" : "t", position, state.isPrimary ? position : nil,
            state.isPrimary ? nil : position, state.isPrimary ? nil : "5", "\(state.timeline)",
            state.isPrimary ? nil : "t", "77", "150020", "8192", "16777216",
        ]
    }
}

@Suite(.timeLimit(.minutes(1))) struct TopologyDriverTests {
    private func driver(
        _ members: [ScriptedMember], _ recorder: TopologyRecorder, seeds: [String]? = nil,
        resolver: Resolver = Resolver()
    ) -> TopologyDriver {
        let listing = members.map(\.listing).joined(separator: ",")
        for member in members { member.change { $0.members = listing } }
        return TopologyDriver(
            policy: ProxyPolicy(),
            seeds: seeds ?? ["http://127.0.0.1:\(members[0].rest.port)"],
            account: ControlAccount(user: "u", password: nil, database: "d"), resolver: resolver,
            queue: DispatchQueue(label: "test.driver"), logger: Logger(label: "test") { _ in
                SwiftLogNoOpLogHandler()
            }, seed: 1, clock: testClock, onChange: { recorder.record($0) })
    }

    private func stop(_ driver: TopologyDriver) async {
        await completion { done in driver.stop { done() } }
    }

    @Test func `members are found from one address, and their positions are followed`() async {
        let a = ScriptedMember("a", isPrimary: true)
        let b = ScriptedMember("b", isPrimary: false)
        let recorder = TopologyRecorder()
        let driver = driver([a, b], recorder)
        driver.start()
        await recorder.wait { $0.primary != nil && $0.nodes.contains { $0.exclusion == nil } }
        let first = recorder.latest
        #expect(first.nodes.map(\.name) == ["a", "b"])
        #expect(first[first.primary!]?.name == "a")
        #expect(first.nodes[1].port == b.server.port)
        #expect(first.nodes[1].serverVersion == 150020)
        a.change { $0.position += 4096 }
        await recorder.wait { $0.nodes[1].lagBytes == 4096 }
        b.change { $0.position += 4096 }
        await recorder.wait { $0.nodes[1].lagBytes == 0 && $0.nodes[1].weight == 1 }
        #expect(a.server.connectionCount == 1, "one connection is kept")
        await stop(driver)
    }

    @Test func `a primary that goes is followed by the one that comes, and never are there two`()
        async
    {
        let a = ScriptedMember("a", isPrimary: true)
        let b = ScriptedMember("b", isPrimary: false)
        let recorder = TopologyRecorder()
        let driver = driver([a, b], recorder)
        driver.start()
        await recorder.wait { $0.primary == NodeID(0) }
        a.change { $0.isUp = false }
        await recorder.wait { $0.primary == nil && $0.nodes.count == 2 }
        b.change { ($0.isPrimary, $0.timeline, $0.position) = (true, 2, $0.position + 100) }
        await recorder.wait { $0.primary == NodeID(1) && $0.timeline == 2 }
        a.change { ($0.isPrimary, $0.isUp, $0.timeline) = (false, true, 2) }
        await recorder.wait { $0.nodes[0].exclusion == nil }
        let sequence = recorder.history.map { $0.primary?.index }
        let changes = sequence.indices.dropFirst().filter { sequence[$0] != sequence[$0 - 1] }
        #expect(changes.map { sequence[$0] }.suffix(2) == [nil, 1])
        await stop(driver)
    }

    @Test func `behind a name, dead and mute addresses do not hide the one that answers`() async {
        let a = ScriptedMember("a", isPrimary: true)
        let mute = ScriptedServer { peer in while peer.receive(1) != nil {} }
        let dead = ScriptedServer { _ in }
        dead.stop()
        let ports = [dead.port, mute.port, a.rest.port]
        let resolver = Resolver { host, _ in
            guard host == "patroni.example" else { return Resolver.systemLookUp(host: host, port: 1) }
            return .success(
                ports.compactMap { try? SocketAddress.literal(host: "127.0.0.1", port: $0) })
        }
        let recorder = TopologyRecorder()
        let driver = driver(
            [a], recorder, seeds: ["http://patroni.example:8008"], resolver: resolver)
        driver.start()
        await recorder.wait { $0.primary != nil }
        #expect(recorder.latest.nodes.map(\.name) == ["a"])
        #expect(recorder.latest.primary == NodeID(0))
        await stop(driver)
    }

    @Test func `a name is looked up again, and members that come and go are followed`() async {
        let a = ScriptedMember("a", isPrimary: true)
        let b = ScriptedMember("b", isPrimary: false)
        let count = Counter()
        // At first the name is not there yet, as before a StatefulSet has its first ready pod.
        let resolver = Resolver { host, _ in
            guard count.next() > 1 else {
                return .failure(.unresolvable(host: host, reason: "not yet"))
            }
            return Resolver.systemLookUp(host: "127.0.0.1", port: a.rest.port)
        }
        let recorder = TopologyRecorder()
        let driver = driver([a], recorder, seeds: ["http://patroni.example:8008"], resolver: resolver)
        driver.start()
        await recorder.wait { $0.nodes.map(\.name) == ["a"] && $0.primary != nil }
        a.change { $0.members = [a, b].map(\.listing).joined(separator: ",") }
        await recorder.wait { $0.nodes.count == 2 && $0.nodes[1].exclusion == nil }
        a.change { $0.members = a.listing }
        b.change { $0.isUp = false }
        b.rest.stop()
        await recorder.wait { $0.nodes.map(\.name) == ["a"] && $0.primary != nil }
        #expect(recorder.latest.nodes.map(\.name) == ["a"], "who has left is gone")
        #expect(recorder.latest.primary == NodeID(0))
        #expect(count.next() > 2, "the name was looked up again")
        await stop(driver)
    }
}
