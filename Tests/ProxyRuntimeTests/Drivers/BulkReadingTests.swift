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
        #expect(bulk.begin(id, now: start))
        var now = try #require(bulk.deadline)
        #expect(bulk.visit(now: start).isEmpty)
        // It has just been a stream.
        #expect(bulk.visit(now: now).map(\.isStream) == [true])
        bulk.received(100_000, on: id)
        now = try #require(bulk.deadline)
        #expect(bulk.visit(now: now).map(\.isStream) == [true])
        bulk.received(100, on: id)
        now = try #require(bulk.deadline)
        #expect(bulk.visit(now: now).map(\.isStream) == [false])
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
