// SPDX-License-Identifier: Apache-2.0

import Testing
@testable import ProxyCore

struct SessionNumberTests {
    @Test(arguments: [1, 2, 3, 7, 128])
    func `a number says where the session is`(shards: Int) {
        for shard in [0, shards / 2, shards - 1] {
            for slot in [UInt32(0), 1, 999, 130_000] {
                let number = SessionNumber(instance: 93, shard: ShardID(shard), slot: slot)
                let processID = number.processID(shards: shards)
                #expect(Int32(bitPattern: processID) >= 0)
                #expect(SessionNumber(processID: processID, shards: shards) == number)
            }
        }
    }

    @Test func `what was passed on says so, and means the same session`() {
        var number = SessionNumber(instance: 127, shard: ShardID(1), slot: 5)
        number.isForwarded = true
        let processID = number.processID(shards: 2)
        #expect(processID == 0xff00_000b)
        #expect(SessionNumber(processID: processID, shards: 2) == number)
    }

    @Test func `any number names a shard that there is`() {
        var random = SplitMix64(seed: 5)
        for _ in 0..<1000 {
            let processID = UInt32(truncatingIfNeeded: random.next())
            let number = SessionNumber(processID: processID, shards: 3)
            #expect((0..<3).contains(number.shard.index))
        }
    }
}
