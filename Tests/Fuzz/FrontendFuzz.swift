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
        let cut: Chunking.Cut = options & 32 == 0 ? .random : .single
        let parts = Play(options, Chunking(cut, seed: seed)).run(stream)
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
        world.finishAll()
        client.reads = true
        world.finishAll()
        let answers = client.takeMessages().map { "\($0.asBackend)" }
        let isOpen = !client.hasEnded
        world.checkAnswer(of: client, to: stream)
        if !client.hasEnded { client.leave() }
        world.checkNextClient()
        return isOpen ? answers : nil
    }
}
