// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing
@testable import ProxyRuntime

struct BulkReadingTests {
    private let id = ConnectionID(slot: 3, generation: 1)
    private let start = Instant(1_000_000_000)

    @Test func `a long stream is looked at from time to time until it is a trickle`() throws {
        var bulk = BulkReading()
        #expect(bulk.deadline == nil)
        let hasBegun = bulk.begin(id, now: start)
        #expect(hasBegun)
        let early = bulk.visit(now: start)
        #expect(early.isEmpty)
        // It has just been a stream, goes on being one, and then is none any more.
        for (count, isStream) in [(0, true), (100_000, true), (100, false)] {
            bulk.received(count, on: id)
            let visited = bulk.visit(now: try #require(bulk.deadline))
            #expect(visited.map(\.isStream) == [isStream])
        }
        bulk.end(id)
        #expect(bulk.deadline == nil)
    }

    @Test func `there are only so many`() {
        var bulk = BulkReading()
        let begun = (0..<100).filter {
            bulk.begin(ConnectionID(slot: UInt32($0), generation: 0), now: start)
        }
        #expect(begun.count == 64)
    }
}
