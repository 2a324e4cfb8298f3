// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// Many clients at once; who moves next, where bytes are cut and which servers die is the chance of
/// a seed.
struct StormTests {
    @Test(arguments: 0..<40 as Range<UInt64>)
    func `everybody gets his answers, whatever comes when`(seed: UInt64) {
        var storm = Storm(seed: seed, weather: .calm)
        storm.run()
    }

    @Test(arguments: 1000..<1040 as Range<UInt64>)
    func `when servers die nothing is done twice, lost unsaid or told to others`(seed: UInt64) {
        var storm = Storm(seed: seed, weather: .deadly)
        storm.run()
    }

    @Test(arguments: 2000..<2040 as Range<UInt64>)
    func `when primaries change nothing is done twice, lost unsaid or told to others`(seed: UInt64) {
        var storm = Storm(seed: seed, weather: .failovers)
        storm.run()
    }
}

/// Every value is used once, so that an answer tells whose it is, and a write how often it was
/// done.
private struct Storm {
    /// One thing that a client asks, and the answer.
    struct Exchange {
        var messages: [Message]
        /// Types of the answer, without ParameterStatus.
        var kinds: String
        var rows: [String] = []
        var errors: [String] = []
        /// What it commits.
        var writes: [String] = []
        /// After an error the rows are others.
        var needsSuccess = false
    }

    final class Player {
        let client: PlayedClient
        var exchange: Exchange?
        var answer: [Message] = []
        var left = 10

        init(_ client: PlayedClient) { self.client = client }
    }

    enum Weather {
        case calm
        /// Servers die.
        case deadly
        /// And now and then all of the primary's, and another node takes its place.
        case failovers
    }

    /// What a client may hear of a server that was lost; the last where its Parse was refused.
    private static let losses: Set = ["08006", "08007", "40001", "25P02", "57P01", "26000"]

    private let seed: UInt64
    private let weather: Weather
    private let world: World
    private var chance: SplitMix64
    private let players: [Player]
    private var lastValue = 0
    private var committed: [String] = []
    private var uncertain: Set<String> = []
    private var primary: Int? = 0
    private var timeline: UInt32 = 1

    init(seed: UInt64, weather: Weather) {
        var policy = ProxyPolicy.test(poolSize: 2)
        policy.pools.preparedStatementsPerServer = 3
        self.seed = seed
        self.weather = weather
        let world = World(policy, chunking: Chunking(.random, seed: seed))
        self.world = world
        chance = SplitMix64(seed: ~seed)
        players = (0..<6).map { _ in Player(world.client()) }
    }

    mutating func run() {
        for _ in 0..<30_000 where players.contains(where: { $0.left > 0 }) {
            let player = players[roll(players.count)]
            if player.exchange == nil && player.left > 0 { begin(player) }
            world.runPart(steps: roll(8))
            players.forEach { receive($0) }
            if roll(20) == 0 { world.pass(.milliseconds(100), in: roll(8)) }
            if weather != .calm && roll(60) == 0 { kill() }
            if weather == .failovers && roll(primary == nil ? 30 : 200) == 0 { failOver() }
        }
        for player in players where player.left > 0 {
            Issue.record("\(player.client.name) hangs in \(player.exchange?.messages.kinds ?? "")")
        }
        checkWrites()
        checkLeaks()
    }

    private mutating func roll(_ count: Int) -> Int { Int.random(in: 0..<count, using: &chance) }

    private mutating func kill() {
        guard let server = world.servers.filter(world.isOpen).randomElement(using: &chance) else {
            return
        }
        if roll(2) == 0 { server.die("57P01") } else { world.cut(server) }
    }

    /// The primary goes down, or another node takes its place.
    private mutating func failOver() {
        if let lost = primary {
            primary = nil
            for server in world.servers where server.node === world.nodes[lost] {
                roll(2) == 0 ? server.die("57P01") : world.cut(server)
            }
            world.nodes[lost].isStandby = true
        } else {
            primary = roll(world.nodes.count)
            timeline += 1
        }
        world.tell(.test(primary: primary, timeline: timeline))
    }

    // MARK: What is checked

    private func checkWrites() {
        let journal = world.nodes.flatMap(\.journal)
        #expect(Set(journal).count == journal.count, "a write was done twice")
        #expect(Set(committed).isSubset(of: journal), "a write was lost")
        let untold = Set(journal).subtracting(committed).subtracting(uncertain)
        #expect(untold.isEmpty, "a write was done and denied")
        if weather != .failovers { #expect(journal == world.nodes[0].journal) }
    }

    private func checkLeaks() {
        #expect(world.ledger.servers.values.allSatisfy { $0 <= 2 })
        world.clients.forEach { $0.leave() }
        world.pass(.seconds(5))
        world.pass(.seconds(700))
        #expect(world.ledger.servers.values.allSatisfy { $0 == 0 }, "a server leaked")
        #expect(world.ledger.clients.values.allSatisfy { $0 == 0 })
        #expect(world.servers.allSatisfy { !world.isOpen($0) })
    }

    private mutating func receive(_ player: Player) {
        guard let exchange = player.exchange else { return }
        player.answer += player.client.takeMessages().filter { $0.kind != "S" }
        let answer = player.answer
        let isWhole =
            answer.count { $0.kind == "Z" } == exchange.kinds.count { $0 == "Z" }
        guard isWhole || player.client.hasEnded else { return }
        player.answer.removeAll()
        player.exchange = nil
        player.left = player.client.hasEnded ? 0 : player.left - 1
        let isFaultless = answer.kinds == exchange.kinds && answer.rows == exchange.rows
            && answer.errors == exchange.errors
        if isFaultless {
            committed += exchange.writes
            return
        }
        if weather == .calm {
            Issue.record(
                """
                \(exchange.messages.kinds) was answered \(answer.kinds) \(answer.errors) \
                \(answer.rows) instead of \(exchange.kinds)
                """)
        }
        if !exchange.needsSuccess || answer.errors.isEmpty {
            #expect(Set(answer.rows).isSubset(of: exchange.rows))
        }
        #expect(Set(answer.errors).isSubset(of: Self.losses.union(exchange.errors)))
        if answer.errors.contains("08007") || player.client.hasEnded {
            uncertain.formUnion(exchange.writes)
        }
    }

    // MARK: What is asked

    private mutating func begin(_ player: Player) {
        let exchange = next(player)
        player.exchange = exchange
        world.post(exchange.messages.bytes, from: player.client)
    }

    private mutating func value() -> String {
        lastValue += 1
        return "v\(lastValue)"
    }

    private mutating func next(_ player: Player) -> Exchange {
        switch roll(12) {
        case 0: return simpleRead()
        case 1: return simpleWrite()
        case 2: return extendedRead()
        case 3: return extendedWrite(flushes: roll(2) == 0)
        case 4: return prepared(by: player)
        case 5: return failing()
        case 6: return transaction(commits: roll(2) == 0)
        case 7: return readOnlyTransaction()
        case 8: return copyIn()
        case 9: return failingCopy()
        case 10: return setting()
        default: return failingPrepare()
        }
    }

    private mutating func simpleRead() -> Exchange {
        let value = value()
        return Exchange(messages: [.query("SELECT \(value)")], kinds: "TDCZ", rows: [value])
    }

    private mutating func simpleWrite() -> Exchange {
        let text = "INSERT \(value())"
        return Exchange(messages: [.query(text)], kinds: "CZ", writes: [text])
    }

    private mutating func extendedRead() -> Exchange {
        let value = value()
        return Exchange(
            messages: Message.extended("SELECT \(value)") + [.sync], kinds: "12TDCZ", rows: [value])
    }

    private mutating func extendedWrite(flushes: Bool) -> Exchange {
        let text = "INSERT \(value())"
        let end: [Message] = flushes ? [.flush, .sync] : [.sync]
        return Exchange(
            messages: Message.extended(text) + end, kinds: "12nCZ", writes: [text])
    }

    /// Few texts, so that clients share them and servers have no room for all.
    private mutating func prepared(by player: Player) -> Exchange {
        let value = "shared\(roll(6))"
        let end: Message = roll(2) == 0 ? .flush : .sync
        return Exchange(
            messages: [
                .parse("SELECT \(value)", as: "s"), .describe(statement: "s"), end,
                .bind("s"), .execute(), .sync, .close(statement: "s"), .sync,
            ], kinds: end == .sync ? "1tTZ2DCZ3Z" : "1tT2DCZ3Z", rows: [value])
    }

    private mutating func failing() -> Exchange {
        let write = "INSERT \(value())"
        return Exchange(
            messages: Message.extended(write) + Message.extended("SELECT 1/0")
                + Message.extended(write) + [.sync],
            kinds: "12nC12TEZ", errors: ["22012"])
    }

    private mutating func failingPrepare() -> Exchange {
        Exchange(
            messages: [.parse("SELEC", as: "f"), .describe(statement: "f"), .flush, .bind("f")]
                + [.execute(), .sync],
            kinds: "EZ", errors: ["42601"])
    }

    private mutating func transaction(commits: Bool) -> Exchange {
        let (write, value) = ("INSERT \(value())", value())
        return Exchange(
            messages: [.query("BEGIN"), .query(write)] + Message.extended("SELECT \(value)")
                + [.sync, .query(commits ? "COMMIT" : "ROLLBACK")],
            kinds: "CZCZ12TDCZCZ", rows: [value], writes: commits ? [write] : [])
    }

    private mutating func readOnlyTransaction() -> Exchange {
        let value = value()
        return Exchange(
            messages: [.query("BEGIN READ ONLY"), .query("SELECT \(value)"), .query("COMMIT")],
            kinds: "CZTDCZCZ", rows: [value])
    }

    private mutating func copyIn() -> Exchange {
        let value = value()
        return Exchange(
            messages: [.query("COPY t FROM STDIN"), .copyData(value), .copyDone], kinds: "GCZ",
            writes: ["COPY \(value)"])
    }

    private mutating func failingCopy() -> Exchange {
        Exchange(
            messages: [
                .query("COPY t FROM STDIN"), .copyData("wrong"), .copyData(value()), .copyDone,
            ], kinds: "GEZ", errors: ["22P02"])
    }

    private mutating func setting() -> Exchange {
        let value = value()
        return Exchange(
            messages: [
                .query("SET application_name = '\(value)'"), .query("SHOW application_name"),
            ], kinds: "CZTDCZ", rows: [value], needsSuccess: true)
    }
}
