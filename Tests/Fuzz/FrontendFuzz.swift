// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore

/// A byte of options, then what a client that is logged in sends, whatever it is answered.
enum FrontendFuzz {
    static func run(_ input: Input) {
        var input = input
        let options = input.byte()
        let stream = input.rest
        let whole = Play(options, Chunking()).run(stream)
        let seed = stream.reduce(UInt64(options)) { ($0 &+ UInt64($1)) &* 0x9e37_79b9_7f4a_7c15 }
        let parts = Play(options, Chunking(.random, seed: seed)).run(stream)
        // Whoever breaks the protocol or leaves may not hear what was on its way.
        guard let whole, let parts, whole != parts else { return }
        fatalError("it makes a difference where the messages are cut:\n\(whole)\n\(parts)")
    }
}

/// One client of a world, and what must hold of it and of the next one.
private struct Play {
    let world: World
    let client: PlayedClient
    let pendingOutput: Int

    init(_ options: UInt8, _ chunking: Chunking) {
        var policy = ProxyPolicy.test(poolSize: options & 1 == 0 ? 1 : 20)
        policy.pools.preparedStatementsPerServer = 2
        if options & 2 != 0 {
            policy.limits.heldMessages = 300
            policy.limits.statement = 2_500
            policy.limits.pendingOutput = 500
            policy.limits.preparedStatements = 3
        }
        if options & 4 != 0 { policy.pools.standard.mode = .session }
        if options & 8 != 0 { policy.routing.primaryReads = false }
        pendingOutput = policy.limits.pendingOutput
        world = World(policy, chunking: chunking)
        world.trace.isOn = FuzzTarget.isTracing
        client = world.client()
        client.reads = options & 16 == 0
    }

    /// What the client was answered; nil when the connection ended before its last message.
    func run(_ stream: [UInt8]) -> [String]? {
        world.post(stream, from: client)
        finishAll()
        let answers = client.takeMessages().map { "\($0.asBackend)" }
        let isOpen = !client.hasEnded
        checkAnswer(to: stream)
        if !client.hasEnded { client.leave() }
        checkNextClient()
        return isOpen ? answers : nil
    }

    /// Nothing takes for ever: statements end, and what waits is told so.
    private func finishAll() {
        for _ in 0..<3 {
            world.pass(.seconds(1))
            while let server = world.servers.first(where: { $0.isBusy }) {
                server.release()
                world.run()
            }
        }
        client.reads = true
        world.pass(.seconds(31))
        world.pass(.seconds(121))
    }

    /// A client that keeps its connection is answered: it ends what it is in the middle of, and
    /// asks once more.
    private func checkAnswer(to stream: [UInt8]) {
        guard !client.hasEnded, let padding = Self.missing(from: stream) else { return }
        client.send(bytes: padding)
        finishAll()
        client.send(.copyFail("enough"), .sync, .query("ROLLBACK"), .query("SELECT alive"))
        finishAll()
        let answer = client.messages()
        require(
            client.hasEnded || answer.last?.kind == "Z",
            "the client is not answered: \(answer.map(\.asBackend))\(world.report)")
        require(
            client.hasEnded || answer.rows.last == "alive" || !answer.errors.isEmpty,
            "the client got another's answer: \(answer.map(\.asBackend))\(world.report)")
    }

    /// The bytes that complete the last message of a stream; nil where they are too many.
    private static func missing(from stream: [UInt8]) -> [UInt8]? {
        var stream = stream
        _ = Message.take(from: &stream)
        if stream.isEmpty { return [] }
        let header = stream + [UInt8](repeating: 0, count: max(5 - stream.count, 0))
        let length = header[1..<5].reduce(0) { $0 << 8 | Int($1) }
        let count = max(length + 1, 5) - stream.count
        return (0...100_000).contains(count) ? [UInt8](repeating: 0, count: count) : nil
    }

    private func checkNextClient() {
        finishAll()
        let next = world.client()
        let answer = next.ask("INSERT INTO t VALUES (1)")
        require(
            answer.kinds == "CZ",
            "the next client is answered \(answer.map(\.asBackend))\(world.report)")
        next.leave()
        world.pass(.seconds(700))
        require(world.ledger.clients == 0, "a client's place was lost")
        require(world.ledger.servers.values.allSatisfy { $0 == 0 }, "a server's place was lost")
        world.disband()
    }
}
