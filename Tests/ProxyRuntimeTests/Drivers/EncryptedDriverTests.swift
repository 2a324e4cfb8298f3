// SPDX-License-Identifier: Apache-2.0

import Logging
import ProxyConfiguration
import ProxyCore
import Testing
@testable import ProxyRuntime

/// As `PoolerDriverTests`, with TLS towards the client and towards the server.
@Suite(.timeLimit(.minutes(5))) struct EncryptedDriverTests {
    private let files: TestCertificates
    private let server: FakePostgres
    private let store: TLSStore
    private let trusting: TLSContext
    private var policy = ProxyPolicy()

    init() throws {
        files = try TestCertificates()
        try files.makeAuthority()
        try files.make("server")
        let pair = TLSFiles(certificate: files.path("server.crt"), key: files.path("server.key"))
        var client = ClientTLSSettings()
        client.files = pair
        server = try FakePostgres(tls: TLSContext(forClients: client, asksForCertificate: false))
        var settings = TLSStore.Settings(clientMode: .require, client: client)
        settings.server.mode = .verifyFull
        settings.server.files = TLSFiles(authority: files.path("ca.crt"))
        store = try TLSStore(
            settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        trusting = try TLSContext(forServers: settings.server)
        policy.authentication.method = .trust
        policy.authentication.encryption.mode = .require
    }

    private func start(
        shards: Int = 1, _ change: (inout ProxyPolicy) -> Void = { _ in },
        server: FakePostgres? = nil
    ) throws -> (ShardGroup, SocketAddress) {
        var policy = policy
        change(&policy)
        let group = try ShardGroup(
            count: shards, policy: policy,
            rules: LoginRules(
                policy: policy.authentication, processKey: [UInt8](repeating: 1, count: 32)),
            topology: (server ?? self.server).topology,
            host: ShardHost(lookUpSecret: { _, _, answer in
                answer(.absent(fetchedAt: MonotonicClock.now))
            }), tls: store, randomSeed: 7)
        let addresses = try group.listen(.init(address: HostAndPort(host: "127.0.0.1", port: 0)))
        return (group, try #require(addresses.first))
    }

    private static let sslRequest = Wire.int32(8) + Wire.int32(80_877_103)
    private static let startup: [UInt8] = {
        let body = Wire.int32(196_608) + Wire.text("user", "app", "database", "shop") + [0]
        return Wire.int32(body.count + 4) + body
    }()

    private func logIn(
        _ address: SocketAddress, isDirect: Bool = false
    ) throws -> (peer: Peer, key: [UInt8]) {
        var peer = try Peer(connectingTo: address)
        if !isDirect {
            #expect(peer.send(Self.sslRequest))
            #expect(peer.receive(1) == Array("S".utf8))
        }
        try #require(try peer.secure(trusting, host: "localhost"))
        #expect(peer.send(Self.startup))
        let greeting = peer.receiveMessages(through: "Z")
        #expect(greeting.last?.kind == "Z")
        return (peer, try #require(greeting.first { $0.kind == "K" }).body)
    }

    private func ask(_ peer: Peer, rows: Int) {
        #expect(peer.send(Wire.message("Q", Wire.text("SELECT \(rows)"))))
    }

    private func waitForFailedConnect(_ group: ShardGroup) async {
        var errors = 0
        while errors == 0 && !Task.isCancelled {
            errors = await group.statistics()?.first?.counters[node: NodeID(0)].connectErrors ?? 0
        }
    }

    private func end(_ group: ShardGroup) async {
        await group.stop()
        server.stop()
    }

    @Test(arguments: [false, true])
    func `a client gets its rows whole`(isDirect: Bool) async throws {
        let (group, address) = try start()
        let (peer, _) = try logIn(address, isDirect: isDirect)
        for rows in [1, 0, 3000, 1] {
            ask(peer, rows: rows)
            let answer = peer.receiveMessages(through: "Z")
            #expect(answer.map(\.kind) == ["T"] + [Character](repeating: "D", count: rows) + ["C", "Z"])
        }
        let statistics = await group.statistics()?.first
        #expect(statistics?.counters.encryptedClients == 1)
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
        let (group, address) = try start(shards: 2, { $0.pools.standard.size = 1 })
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
        // Fewer logins than turns: the server went from shard to shard, session and all.
        #expect((1..<30).contains(logins))
    }

    @Test func `a cancel request goes to the server in TLS`() async throws {
        let (group, address) = try start()
        let (slow, key) = try logIn(address)
        ask(slow, rows: 60_000)
        var statistics = LoopCounters()
        while statistics.blocks == 0 && !Task.isCancelled {
            statistics = await group.loopStatistics()
        }

        var canceller = try Peer(connectingTo: address)
        try #require(try canceller.secure(trusting, host: "localhost"))
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

    @Test func `a cancel request is passed on to another martlet in TLS`() async throws {
        let (group, address) = try start()
        // Whatever its certificate says.
        let peer = HostAndPort(host: "127.0.0.1", port: server.port)
        group.publish(Peers(found: [peer]) { _ in false })
        var canceller = try Peer(connectingTo: address)
        try #require(try canceller.secure(trusting, host: "localhost"))
        let secret = [UInt8](repeating: 9, count: 32)
        #expect(
            canceller.send(
                Wire.int32(44) + Wire.int32(80_877_102) + Wire.int32(5) + secret))
        #expect(canceller.hasEnded)
        canceller.close()
        let expected = Wire.int32(80_877_102) + [0x80, 0, 0, 5] + secret
        while !server.packets.contains(expected) && !Task.isCancelled { await Task.yield() }
        #expect(server.packets.contains(expected))
        #expect(server.securedCount == 1)
        await end(group)
    }

    @Test func `a endForShutdown is encrypted, too`() async throws {
        let (group, address) = try start()
        let (peer, _) = try logIn(address)
        async let drained: Void = group.drain()
        let words = try await blocking { peer.receiveMessages(through: "E") }
        let text = String(decoding: words.last?.body ?? [], as: UTF8.self)
        #expect(text.contains("C57P01"))
        let hasEnded = try await blocking { peer.hasEnded }
        #expect(hasEnded)
        peer.close()
        await drained
        await end(group)
    }

    @Test func `a client without TLS is refused in clear`() async throws {
        let (group, address) = try start()
        let peer = try Peer(connectingTo: address)
        #expect(peer.send(Self.startup))
        let words = peer.receiveMessages(through: "E")
        let text = String(decoding: words.last?.body ?? [], as: UTF8.self)
        #expect(text.contains("C28000"))
        #expect(peer.hasEnded)
        peer.close()
        await end(group)
    }

    @Test func `a handshake that stalls is ended by the login timeout`() async throws {
        let (group, address) = try start { $0.clients.loginTimeout = .milliseconds(200) }
        let peer = try Peer(connectingTo: address)
        #expect(peer.send(Self.sslRequest))
        #expect(peer.receive(1) == Array("S".utf8))
        // Not a word that it could not understand: only the end.
        #expect(peer.receiveAll().isEmpty)
        peer.close()
        await end(group)
    }

    @Test func `a server that is believed to be another is never logged in at`() async throws {
        try files.makeAuthority("other")
        try files.make("stranger", by: "other")
        var client = ClientTLSSettings()
        client.files = TLSFiles(
            certificate: files.path("stranger.crt"), key: files.path("stranger.key"))
        let stranger = try FakePostgres(
            tls: TLSContext(forClients: client, asksForCertificate: false))
        let (group, address) = try start(server: stranger)
        var peer = try Peer(connectingTo: address)
        try #require(try peer.secure(trusting, host: "localhost"))
        #expect(peer.send(Self.startup))
        await waitForFailedConnect(group)
        #expect(stranger.packets.isEmpty)
        peer.close()
        stranger.stop()
        await end(group)
    }

    @Test func `a server that never answers is given up`() async throws {
        let silent = try Socket.listening(
            on: #require(try SocketAddress.literal(host: "127.0.0.1", port: 0)))
        var topology = server.topology
        topology.nodes[0].port = try #require(SocketAddress.local(of: silent.descriptor)?.port)
        let (group, address) = try start { $0.pools.connectTimeout = .milliseconds(200) }
        group.publish(topology)
        var peer = try Peer(connectingTo: address)
        try #require(try peer.secure(trusting, host: "localhost"))
        #expect(peer.send(Self.startup))
        await waitForFailedConnect(group)
        peer.close()
        silent.close()
        await end(group)
    }
}
