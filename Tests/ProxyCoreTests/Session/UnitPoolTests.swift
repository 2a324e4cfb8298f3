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

    @Test func `a unit that has ended leaves nothing to the next`() {
        let (first, second) = (session(), session())
        first.unit.phase = .running
        first.unit.hasCommand = true
        first.unit.parsedNames = [1, 2]
        first.endUnit()
        #expect(first.unit.phase == .gathering && !first.unit.hasCommand)
        second.unit.gathered = 5
        #expect(second.unit.phase == .gathering && !second.unit.hasCommand)
        #expect(second.unit.parsedNames.isEmpty)
    }

    @Test func `a session that is written to shares its unit with nobody`() {
        let (first, second, idle) = (session(), session(), session())
        first.unit.gathered = 1
        second.unit.gathered = 2
        #expect([first, second, idle].map(\.unit.gathered) == [1, 2, 0])
        first.endUnit()
        first.unit.gathered = 3
        #expect([first, second, idle].map(\.unit.gathered) == [3, 2, 0])
    }

    @Test func `a unit that had grown large does not stay`() {
        let session = session()
        session.unit.parsedNames = Array(repeating: 1, count: 1000)
        session.endUnit()
        session.unit.gathered = 1
        #expect(session.unit.parsedNames.capacity == 0)
    }
}
