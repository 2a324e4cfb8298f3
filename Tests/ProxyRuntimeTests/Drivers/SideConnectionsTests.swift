// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing
@testable import ProxyRuntime

struct SideConnectionsTests {
    private let epoll: EpollSet
    private let id = ConnectionID(slot: 1, generation: 2)
    private let start = Instant(1_000)

    init() throws { epoll = try EpollSet() }

    /// A cancel request that is ready to be connected.
    private func begin(
        _ side: inout SideConnections, of server: ConnectionID, packet: [UInt8]
    ) throws -> (ConnectionID, SideConnections.Cancel) {
        let isTaken = side.enqueue(.init(server: server, host: "h", port: 1, packet: packet))
        #expect(isTaken)
        let begun = side.beginCancel(now: start)
        return try #require(begun)
    }

    /// Lets events happen until there are none left; local sockets tell at once.
    @discardableResult
    private func settle(_ side: inout SideConnections) -> [ConnectionID] {
        var cancelled: [ConnectionID] = []
        while case let count = epoll.wait(milliseconds: 50), count > 0 {
            for index in 0..<count {
                let outcome = side.ready(
                    epoll.id(at: index), epoll.readiness(at: index), epoll: epoll)
                if case .cancelled(let server) = outcome { cancelled.append(server) }
            }
        }
        return cancelled
    }

    @Test func `a endForShutdown is sent whole, then the writing side is shut, then the peer leaves`()
        throws
    {
        var side = SideConnections(ShardTLS(TLSStore()))
        let (near, far) = try Socket.pair()
        try epoll.add(near.descriptor, as: id)
        side.bidFarewell(id, Channel(near), unsent: Array("goodbye".utf8), now: start)
        let peer = Peer(far)
        // What it still says is read and dropped.
        #expect(peer.send([1, 2, 3]))
        settle(&side)
        #expect(peer.receiveAll() == Array("goodbye".utf8))
        #expect(side.count == 1)
        peer.close()
        settle(&side)
        #expect(side.isEmpty)
    }

    @Test func `a client that does not leave is cut off at its deadline`() throws {
        var side = SideConnections(ShardTLS(TLSStore()))
        let (near, far) = try Socket.pair()
        side.bidFarewell(id, Channel(near), unsent: [], now: start)
        let deadline = start + SideConnections.farewellTime
        #expect(side.nextDeadline == deadline)
        #expect(side.expireNext(now: start) == nil)
        #expect(side.expireNext(now: deadline) == .unchanged)
        #expect(side.expireNext(now: deadline) == nil)
        #expect(side.isEmpty)
        #expect(side.nextDeadline == nil)
        #expect(Peer(far).hasEnded)
    }

    @Test func `a client that goes on sending is cut off`() throws {
        var side = SideConnections(ShardTLS(TLSStore()))
        let (near, far) = try Socket.pair()
        try epoll.add(near.descriptor, as: id)
        side.bidFarewell(id, Channel(near), unsent: [1], now: start)
        let flood = [UInt8](repeating: 0, count: 64 << 10)
        var sent = 0
        while !side.isEmpty && sent < 16 << 20 {
            if case .sent(let count, _) = unsafe far.send(flood.span.bytes) { sent += count }
            settle(&side)
        }
        #expect(side.isEmpty)
        #expect(sent < 16 << 20)
        far.close()
    }

    @Test func `a cancel request is sent and is over when the server closes`() throws {
        var side = SideConnections(ShardTLS(TLSStore()))
        let listener = try Socket.listening(
            on: #require(try SocketAddress.literal(host: "127.0.0.1", port: 0)))
        let address = try #require(SocketAddress.local(of: listener.descriptor))
        let server = ConnectionID(slot: 9, generation: 9)
        let (token, cancel) = try begin(&side, of: server, packet: [1, 2, 3, 4])
        #expect(cancel.server == server)
        #expect(side.resolved(token, .success([address]), epoll: epoll) == .unchanged)
        settle(&side)

        let postmaster = Peer(Socket(descriptor: SocketAddress.accept(from: listener.descriptor).0))
        #expect(postmaster.receive(4) == [1, 2, 3, 4])
        #expect(side.count == 1)
        postmaster.close()
        #expect(settle(&side) == [server])
        listener.close()
    }

    @Test func `a cancel request tries every address and gives up on none left`() throws {
        var side = SideConnections(ShardTLS(TLSStore()))
        let listener = try Socket.listening(
            on: #require(try SocketAddress.literal(host: "127.0.0.1", port: 0)))
        let address = try #require(SocketAddress.local(of: listener.descriptor))
        listener.close()
        let server = ConnectionID(slot: 9, generation: 9)
        let (token, _) = try begin(&side, of: server, packet: [1])
        let outcome = side.resolved(token, .success([address, address]), epoll: epoll)
        let cancelled = settle(&side)
        #expect(outcome == .unchanged)
        #expect(cancelled == [server])
    }

    @Test func `cancel requests beyond the limit wait for a place`() throws {
        var side = SideConnections(ShardTLS(TLSStore()))
        for number in 0...SideConnections.maximumCancels {
            let server = ConnectionID(slot: UInt32(number), generation: 0)
            let isTaken = side.enqueue(.init(server: server, host: "h", port: 1, packet: [1]))
            #expect(isTaken)
        }
        var tokens: [ConnectionID] = []
        while let (token, _) = side.beginCancel(now: start) { tokens.append(token) }
        #expect(tokens.count == SideConnections.maximumCancels)
        let failure = Resolver.Answer.failure(.unresolvable(host: "h", reason: "no"))
        let first = ConnectionID(slot: 0, generation: 0)
        #expect(side.resolved(tokens[0], failure, epoll: epoll) == .cancelled(first))
        let next = side.beginCancel(now: start)
        #expect(next?.1.server.slot == UInt32(SideConnections.maximumCancels))
        let deadline = start + SideConnections.cancelTime
        #expect(side.expireNext(now: deadline) == .cancelled(.init(slot: 1, generation: 0)))
    }

    @Test func `other martlets are asked as far as the limit, for a while`() throws {
        var side = SideConnections(ShardTLS(TLSStore()))
        var tokens: [ConnectionID] = []
        while let token = side.askPeer(host: "h", packet: [1, 2], now: start) {
            tokens.append(token)
        }
        #expect(tokens.count == SideConnections.maximumPeers)
        // They take no place of those who cancel what servers do.
        _ = try begin(&side, of: ConnectionID(slot: 9, generation: 9), packet: [1])
        let failure = Resolver.Answer.failure(.unresolvable(host: "h", reason: "no"))
        #expect(side.resolved(tokens[0], failure, epoll: epoll) == .unchanged)
        let freed = side.askPeer(host: "h", packet: [1], now: start)
        #expect(freed != nil)
        let deadline = start + SideConnections.peerTime
        #expect(side.nextDeadline == deadline)
        while let outcome = side.expireNext(now: deadline) { #expect(outcome == .unchanged) }
        #expect(side.count == 1)
    }
}
