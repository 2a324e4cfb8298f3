// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing
@testable import ProxyRuntime

struct ConnectionTableTests {
    private let client = ConnectionID(slot: 4, generation: 1)
    private let a = ConnectionID(slot: 0, generation: 9)
    private let b = ConnectionID(slot: 2, generation: 3)

    private func table() -> ConnectionTable {
        var table = ConnectionTable()
        for id in [client, a, b] { table.occupy(id, socket: .none, state: []) }
        return table
    }

    @Test func `a slot knows its owner by the generation`() {
        var table = table()
        #expect(table.holds(client))
        #expect(!table.holds(ConnectionID(slot: 4, generation: 2)))
        #expect(!table.holds(ConnectionID(slot: 77, generation: 1)))
        _ = table.vacate(client)
        #expect(!table.holds(client))
        table.occupy(ConnectionID(slot: 4, generation: 2), socket: .none, state: .server)
        #expect(table.holds(ConnectionID(slot: 4, generation: 2)))
        #expect(!table.holds(client))
        #expect(table.count == 3)
    }

    @Test func `whoever waits for a receiver goes on when it has drained`() {
        var table = table()
        table.block(a, on: client)
        table.block(b, on: client)
        table.block(b, on: client)
        #expect(table.hasWaiters(client))
        #expect(table.state(of: a).contains(.blocked))
        let woken = [table.nextUnblocked(by: client), table.nextUnblocked(by: client)]
        #expect(Set(woken) == [a, b])
        #expect(table.nextUnblocked(by: client) == nil)
        #expect(!table.hasWaiters(client))
        #expect(!table.state(of: a).contains(.blocked))
    }

    @Test(arguments: [true, false])
    func `one that leaves while it waits does not take the others along`(first: Bool) {
        var table = table()
        table.block(a, on: client)
        table.block(b, on: client)
        _ = table.vacate(first ? b : a)
        #expect(table.nextUnblocked(by: client) == (first ? a : b))
        #expect(table.nextUnblocked(by: client) == nil)
    }

    @Test func `one may wait for its own output`() {
        var table = table()
        table.block(client, on: client)
        #expect(table.hasWaiters(client))
        #expect(table.nextUnblocked(by: client) == client)
        #expect(!table.hasWaiters(client))
        _ = table.vacate(client)
        #expect(table.all == [a, b])
    }
}
