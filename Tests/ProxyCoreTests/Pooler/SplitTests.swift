// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// TCP knows no messages: wherever the bytes are cut, everybody gets the same.
struct SplitTests {
    /// What everybody heard of a scenario, each by itself.
    private func play(
        _ scenario: Scenario, _ chunking: Chunking = Chunking(), coalesced: Bool = false
    ) -> [String] {
        let world = scenario.world(chunking)
        world.coalesces = coalesced
        scenario.play(world)
        world.run()
        #expect(world.servers.allSatisfy { !$0.isTorn || !world.isOpen($0) })
        let clients = world.clients.flatMap { client in
            var stream = client.transcript
            // The answer to an SSLRequest is no message.
            if stream.first == UInt8(ascii: "N") { stream.removeFirst() }
            return Message.take(from: &stream).map { "\(client.name): \($0.asBackend)" }
                + ["\(client.name): \(stream)"]
        }
        let servers = world.servers.sorted { $0.name < $1.name }.flatMap { server in
            // Which of these a COPY makes void depends on when they come.
            server.heard.filter { !scenario.isTimed || !"HS".contains($0.kind) }
                .map { "\(server.name): \($0.asFrontend)" }
        }
        return clients + (scenario.isTimed && coalesced ? [] : servers)
    }

    /// Names the first difference.
    private func compare(_ heard: [String], _ whole: [String], _ comment: Comment? = nil) {
        let difference = zip(heard + ["nothing more"], whole + ["nothing more"])
            .first { $0 != $1 }
        #expect(difference?.0 == difference?.1, comment)
    }

    private static let short = Scenario.all.filter { !$0.isLong }

    @Test(arguments: short) func `byte by byte`(scenario: Scenario) {
        compare(play(scenario, Chunking(.single)), play(scenario))
    }

    @Test(arguments: Scenario.all) func `in random pieces`(scenario: Scenario) {
        let whole = play(scenario)
        for seed in 0..<(scenario.isLong ? 2 : 30) as Range<UInt64> {
            compare(play(scenario, Chunking(.random, seed: seed)), whole, "seed \(seed)")
        }
    }

    @Test(arguments: Scenario.all) func `many messages at once`(scenario: Scenario) {
        let whole = play(scenario, coalesced: true)
        if !scenario.isTimed { compare(whole, play(scenario)) }
        for seed in 0..<(scenario.isLong ? 2 : 30) as Range<UInt64> {
            let heard = play(scenario, Chunking(.random, seed: seed), coalesced: true)
            compare(heard, whole, "seed \(seed)")
        }
    }
}
