// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore

/// A byte of options, then what a client sends first.
enum StartupFuzz {
    static func run(_ input: Input) {
        var input = input
        let options = input.byte()
        let stream = input.rest
        checkPacket(stream)
        checkOptions(stream)
        let whole = play(stream, Chunking(), asksForPassword: options & 1 != 0)
        let single = play(stream, Chunking(.single), asksForPassword: options & 1 != 0)
        // Whoever does not wait for the answer to a request for encryption is refused.
        if !mentionsEncryption(stream) {
            require(whole == single, "it makes a difference where the packets are cut")
        }
    }

    /// What a client is sent until it is in, or out, or time is up; its key left out.
    private static func play(
        _ stream: [UInt8], _ chunking: Chunking, asksForPassword: Bool
    ) -> [UInt8] {
        var policy = ProxyPolicy.test
        policy.authentication.method = asksForPassword ? .scramSHA256 : .trust
        let world = World(policy, chunking: chunking)
        let client = world.connect()
        client.send(bytes: stream)
        let isIn = !client.transcript.ranges(of: Message.ready().bytes).isEmpty
        world.pass(.seconds(61))
        require(isIn || client.hasEnded, "a client is neither in nor out when time is up")
        if !client.hasEnded { client.leave() }
        require(world.ledger.clients.values.allSatisfy { $0 == 0 }, "a client's place was lost")
        // Servers that are idle hold on to their pools.
        world.pass(.seconds(700))
        world.disband()
        return client.transcript
    }

    private static func mentionsEncryption(_ stream: [UInt8]) -> Bool {
        [80_877_103, 80_877_104].contains { code in
            !stream.ranges(of: Message.int32(code)).isEmpty
        }
    }

    private static func checkPacket(_ stream: [UInt8]) {
        guard let packet = try? unsafe StartupPacket(body: stream.span.bytes) else { return }
        var queue = ByteQueue(pool: BytePool())
        packet.append(to: &queue)
        let written = queue.unread.copy(4..<queue.count)
        let again = try? unsafe StartupPacket(body: written.span.bytes)
        require(again == packet, "a startup packet does not survive writing")
        if case .startup(let message) = packet, let options = message.options {
            checkOptions(options)
        }
    }

    private static func checkOptions(_ options: [UInt8]) {
        let words = StartupOptions.split(options)
        require(
            words.contains([]) || StartupOptions.split(StartupOptions.join(words)) == words,
            "options do not survive joining")
        _ = try? StartupOptions.settings(in: options)
    }
}
