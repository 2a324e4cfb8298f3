// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Synchronization
import Testing
@testable import ProxyRuntime

/// Sends back what it reads, and reports what the loop tells it.
private final class Echo: ShardHandler {
    enum Mail: Sendable {
        case adopt(Socket, ConnectionID)
        case deadline(Instant)
        case say(String)
    }

    private let epoll: EpollSet
    private let events: Events
    private var sockets: [UInt32: Socket] = [:]
    private var deadline: Instant?
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(_ epoll: EpollSet, _ events: Events) {
        self.epoll = epoll
        self.events = events
    }

    func ready(_ id: ConnectionID, _ readiness: SocketReadiness, now: Instant) {
        guard let socket = sockets[id.slot], readiness.contains(.readable) else { return }
        while true {
            let result = unsafe buffer.withUnsafeMutableBytes { unsafe socket.receive(into: $0) }
            guard case .received(let count, let drained) = result else {
                if result != .nothing { sockets.removeValue(forKey: id.slot)?.close() }
                return
            }
            _ = unsafe socket.send(buffer.span.extracting(0..<count).bytes)
            if drained && readiness.isDisjoint(with: .ending) { return }
        }
    }

    func received(_ mail: Mail, now: Instant) {
        switch mail {
        case .adopt(let socket, let id):
            sockets[id.slot] = socket
            try? epoll.add(socket.descriptor, as: id)
        case .deadline(let deadline): self.deadline = deadline
        case .say(let word): events.happened(word)
        }
    }

    func finish(now: Instant) -> Bool {
        if let deadline, deadline <= now {
            self.deadline = nil
            events.happened("deadline")
        }
        return false
    }

    var nextDeadline: Instant? { deadline }

    func stopped() {
        sockets.values.forEach { $0.close() }
        events.happened("stopped")
    }
}

/// What a shard reported, for a test that waits for it.
private final class Events: Sendable {
    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func happened(_ event: String) { continuation.yield(event) }

    func next() async -> String? {
        for await event in stream { return event }
        return nil
    }
}

@Suite(.timeLimit(.minutes(1))) struct ShardTests {
    private let events = Events()
    private let mailbox: Mailbox<Echo.Mail>
    private let shard: Shard<Echo>

    init() throws {
        mailbox = try Mailbox()
        shard = try Shard(id: ShardID(0), mailbox: mailbox) { [events] in Echo($0, events) }
        shard.start()
    }

    private func connect(slot: UInt32) throws -> Peer {
        let (near, far) = try Socket.pair()
        mailbox.post(.adopt(near, ConnectionID(slot: slot, generation: 1)))
        return Peer(far)
    }

    @Test func `bytes come back on every socket of the set`() throws {
        let peers = try (0..<50).map { try connect(slot: $0) }
        for round in 0..<20 {
            for (number, peer) in peers.enumerated() {
                #expect(peer.send([UInt8(number), UInt8(round)]))
            }
            for (number, peer) in peers.enumerated() {
                #expect(peer.receive(2) == [UInt8(number), UInt8(round)])
            }
        }
        peers.forEach { $0.close() }
        shard.stop()
    }

    @Test func `mail wakes an idle shard`() async {
        mailbox.post(.say("one"))
        #expect(await events.next() == "one")
        mailbox.post(.say("two"))
        #expect(await events.next() == "two")
        shard.stop()
    }

    @Test func `a deadline wakes a shard that nothing else wakes`() async {
        mailbox.post(.deadline(MonotonicClock.now + .milliseconds(30)))
        #expect(await events.next() == "deadline")
        mailbox.post(.deadline(MonotonicClock.now + .milliseconds(5)))
        #expect(await events.next() == "deadline")
        shard.stop()
    }

    @Test func `a deadline that moves to an earlier time is kept`() async {
        mailbox.post(.deadline(MonotonicClock.now + .seconds(3600)))
        mailbox.post(.deadline(MonotonicClock.now + .milliseconds(5)))
        #expect(await events.next() == "deadline")
        shard.stop()
    }

    @Test func `stopping closes the sockets, delivers the last mail and tells`() async throws {
        let peer = try connect(slot: 3)
        #expect(peer.send([9]))
        #expect(peer.receive(1) == [9])
        shard.stop { [events] in events.happened("completed") }
        #expect(await events.next() == "stopped")
        #expect(await events.next() == "completed")
        #expect(peer.hasEnded)
        peer.close()
    }
}
