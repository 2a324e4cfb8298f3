// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing
@testable import ProxyCore

struct UnitPoolTests {
    private let units = UnitPool()

    private func session() -> ClientSession {
        ClientSession(
            id: ConnectionID(slot: 0, generation: 0), peer: "127.0.0.1:5000", route: nil,
            database: DatabaseState(name: "app"), bytes: BytePool(), units: units, now: Instant(0))
    }

    private let sync = UnitMessage(content: .sync, byteCount: 5)

    @Test func `a unit that has ended leaves nothing to the next`() {
        let (first, second) = (session(), session())
        first.unit.started(
            on: Unit.Place(node: NodeID(1), asReplica: true), now: Instant(1))
        first.unit.needs.addOpaque()
        first.unit.messages.append(sync)
        first.unit.replay.routed()
        first.unit.sending.defined(1)
        first.endUnit()
        for session in [first, second] {
            #expect(session.unit.isGathering && session.unit.place == nil)
            #expect(!session.unit.needs.mayCommit)
            #expect(session.unit.messages.byteCount == 0 && !session.unit.messages.isComplete)
            #expect(!session.unit.replay.isRepeatable)
        }
    }

    @Test func `a session that is written to shares its unit with no other`() {
        let (first, second, idle) = (session(), session(), session())
        first.unit.messages.append(sync)
        second.unit.messages.append(UnitMessage(content: .flush, byteCount: 6))
        #expect([first, second, idle].map(\.unit.messages.byteCount) == [5, 6, 0])
        first.endUnit()
        first.unit.messages.append(UnitMessage(content: .execute(portal: 5..<5), byteCount: 10))
        #expect([first, second, idle].map(\.unit.messages.byteCount) == [10, 6, 0])
    }

    @Test func `a unit that had grown large does not stay`() {
        let session = session()
        for _ in 0..<1000 { session.unit.messages.append(sync) }
        #expect(session.unit.isLarge)
        session.endUnit()
        session.unit.needs.addExecution()
        #expect(!session.unit.isLarge)
    }
}
