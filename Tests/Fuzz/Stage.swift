// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore

/// Two clients and a cluster that does what an input says.
struct Stage {
    private let world: World
    private var clients: [PlayedClient]
    /// All that each of them sent.
    private var streams: [[UInt8]] = [[], []]
    private var timeline: UInt32 = 1

    init(options: UInt8) {
        var policy = ProxyPolicy.test(poolSize: options & 1 == 0 ? 1 : 2)
        policy.pools.preparedStatementsPerServer = 2
        if options & 2 != 0 {
            policy.limits.heldMessages = 300
            policy.limits.statement = 2_500
            policy.limits.pendingOutput = 500
        }
        if options & 4 != 0 { policy.pools.standard.mode = .session }
        if options & 8 != 0 { policy.pools.serversPerNode = 1 }
        let chunking =
            options & 16 == 0 ? Chunking() : Chunking(.random, seed: UInt64(options))
        world = World(policy, chunking: chunking)
        world.coalesces = true
        world.trace.isOn = FuzzTarget.isTracing
        clients = [world.client(), world.client()]
    }

    // MARK: Steps

    mutating func step(_ input: inout Input) {
        let (kind, argument) = (input.byte(), Int(input.byte()))
        switch kind % 12 {
        case 0: post(Self.requests[argument / 2 % Self.requests.count].bytes, argument)
        case 1: server(argument)?.output += Self.answers[argument / 4 % Self.answers.count]
        case 2: server(argument)?.output += input.block()
        case 3: post(input.block(), argument)
        case 4: world.runPart(steps: argument)
        case 5: world.pass(.milliseconds(UInt64(argument) * UInt64(argument) * 2), in: argument)
        case 6: kill(argument)
        case 7: changeTopology(argument)
        case 8: play(argument)
        case 9: client(argument).map { world.requestCancel(of: $0) }
        case 10: replaceClient(argument)
        default: server(argument).map { $0.release(cancelled: argument & 128 != 0) }
        }
    }

    private func client(_ argument: Int) -> PlayedClient? {
        let client = clients[argument % clients.count]
        return client.hasEnded ? nil : client
    }

    /// One of the four newest connections.
    private func server(_ argument: Int) -> ModelServer? {
        let open = world.servers.suffix(8).filter(world.isOpen)
        return open.isEmpty ? nil : open[argument % 4 % open.count]
    }

    private mutating func post(_ bytes: [UInt8], _ argument: Int) {
        guard let client = client(argument) else { return }
        streams[argument % clients.count] += bytes
        world.post(bytes, from: client)
    }

    private func kill(_ argument: Int) {
        guard let server = server(argument) else { return }
        switch argument / 4 % 6 {
        case 0: world.cut(server)
        case 1: server.die()
        case 2: server.die("57P01")
        case 3: server.die("40001")
        case 4: server.die("25P03")
        default: server.die("57P03")
        }
    }

    private mutating func changeTopology(_ argument: Int) {
        switch argument % 4 {
        case 0: world.change(.test(primary: nil, timeline: timeline))
        case 1:
            timeline += 1
            world.change(.test(primary: argument / 4 % 3, timeline: timeline))
        case 2: world.change(.test(primary: argument / 4 % 3, timeline: timeline))
        // What the cluster believes and what a node says of itself are two things.
        default: world.nodes[argument / 4 % 3].isStandby = argument & 128 != 0
        }
    }

    private func play(_ argument: Int) {
        switch argument % 8 {
        case 0: world.mutesServers = argument & 128 != 0
        case 1: server(argument / 8)?.isMute = argument & 128 != 0
        case 2: server(argument / 8)?.isDelayed = argument & 128 != 0
        case 3: client(argument / 8)?.reads = argument & 128 != 0
        case 4: world.holdsCancels = argument & 128 != 0
        case 5: world.deliverCancels()
        case 6: world.nodes[0].refusesBegin = argument & 128 != 0
        default: world.coalesces = argument & 128 != 0
        }
    }

    private mutating func replaceClient(_ argument: Int) {
        let index = argument % clients.count
        if !clients[index].hasEnded { clients[index].leave() }
        clients[index] = world.client()
        streams[index] = []
    }

    // MARK: The end

    /// The servers are sane again: whoever has kept his connection is served, and nothing is lost.
    mutating func end() {
        heal()
        for (client, stream) in zip(clients, streams) {
            world.checkAnswer(of: client, to: stream)
        }
        for client in clients where !client.hasEnded { client.leave() }
        world.checkNextClient()
    }

    private mutating func heal() {
        world.mutesServers = false
        world.nodes[0].refusesBegin = false
        world.deliverCancels()
        clients.forEach { $0.reads = true }
        for server in world.servers where world.isOpen(server) { world.cut(server) }
        for (index, node) in world.nodes.enumerated() { node.isStandby = index != 0 }
        world.change(.test(primary: 0, timeline: timeline + 1))
        world.finishAll()
    }
}
