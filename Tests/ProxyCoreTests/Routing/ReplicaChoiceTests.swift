// SPDX-License-Identifier: Apache-2.0
import PostgresWire
import ProxyCore
import Testing

@Suite struct ReplicaChoiceTests {
    /// A primary `0` and replicas with these weights.
    private static func cluster(_ weights: [Double], primary: Bool = true) -> Topology {
        var topology = Topology()
        topology.timeline = 1
        topology.primary = primary ? NodeID(0) : nil
        for index in 0...weights.count {
            var node = Topology.Node(
                id: NodeID(index), name: "\(index)", host: "h", port: 1,
                role: index == 0 ? .primary : .replica)
            node.timeline = 1
            node.exclusion = index == 0 ? .notReplica : weights[index - 1] > 0 ? nil : .lagging
            node.weight = index == 0 ? 0 : weights[index - 1]
            node.lagTime = .zero
            topology.nodes.append(node)
        }
        return topology
    }

    private func request(
        _ route: Route = .auto, _ consistency: Consistency = .session, primaryReads: Bool = true
    ) -> ReadRequest {
        var policy = RoutingPolicy()
        policy.primaryReads = primaryReads
        return ReadRequest(route: route, consistency: consistency, policy: policy)
    }

    private func choose(
        _ topology: Topology, loads: NodeLoads = NodeLoads(),
        position: SessionPosition = SessionPosition(), _ request: ReadRequest,
        now: Instant = Instant(1_000_000_000), seed: UInt64 = 1
    ) -> RouteVerdict {
        var generator = SplitMix64(seed: seed)
        return ReplicaChoice.choose(
            topology, loads: loads, position: position, request: request, now: now,
            using: &generator)
    }

    /// How often each member is chosen in 8,000 draws.
    private func shares(
        _ topology: Topology, _ loads: NodeLoads = NodeLoads(), avoided: NodeID? = nil
    ) -> [Int] {
        var generator = SplitMix64(seed: 7)
        var counts = Array(repeating: 0, count: topology.nodes.count)
        var request = request()
        request.avoided = avoided
        for _ in 0..<8000 {
            let verdict = ReplicaChoice.choose(
                topology, loads: loads, position: SessionPosition(), request: request,
                now: Instant(1_000_000_000), using: &generator)
            if case .node(let id) = verdict { counts[id.index] += 1 }
        }
        return counts
    }

    @Test func `writes and strong reads go to the primary`() {
        let topology = Self.cluster([1, 1])
        #expect(ReplicaChoice.primary(topology) == .primary(NodeID(0)))
        #expect(choose(topology, request(.auto, .strong)) == .primary(NodeID(0)))
        #expect(choose(topology, request(.primary)) == .primary(NodeID(0)))
    }

    @Test func `a write without a primary waits, in a standby cluster it is refused`() {
        var topology = Self.cluster([1], primary: false)
        #expect(ReplicaChoice.primary(topology) == .hold(.noPrimary))
        topology.isStandbyCluster = true
        guard case .refuse(let state, _) = ReplicaChoice.primary(topology) else {
            Issue.record("not refused")
            return
        }
        #expect(state == "25006")
    }

    @Test func `equal replicas share equally, and the primary gets nothing`() {
        let counts = shares(Self.cluster([1, 1, 1, 1]))
        #expect(counts[0] == 0)
        for count in counts.dropFirst() { #expect((1700...2300).contains(count)) }
    }

    @Test func `weight decides how often a replica is drawn`() {
        // Drawn first with 1/9, or second behind the heavy one and cheaper by nothing: never.
        let counts = shares(Self.cluster([0.8, 0.1]))
        #expect(counts[1] > 6500)
        #expect(counts[2] > 500)
        #expect(counts[1] + counts[2] == 8000)
    }

    @Test func `of two drawn the one with less to do wins`() {
        var loads = NodeLoads()
        let now = Instant(1)
        for id in [NodeID(1), NodeID(2)] {
            loads.began(on: id, now: now)
            loads.ended(on: id, latency: .milliseconds(1), now: now)
        }
        for _ in 0..<5 { loads.began(on: NodeID(1), now: now) }
        #expect(shares(Self.cluster([1, 1]), loads) == [0, 0, 8000])
    }

    @Test func `of two drawn the faster one wins, but not for ever`() {
        var loads = NodeLoads()
        let now = Instant(1_000_000_000)
        loads.ended(on: NodeID(1), latency: .zero, now: now)
        for _ in 0..<50 {
            for (id, latency) in [(NodeID(1), 1), (NodeID(2), 9)] as [(NodeID, UInt64)] {
                loads.began(on: id, now: now)
                loads.ended(on: id, latency: .milliseconds(latency), now: now)
            }
        }
        #expect(loads.isCheaper(NodeID(1), than: NodeID(2), now))
        // NodeID(9) is unknown, and so a typical one.
        #expect(loads.isCheaper(NodeID(9), than: NodeID(2), now))
        #expect(!loads.isCheaper(NodeID(9), than: NodeID(2), now + .seconds(20)))
    }

    @Test func `replicas that are about as fast share equally`() {
        var loads = NodeLoads()
        let now = Instant(1)
        for (id, latency) in [(NodeID(1), 1_000), (NodeID(2), 1_400)] as [(NodeID, UInt64)] {
            loads.began(on: id, now: now)
            loads.ended(on: id, latency: Instant.Span(nanoseconds: latency * 1000), now: now)
        }
        for count in shares(Self.cluster([1, 1]), loads).dropFirst() {
            #expect((3600...4400).contains(count))
        }
    }

    @Test func `an unknown replica counts as a typical one`() {
        var loads = NodeLoads()
        for _ in 0..<100 {
            loads.began(on: NodeID(1), now: Instant(1))
            loads.ended(on: NodeID(1), latency: .milliseconds(20), now: Instant(1))
        }
        #expect(!loads.isCheaper(NodeID(1), than: NodeID(2), Instant(1)))
        #expect(!loads.isCheaper(NodeID(2), than: NodeID(1), Instant(1)))
    }

    @Test func `a replica that cannot be connected to is left alone for a growing time`() {
        let topology = Self.cluster([1])
        var loads = NodeLoads()
        var now = Instant(1_000_000_000)
        var pauses: [UInt64] = []
        for _ in 0..<12 {
            loads.connectFailed(to: NodeID(1), now: now)
            #expect(choose(topology, loads: loads, request(), now: now) == .primary(NodeID(0)))
            let start = now
            while loads.isCircuitOpen(NodeID(1), now) { now = now + .milliseconds(50) }
            pauses.append((now - start).milliseconds)
        }
        #expect(pauses.prefix(4) == [100, 200, 400, 800])
        #expect(pauses.last == 10_000)
        // One unit tries it, the next ones wait for what becomes of that.
        #expect(choose(topology, loads: loads, request(), now: now) == .node(NodeID(1)))
        loads.began(on: NodeID(1), now: now)
        #expect(choose(topology, loads: loads, request(), now: now) == .primary(NodeID(0)))
        loads.connected(to: NodeID(1))
        #expect(choose(topology, loads: loads, request(), now: now) == .node(NodeID(1)))
    }

    @Test func `without an eligible replica reads go to the primary where that is allowed`() {
        let topology = Self.cluster([0, 0])
        #expect(choose(topology, request()) == .primary(NodeID(0)))
        #expect(choose(topology, request(primaryReads: false)) == .hold(.noReplica))
        #expect(choose(topology, request(.replica)) == .hold(.noReplica))
        let headless = Self.cluster([0], primary: false)
        #expect(choose(headless, request()) == .hold(.noReplica))
    }

    @Test func `what the session must see decides before the fallback does`() {
        var position = SessionPosition()
        position.wrote(acknowledgedAt: Instant(900_000_000))
        let topology = Self.cluster([1, 1])
        position.resolveFloor(with: topology)
        let wide = choose(topology, position: position, request())
        #expect(wide == .primary(NodeID(0)))
        #expect(choose(topology, position: position, request(.replica)) == .hold(.position))
        let eventual = choose(topology, position: position, request(.auto, .eventual))
        #expect(eventual != .primary(NodeID(0)))
    }

    @Test func `a stray session waits for a replica that has caught up, and for no other`() {
        var position = SessionPosition()
        position.wrote(acknowledgedAt: Instant(0))
        var topology = Self.cluster([1])
        position.resolveFloor(with: topology)
        let window = Instant(760_000_000)
        #expect(choose(topology, position: position, request(), now: window) == .hold(.position))
        topology.nodes[1].lagTime = .seconds(2)
        #expect(
            choose(topology, position: position, request(), now: window) == .primary(NodeID(0)))
    }

    @Test func `a session that stays on a replica waits now and then for what lets it choose again`() {
        var position = SessionPosition()
        position.read(on: NodeID(1), isPrimary: false, endedAt: Instant(0))
        var topology = Self.cluster([1, 1])
        let sample = PositionHistory.Sample(
            position: LogPosition(1), askedAt: Instant(0), arrivedAt: Instant(1))
        for index in topology.nodes.indices { topology.nodes[index].positions.append(sample) }
        position.resolveFloor(with: topology)
        let window = Instant(4_600_000_000)
        #expect(choose(topology, position: position, request()) == .node(NodeID(1)))
        #expect(choose(topology, position: position, request(), now: window) == .hold(.position))
        // Nobody else is there to go to, or nothing is asked of positions.
        topology.nodes[2].exclusion = .lagging
        #expect(choose(topology, position: position, request(), now: window) == .node(NodeID(1)))
        topology.nodes[2].exclusion = nil
        let eventual = choose(topology, position: position, request(.auto, .eventual), now: window)
        #expect(eventual != .hold(.position))
    }

    @Test func `a unit that failed on a replica goes elsewhere`() {
        #expect(shares(Self.cluster([1, 1]), avoided: NodeID(1)) == [0, 0, 8000])
        let single = Self.cluster([1])
        var retry = request()
        retry.avoided = NodeID(1)
        #expect(choose(single, retry) == .primary(NodeID(0)))
        retry.mayUsePrimary = false
        #expect(choose(single, retry) == .node(NodeID(1)), "there is no other")
    }

    @Test func `more replicas than a word has bits are all used`() {
        let counts = shares(Self.cluster(Array(repeating: 1, count: 100)))
        #expect(counts.dropFirst().allSatisfy { $0 > 20 })
    }

    @Test func `loads follow the members and keep what is in flight`() {
        var loads = NodeLoads()
        loads.follow(Self.cluster([1, 1]))
        loads.began(on: NodeID(2), now: Instant(1))
        loads.follow(Self.cluster([]))
        #expect(loads[NodeID(2)].unitsInFlight == 1)
        loads.ended(on: NodeID(2), latency: nil, now: Instant(2))
        loads.ended(on: NodeID(2), latency: nil, now: Instant(2))
        #expect(loads[NodeID(2)].unitsInFlight == 0)
    }

    @Test func `each reason to wait has an error of its own`() {
        let reasons: [HoldReason] = [.noPrimary, .noReplica, .position]
        #expect(Set(reasons.map(\.timeoutError.message)).count == 3)
        #expect(reasons.allSatisfy { $0.timeoutError.sqlState == "57P03" })
    }
}

@Suite struct RefusedShapesTests {
    @Test func `a refused shape is remembered for its time`() {
        var shapes = RefusedShapes(capacity: 64, lifetime: .seconds(10))
        #expect(!shapes.contains(0, now: Instant(0)))
        shapes.insert(42, now: Instant(0))
        #expect(shapes.contains(42, now: Instant(9_999_999_999)))
        #expect(!shapes.contains(42, now: Instant(10_000_000_000)))
        #expect(!shapes.contains(43, now: Instant(1)))
        #expect(!shapes.contains(0, now: Instant(1)))
        shapes.insert(42, now: Instant(9_000_000_000))
        #expect(shapes.contains(42, now: Instant(15_000_000_000)))
        shapes.removeAll()
        #expect(!shapes.contains(42, now: Instant(1)))
    }

    @Test func `what is inserted last is there, whatever came before`() {
        var shapes = RefusedShapes(capacity: 64, lifetime: .seconds(10))
        for shape in 1...10_000 as ClosedRange<UInt64> {
            shapes.insert(shape, now: Instant(shape))
            #expect(shapes.contains(shape, now: Instant(shape)))
        }
        let kept = (1...10_000 as ClosedRange<UInt64>).filter {
            shapes.contains($0, now: Instant(10_000))
        }
        #expect(kept.count <= 64 && kept.count > 48)
    }
}
