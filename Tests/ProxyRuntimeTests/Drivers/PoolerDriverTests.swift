// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing
@testable import ProxyRuntime

/// The real core on real loopback sockets, with a server that is played.
@Suite(.timeLimit(.minutes(1))) struct PoolerDriverTests {
    private let server: FakePostgres
    private var policy = ProxyPolicy()

    init() throws {
        server = try FakePostgres()
        policy.authentication.method = .trust
    }

    private func start(
        shards: Int = 1, poolSize: Int = 20
    ) throws -> (ShardGroup, SocketAddress) {
        var policy = policy
        policy.pools.standard.size = poolSize
        let group = try ShardGroup(
            count: shards, policy: policy,
            rules: LoginRules(
                policy: policy.authentication, processKey: [UInt8](repeating: 1, count: 32)),
            topology: server.topology,
            host: ShardHost(lookUpSecret: { _, _, answer in
                answer(.absent(fetchedAt: MonotonicClock.now))
            }), randomSeed: 7)
        let addresses = try group.listen(.init(address: HostAndPort(host: "127.0.0.1", port: 0)))
        return (group, try #require(addresses.first))
    }

    /// A client that has logged in, and what it must name to cancel.
    private func logIn(_ address: SocketAddress) throws -> (peer: Peer, key: [UInt8]) {
        let peer = try Peer(connectingTo: address)
        let body = Wire.int32(196_608) + Wire.text("user", "app", "database", "shop") + [0]
        #expect(peer.send(Wire.int32(body.count + 4) + body))
        let greeting = peer.receiveMessages(through: "Z")
        #expect(greeting.first?.kind == "R")
        #expect(greeting.last?.kind == "Z")
        return (peer, try #require(greeting.first { $0.kind == "K" }).body)
    }

    private func ask(_ peer: Peer, rows: Int) {
        #expect(peer.send(Wire.message("Q", Wire.text("SELECT \(rows)"))))
    }

    private func end(_ group: ShardGroup) async {
        await group.stop()
        server.stop()
    }

    @Test func `a client logs in and gets its rows whole`() async throws {
        let (group, address) = try start()
        let (peer, _) = try logIn(address)
        for rows in [1, 0, 3000, 1] {
            ask(peer, rows: rows)
            let answer = peer.receiveMessages(through: "Z")
            #expect(answer.map(\.kind) == ["T"] + [Character](repeating: "D", count: rows) + ["C", "Z"])
            #expect(answer.allSatisfy { $0.kind != "D" || $0.body.count == 6 + 1024 })
        }
        peer.close()
        await end(group)
    }

    @Test func `the end of a long result is not waited for, nor the answer that follows it`()
        async throws
    {
        let (group, address) = try start()
        let (peer, _) = try logIn(address)
        // 12 MB, so that it is read in large pieces to its end.
        for rows in [12_000, 1, 12_000, 12_000, 2] {
            ask(peer, rows: rows)
            #expect(peer.receiveMessages(through: "Z").count == rows + 3)
        }
        peer.close()
        await end(group)
    }

    @Test func `a client that does not read stops its server instead of filling memory`()
        async throws
    {
        let (group, address) = try start()
        let (slow, _) = try logIn(address)
        let rows = 60_000
        ask(slow, rows: rows)
        var statistics = LoopCounters()
        while statistics.blocks == 0 && !Task.isCancelled {
            statistics = await group.loopStatistics()
        }
        // Another client is served meanwhile.
        let (quick, _) = try logIn(address)
        ask(quick, rows: 2)
        #expect(quick.receiveMessages(through: "Z").count == 5)
        statistics = await group.loopStatistics()
        let held = statistics.bytesReceived - statistics.bytesSent
        #expect(held < UInt64(policy.limits.pendingOutput + (1 << 20)))

        #expect(slow.receiveMessages(through: "Z").count == rows + 3)
        slow.close()
        quick.close()
        await end(group)
    }

    @Test func `shards with one server between them lend it to each other`() async throws {
        let (group, address) = try start(shards: 2, poolSize: 1)
        let peers = try (0..<6).map { _ in try logIn(address).peer }
        for _ in 0..<30 {
            peers.forEach { ask($0, rows: 1) }
            for peer in peers {
                #expect(peer.receiveMessages(through: "Z").map(\.kind) == ["T", "D", "C", "Z"])
            }
        }
        peers.forEach { $0.close() }
        let logins = server.packets.count
        await end(group)
        #expect(group.ledger.serverCount(on: NodeID(0)) <= 1)
        #expect(logins >= 1)
    }

    @Test func `a cancel request reaches the server on a connection of its own`() async throws {
        let (group, address) = try start()
        let (slow, key) = try logIn(address)
        ask(slow, rows: 60_000)
        var statistics = LoopCounters()
        while statistics.blocks == 0 && !Task.isCancelled {
            statistics = await group.loopStatistics()
        }

        let canceller = try Peer(connectingTo: address)
        #expect(canceller.send(Wire.int32(16) + Wire.int32(80_877_102) + key))
        #expect(canceller.hasEnded)
        canceller.close()
        let expected = Wire.int32(80_877_102) + Wire.int32(77) + Wire.int32(78)
        while !server.packets.contains(expected) && !Task.isCancelled { await Task.yield() }
        #expect(server.packets.contains(expected))
        #expect(slow.receiveMessages(through: "Z").last?.kind == "Z")
        slow.close()
        await end(group)
    }

    @Test func `draining tells idle clients why and ends when they have left`() async throws {
        let (group, address) = try start(shards: 2)
        let peers = try (0..<4).map { _ in try logIn(address).peer }
        async let drained: Void = group.drain()
        for peer in peers {
            let words = try await blocking { peer.receiveMessages(through: "E") }
            #expect(words.count == 1)
            let text = String(decoding: words.last?.body ?? [], as: UTF8.self)
            #expect(text.contains("C57P01"))
            let hasEnded = try await blocking { peer.hasEnded }
            #expect(hasEnded)
            peer.close()
        }
        await drained
        #expect(group.clientCount == 0)
        #expect(throws: SocketError.self) { try Peer(connectingTo: address) }
        await end(group)
    }

    @Test func `garbage is answered in the protocol and harms nobody else`() async throws {
        let (group, address) = try start()
        let (peer, _) = try logIn(address)
        let vandal = try Peer(connectingTo: address)
        #expect(vandal.send([UInt8](repeating: 0xff, count: 64)))
        let words = vandal.receiveMessages(through: "E")
        #expect(words.last?.kind == "E")
        #expect(vandal.hasEnded)
        vandal.close()
        ask(peer, rows: 1)
        #expect(peer.receiveMessages(through: "Z").count == 4)
        peer.close()
        await end(group)
    }
}
