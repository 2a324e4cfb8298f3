// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Log positions that move: the primary's with each commit, those of the replicas after it and each
/// at its own pace, and martlet hears of them late.
///
/// A read answers with how much of the log its node has replayed, so a session that is shown less
/// than it wrote or saw before has gone back in time.
///
/// Each of these mutations of `SessionPosition` makes storms of all three kinds fail: `wrote` that
/// notes nothing; `read` that notes nothing on a replica; `settle` that takes the newest sample and
/// not the first one asked for after the event; `mayRead` that compares no positions, that lets
/// another replica serve what was seen on one, or lets one serve before a write is settled.
struct ConsistencyStormTests {
    @Test(arguments: 3000..<3010 as Range<UInt64>)
    func `a session sees what it wrote, and never less than it saw`(seed: UInt64) {
        var storm = ConsistencyStorm(seed: seed, weather: .calm)
        storm.run()
    }

    @Test(arguments: 4000..<4010 as Range<UInt64>)
    func `so it is when primaries change and servers die`(seed: UInt64) {
        var storm = ConsistencyStorm(seed: seed, weather: .failovers)
        storm.run()
    }

    @Test(arguments: 5000..<5010 as Range<UInt64>)
    func `so it is when replicas restart with less than they had`(seed: UInt64) {
        var storm = ConsistencyStorm(seed: seed, weather: .restarts)
        storm.run()
    }
}

private struct ConsistencyStorm {
    enum Weather {
        case calm
        /// Servers die, and primaries hand over to a replica that has replayed everything.
        case failovers
        /// A replica loses its connections, and replays again from an earlier position.
        case restarts
    }

    /// What ends with one ReadyForQuery.
    struct Step {
        var messages: [Message]
        /// What it commits.
        var writes: [String] = []
        /// The session begins anew.
        var forgets = false
    }

    final class Player {
        let client: PlayedClient
        var steps: [Step] = []
        /// It never writes, so that all it must be shown is what it saw.
        let isReader: Bool
        var left = 40
        /// How much of the log it must be shown.
        var floor = 0
        var errors: [String] = []

        init(_ client: PlayedClient, isReader: Bool) {
            self.client = client
            self.isReader = isReader
        }
    }

    /// A question for a node's position, on its way there and back.
    struct Question {
        let node: Int
        let askedAt: Instant
        var position: Int?
    }

    /// What a client may hear where a server was lost.
    private static let losses: Set = ["08006", "08007", "40001", "25P02", "57P01", "26000"]

    private let weather: Weather
    private let world: World
    private let log = ModelLog()
    private var chance: SplitMix64
    private let players: [Player]
    private var topology = Topology.test
    private var questions: [Question] = []
    private var lastValue = 0
    private var readsOnReplicas = 0

    init(seed: UInt64, weather: Weather) {
        self.weather = weather
        let world = World(.test(poolSize: 3), chunking: Chunking(.random, seed: seed))
        self.world = world
        for node in world.nodes { node.log = log }
        chance = SplitMix64(seed: ~seed)
        players = (0..<6).map { Player(world.client(), isReader: $0 % 2 == 0) }
    }

    mutating func run() {
        for _ in 0..<40_000 {
            guard players.contains(where: { $0.left > 0 }) else { break }
            let player = players[roll(players.count)]
            if player.steps.isEmpty && player.left > 0 { begin(player) }
            world.runPart(steps: roll(8))
            players.forEach { receive($0) }
            world.pass(Instant.Span(nanoseconds: UInt64(roll(2_000_000))), in: roll(4))
            replay()
            sample()
            if weather == .failovers && roll(100) == 0 { kill() }
            if weather == .failovers && roll(topology.primary == nil ? 30 : 200) == 0 { failOver() }
            if weather == .restarts && roll(60) == 0 { restart() }
        }
        for player in players where player.left > 0 {
            let kinds = player.steps.first?.messages.kinds ?? ""
            Issue.record("\(player.client.name) hangs in \(kinds)")
        }
        #expect(readsOnReplicas > 0, "no read left the primary: nothing was shown")
        players.forEach { $0.client.leave() }
        world.disband()
    }

    private mutating func roll(_ count: Int) -> Int { Int.random(in: 0..<count, using: &chance) }

    // MARK: The cluster

    /// A replica replays some of what it has not; one that was restarted takes its time.
    private mutating func replay() {
        let node = world.nodes[roll(3)]
        guard node.isStandby, roll(3) == 0 else { return }
        let left = log.entries.count - node.replayed
        node.replayed += roll((weather == .restarts ? min(left, 1) : left) + 1)
    }

    /// A question is sent, reaches its node, or comes back.
    private mutating func sample() {
        if roll(2) == 0 { questions.append(Question(node: roll(3), askedAt: world.now)) }
        guard !questions.isEmpty, roll(2) == 0 else { return }
        let index = roll(questions.count)
        guard let position = questions[index].position else {
            questions[index].position = world.nodes[questions[index].node].position
            return
        }
        let question = questions.remove(at: index)
        topology.nodes[question.node].positions.append(
            PositionHistory.Sample(
                position: LogPosition(UInt64(1_000 + position * 10)), askedAt: question.askedAt,
                arrivedAt: world.now))
        world.tell(topology)
    }

    private mutating func kill() {
        guard let server = world.servers.filter(world.isOpen).randomElement(using: &chance) else {
            return
        }
        if roll(2) == 0 { server.die("57P01") } else { world.cut(server) }
    }

    /// The primary goes down, or another node takes its place with all that was committed.
    private mutating func failOver() {
        if let lost = topology.primary?.index {
            for server in world.servers where server.node === world.nodes[lost] {
                roll(2) == 0 ? server.die("57P01") : world.cut(server)
            }
            world.nodes[lost].replayed = log.entries.count
            world.nodes[lost].isStandby = true
            change(primary: nil, timeline: topology.timeline) { $0 == lost }
        } else {
            let next = roll(world.nodes.count)
            world.nodes[next].replayed = log.entries.count
            change(primary: next, timeline: topology.timeline + 1) { _ in true }
            topology.timelineSince = world.now
        }
        world.tell(topology)
    }

    /// Another primary, or none; the positions of these nodes count no more.
    private mutating func change(
        primary: Int?, timeline: UInt32, forgetting isForgotten: (Int) -> Bool
    ) {
        let before = topology
        topology = .test(primary: primary, timeline: timeline)
        topology.timelineSince = before.timelineSince
        for index in topology.nodes.indices {
            topology.nodes[index].positions = before.nodes[index].positions
            if isForgotten(index) { topology.nodes[index].positions.removeAll() }
        }
        questions.removeAll { isForgotten($0.node) }
    }

    private mutating func restart() {
        let index = roll(world.nodes.count)
        guard world.nodes[index].isStandby else { return }
        for server in world.servers where server.node === world.nodes[index] { world.cut(server) }
        world.nodes[index].replayed = max(0, world.nodes[index].replayed - roll(20))
        topology.nodes[index].positions.removeAll()
        questions.removeAll { $0.node == index }
        world.tell(topology)
    }

    // MARK: What is asked

    private mutating func begin(_ player: Player) {
        player.steps = player.isReader ? reads() : next()
        player.errors.removeAll()
        world.post(player.steps.flatMap(\.messages).bytes, from: player.client)
    }

    private mutating func write() -> String {
        lastValue += 1
        return "INSERT \(lastValue)"
    }

    private static let read = Step(messages: [.query("SELECT replayed")])

    private mutating func reads() -> [Step] {
        switch roll(8) {
        case 0: return [Step(messages: [.query("DISCARD ALL")], forgets: true), Self.read]
        case 1..<4: return [Self.read]
        case 4: return [Step(messages: Message.extended("SELECT replayed") + [.sync])]
        case 5: return [Self.read, Self.read, Self.read]
        default:
            return [
                Step(messages: [.query(roll(2) == 0 ? "BEGIN" : "BEGIN READ ONLY")]), Self.read,
                Self.read, Step(messages: [.query("COMMIT")]),
            ]
        }
    }

    private mutating func next() -> [Step] {
        switch roll(10) {
        case 0:
            let write = write()
            return [
                Step(messages: [.query("BEGIN")]), Step(messages: [.query(write)]), Self.read,
                Step(messages: [.query("COMMIT")], writes: [write]),
            ]
        case 1:
            let write = write()
            return [Step(messages: [.query(write)], writes: [write]), Self.read]
        case 2, 3:
            let write = write()
            return [Step(messages: Message.extended(write) + [.sync], writes: [write])]
        default: return reads()
        }
    }

    // MARK: What is checked

    private mutating func receive(_ player: Player) {
        for message in player.client.takeMessages() {
            switch message.kind {
            case "D": saw(message.values.first ?? "", player)
            case "E": player.errors.append(message.sqlState ?? "")
            case "C" where message.strings()[0] == "ROLLBACK":
                // Of a COMMIT after an error; the write is not there.
                if !player.steps.isEmpty { player.steps[0].writes.removeAll() }
            case "Z": finish(player)
            default: break
            }
        }
        if player.client.hasEnded {
            player.steps.removeAll()
            player.left = 0
        }
    }

    private mutating func saw(_ value: String, _ player: Player) {
        guard let position = Int(value) else {
            Issue.record("\(player.client.name) read \(value)")
            return
        }
        #expect(position >= player.floor, "\(player.client.name) went back in time")
        player.floor = max(player.floor, position)
        if position < log.entries.count { readsOnReplicas += 1 }
    }

    private mutating func finish(_ player: Player) {
        guard !player.steps.isEmpty else { return }
        let step = player.steps.removeFirst()
        if step.forgets { player.floor = 0 }
        if player.errors.isEmpty {
            for write in step.writes {
                let place = log.entries.lastIndex(of: write)
                #expect(place != nil, "\(write) was lost")
                player.floor = max(player.floor, (place ?? 0) + 1)
            }
        }
        if weather == .calm { #expect(player.errors.isEmpty) }
        #expect(Set(player.errors).isSubset(of: Self.losses))
        if player.steps.isEmpty { player.left -= 1 }
    }
}
