// SPDX-License-Identifier: Apache-2.0
import ProxyCore
import Testing

/// What a session must be shown, against snapshots with samples at chosen times.
@Suite struct SessionPositionTests {
    private static let primary = NodeID(0)
    private static let b = NodeID(1)
    private static let c = NodeID(2)

    /// A snapshot whose members were sampled at (asked at, position) each.
    private func snapshot(
        a: [(UInt64, UInt64)], b: [(UInt64, UInt64)] = [], c: [(UInt64, UInt64)] = [],
        timeline: UInt32 = 1, replicaTimeline: UInt32? = nil, since: UInt64 = 0
    ) -> Topology {
        var topology = Topology()
        topology.timeline = timeline
        topology.timelineSince = Instant(since)
        topology.primary = Self.primary
        for (index, samples) in [a, b, c].enumerated() {
            var node = Topology.Node(
                id: NodeID(index), name: "\(index)", host: "h", port: 1,
                role: index == 0 ? .primary : .replica)
            node.timeline = index == 0 ? timeline : replicaTimeline ?? timeline
            node.exclusion = index == 0 ? .notReplica : nil
            node.weight = 1
            for (asked, position) in samples {
                node.positions.append(
                    .init(
                        position: LogPosition(position), askedAt: Instant(asked),
                        arrivedAt: Instant(asked + 1)))
            }
            topology.nodes.append(node)
        }
        return topology
    }

    /// Who serves a read of this session.
    private func readers(_ session: SessionPosition, _ topology: Topology) -> [Int] {
        topology.nodes.filter { session.mayRead(from: $0, in: topology) }.map(\.id.index)
    }

    @Test func `a new session may read everywhere`() {
        var session = SessionPosition()
        let topology = snapshot(a: [(10, 100)], b: [(10, 1)], c: [])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1, 2])
        #expect(session.isFree && session.isSettled)
    }

    @Test func `after a write reads stay on the primary until a replica has it`() {
        var session = SessionPosition()
        session.wrote(acknowledgedAt: Instant(50))
        // Samples that were asked for before the write was acknowledged prove nothing.
        var topology = snapshot(a: [(10, 100), (50, 900)], b: [(50, 900)], c: [(50, 900)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
        #expect(!session.isSettled)
        topology = snapshot(
            a: [(10, 100), (50, 900), (60, 500)], b: [(50, 499), (60, 499)], c: [(60, 500)])
        session.resolveFloor(with: topology)
        #expect(session.token == PositionToken(timeline: 1, position: LogPosition(500)))
        #expect(readers(session, topology) == [0, 2])
        topology = snapshot(a: [(60, 500), (70, 800)], b: [(70, 500)], c: [(70, 500)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1, 2])
    }

    @Test func `after a read on a replica reads stay on it until its position is known`() {
        var session = SessionPosition()
        session.read(on: Self.b, isPrimary: false, endedAt: Instant(50))
        var topology = snapshot(a: [(10, 100)], b: [(10, 90), (40, 95)], c: [(40, 99)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1])
        topology = snapshot(
            a: [(10, 100)], b: [(10, 90), (40, 95), (60, 97)], c: [(40, 99), (60, 96)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1], "c has not got what b had")
        topology = snapshot(a: [(70, 100)], b: [(60, 97)], c: [(70, 97)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1, 2])
    }

    @Test func `a read on the primary is as binding as a write`() {
        var session = SessionPosition()
        session.read(on: Self.primary, isPrimary: true, endedAt: Instant(50))
        let topology = snapshot(a: [(40, 100)], b: [(40, 100)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
    }

    @Test func `a write outweighs a read that follows on a replica`() {
        var session = SessionPosition()
        session.wrote(acknowledgedAt: Instant(50))
        session.read(on: Self.b, isPrimary: false, endedAt: Instant(55))
        let topology = snapshot(a: [(40, 100)], b: [(40, 100), (60, 100)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
    }

    @Test func `a replica that was restarted meanwhile proves nothing`() {
        var session = SessionPosition()
        session.read(on: Self.b, isPrimary: false, endedAt: Instant(50))
        var topology = snapshot(a: [(40, 100)], b: [(60, 10)], c: [(60, 100)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
        topology = snapshot(a: [(40, 100), (70, 100)], b: [(60, 10)], c: [(60, 100)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 2])
    }

    // Edge cases: 104
    @Test func `a new timeline clears the floor and asks the new primary`() {
        var session = SessionPosition()
        session.wrote(acknowledgedAt: Instant(10))
        session.resolveFloor(with: snapshot(a: [(20, 500)]))
        #expect(session.token.position == LogPosition(500))
        var topology = snapshot(a: [], b: [(30, 900)], timeline: 2, since: 30)
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
        #expect(!session.isSettled)
        topology = snapshot(
            a: [(35, 400)], b: [(35, 400)], c: [(35, 400)], timeline: 2, replicaTimeline: 1,
            since: 30)
        session.resolveFloor(with: topology)
        #expect(session.token == PositionToken(timeline: 2, position: LogPosition(400)))
        #expect(readers(session, topology) == [0], "replicas of the old timeline cannot compare")
        topology = snapshot(a: [(35, 400)], b: [(45, 400)], timeline: 2, since: 30)
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1])
    }

    @Test func `a primary that lost its tail in a crash lowers the floor`() {
        var session = SessionPosition()
        session.wrote(acknowledgedAt: Instant(10))
        session.resolveFloor(with: snapshot(a: [(20, 500)]))
        let topology = snapshot(a: [(40, 450)], b: [(40, 450)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1])
    }

    @Test func `a floor above an older position of the primary is kept`() {
        var session = SessionPosition()
        session.read(on: Self.b, isPrimary: false, endedAt: Instant(10))
        // The replica was asked later than the primary and has more than that one had then.
        var topology = snapshot(a: [(12, 400)], b: [(5, 390), (15, 450)], c: [(15, 420)])
        session.resolveFloor(with: topology)
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1])
        topology = snapshot(a: [(12, 400), (20, 500)], b: [(15, 450)], c: [(20, 440)])
        session.resolveFloor(with: topology)
        #expect(session.token.position == LogPosition(450))
    }

    @Test func `a token carries the floor to another session`() {
        var writer = SessionPosition()
        writer.wrote(acknowledgedAt: Instant(10))
        writer.resolveFloor(with: snapshot(a: [(20, 0x16_b374_d848)]))
        #expect(writer.token.description == "1/00000016/B374D848")
        var reader = SessionPosition()
        reader.adopt(PositionToken(writer.token.description)!, at: Instant(25))
        var topology = snapshot(a: [(20, 0x16_b374_d848)], b: [(20, 0x16_b374_d847)])
        reader.resolveFloor(with: topology)
        #expect(readers(reader, topology) == [0])
        topology = snapshot(a: [(20, 0x16_b374_d848)], b: [(30, 0x16_b374_d848)])
        reader.resolveFloor(with: topology)
        #expect(readers(reader, topology) == [0, 1])
    }

    @Test func `a token holds while a read on a replica is pending too`() {
        var session = SessionPosition()
        let topology = snapshot(a: [(10, 900)], b: [(10, 100)], c: [(10, 900)])
        session.resolveFloor(with: topology)
        session.read(on: Self.b, isPrimary: false, endedAt: Instant(20))
        session.adopt(PositionToken("1/0/200")!, at: Instant(25))
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
    }

    @Test func `a token of a later timeline waits until that is known here`() {
        var session = SessionPosition()
        session.adopt(PositionToken("2/0/10")!, at: Instant(1))
        var topology = snapshot(a: [(5, 100)], b: [(5, 100)])
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
        topology = snapshot(a: [(15, 100)], b: [(15, 100)], timeline: 2, since: 10)
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1])
    }

    @Test func `a token of an earlier timeline asks the present primary`() {
        var session = SessionPosition()
        session.wrote(acknowledgedAt: Instant(1))
        session.resolveFloor(with: snapshot(a: [(5, 100)], timeline: 2))
        session.adopt(PositionToken("1/0/FFFF")!, at: Instant(10))
        var topology = snapshot(a: [(5, 100)], b: [(9, 100)], timeline: 2)
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0])
        topology = snapshot(a: [(15, 100)], b: [(15, 100)], timeline: 2)
        session.resolveFloor(with: topology)
        #expect(readers(session, topology) == [0, 1])
    }

    @Test func `a token never lowers a floor`() {
        var session = SessionPosition()
        session.wrote(acknowledgedAt: Instant(1))
        session.resolveFloor(with: snapshot(a: [(5, 100)]))
        session.adopt(PositionToken("1/0/1")!, at: Instant(10))
        session.adopt(.none, at: Instant(10))
        #expect(session.token.position == LogPosition(100))
        session.reset()
        #expect(session.isFree)
    }

    @Test(arguments: [
        "", "1", "1/2", "1/2/3/4", "x/0/0", "1/g/0", "1/0/123456789", "4294967296/0/0", "-1/0/0",
        "0/0/1", "1//1", " 1/0/0", "1/0/0 ",
    ])
    func `other text is no token`(text: String) {
        #expect(PositionToken(text) == nil)
    }

    @Test func `a session that reads without a pause waits for a sample now and then`() {
        var session = SessionPosition()
        session.wrote(acknowledgedAt: Instant(0))
        for millisecond in 1...140 as ClosedRange<UInt64> {
            let now = Instant(millisecond * 1_000_000)
            #expect(!session.shouldAwaitSample(now))
            session.read(on: Self.primary, isPrimary: true, endedAt: now)
        }
        #expect(session.shouldAwaitSample(Instant(160_000_000)))
        #expect(!session.shouldAwaitSample(Instant(210_000_000)))
        session.wrote(acknowledgedAt: Instant(160_000_000))
        #expect(!session.shouldAwaitSample(Instant(161_000_000)))
    }

    @Test func `one that reads a replica without a pause does so, too, and begins anew when it is free`() {
        var session = SessionPosition()
        for millisecond in stride(from: 0, to: 4_400, by: 100) as StrideTo<UInt64> {
            let now = Instant(millisecond * 1_000_000)
            #expect(!session.shouldAwaitSample(now))
            session.read(on: Self.b, isPrimary: false, endedAt: now)
        }
        #expect(session.isOnReplica)
        #expect(session.shouldAwaitSample(Instant(4_600_000_000)))
        #expect(!session.shouldAwaitSample(Instant(5_100_000_000)))
        // A sample came; the next read had a choice.
        session.resolveFloor(with: snapshot(a: [], b: [(10, 5), (4_700_000_000, 7)]))
        #expect(session.isSettled)
        session.read(on: Self.c, isPrimary: false, endedAt: Instant(4_800_000_000))
        #expect(!session.shouldAwaitSample(Instant(5_600_000_000)))
        #expect(session.shouldAwaitSample(Instant(9_400_000_000)))
    }

    @Test func `the size of a session's position is small`() {
        #expect(MemoryLayout<SessionPosition>.size <= 80)
    }
}
