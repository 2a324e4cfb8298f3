// SPDX-License-Identifier: Apache-2.0

import Dispatch
import ProxyCore
import Synchronization
import Testing

@testable import ProxyRuntime

@Suite(.timeLimit(.minutes(1))) struct ShardPollTests {
    /// What a call ended with, each time it did.
    private final class Endings: Sendable {
        let all = Mutex<[[String?]]>([])
    }

    @Test(arguments: [[0, 1], [1, 0], [1], []])
    func `it ends once, when all have answered or the time is up`(answering: [Int]) {
        let endings = Endings()
        let call = ShardPoll<String>(shards: 2) { answers in
            endings.all.withLock { $0.append(answers) }
        }
        for shard in answering { call.answered(shard, "\(shard)") }
        #expect(endings.all.withLock { $0.count } == (answering.count == 2 ? 1 : 0))
        call.timeIsUp()
        call.answered(0, "late")
        call.timeIsUp()
        let expected = [0, 1].map { answering.contains($0) ? "\($0)" : nil }
        #expect(endings.all.withLock { $0 } == [expected])
    }

    @Test func `a shard that is stuck keeps nobody waiting who asks for it`() async throws {
        let group = try ShardGroup(
            count: 2, policy: ProxyPolicy(),
            rules: LoginRules(
                policy: ProxyPolicy().authentication, processKey: [UInt8](repeating: 1, count: 32)),
            topology: Topology(), host: ShardHost(lookUpSecret: { _, _, _ in }), randomSeed: 1)
        let release = DispatchSemaphore(value: 0)
        let blocked = Blocker(release)
        group.perform { _, _ in blocked.run() }
        // The other one answers sooner or later, the stuck one does not.
        var silent: [Int] = []
        while silent.count != 1 && !Task.isCancelled {
            silent = await group.silentShards(patience: .milliseconds(50))
        }
        release.signal()
        while !silent.isEmpty && !Task.isCancelled { silent = await group.silentShards() }
        #expect(await group.statistics()?.count == 2)
        await group.stop()
    }

    /// Holds up the first shard that comes.
    private final class Blocker: Sendable {
        private let isFirst = Mutex(true)
        private let release: DispatchSemaphore

        init(_ release: DispatchSemaphore) { self.release = release }

        func run() {
            let blocks = isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            if blocks { release.wait() }
        }
    }
}
