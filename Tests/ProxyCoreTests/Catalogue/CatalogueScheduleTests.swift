// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import StatementClassifier
import Testing

struct CatalogueScheduleTests {
    private var schedule = CatalogueSchedule(interval: .seconds(60))
    private var now = Instant(1_000_000_000_000)

    private static func topology(primary: Int?) -> Topology {
        var topology = Topology()
        topology.nodes = [
            Topology.Node(id: NodeID(0), name: "a", host: "a", port: 5432, role: .primary)
        ]
        topology.primary = primary.map { NodeID($0) }
        return topology
    }

    private static func catalogue(_ name: String) -> Catalogue { Catalogue(safeFunctions: [name]) }

    private mutating func happens(_ event: CatalogueSchedule.Event) {
        schedule.notified(event, now: now)
    }

    private mutating func pass(_ span: Instant.Span) { now = now + span }

    private mutating func actions() -> [CatalogueSchedule.Action] {
        var all: [CatalogueSchedule.Action] = []
        while let action = schedule.nextAction(now) { all.append(action) }
        return all
    }

    /// The readings that begin now.
    private mutating func readings() -> [CatalogueSchedule.Reading] {
        actions().compactMap { if case .read(let reading) = $0 { reading } else { nil } }
    }

    /// With a primary, and one database whose catalogue is being read.
    private mutating func begin(_ database: String = "shop") throws -> CatalogueSchedule.Reading {
        happens(.topologyChanged(Self.topology(primary: 0)))
        happens(.needed(database: database))
        return try #require(readings().first)
    }

    @Test mutating func `a database is read from the primary, as soon as there is one`() {
        happens(.needed(database: "shop"))
        happens(.topologyChanged(Self.topology(primary: nil)))
        #expect(actions().isEmpty)
        #expect(schedule.nextDeadline == .distantFuture)
        happens(.topologyChanged(Self.topology(primary: 0)))
        #expect(schedule.nextDeadline == now)
        #expect(readings().map(\.database) == ["shop"])
        #expect(actions().isEmpty)
    }

    @Test mutating func `a snapshot is read again after the interval, and published if it differs`()
        throws
    {
        let first = Self.catalogue("f")
        happens(.read(try begin(), first))
        #expect(actions() == [.publish(first, database: "shop")])
        #expect(schedule.nextDeadline == now + .seconds(60))
        pass(.seconds(60))
        happens(.read(try #require(readings().first), Self.catalogue("f")))
        #expect(actions().isEmpty)
        pass(.seconds(60))
        let other = Self.catalogue("g")
        happens(.read(try #require(readings().first), other))
        #expect(actions() == [.publish(other, database: "shop")])
    }

    @Test mutating func `one that is out of date is read at once, but not more than once a second`()
        throws
    {
        happens(.read(try begin(), Self.catalogue("f")))
        _ = actions()
        happens(.outdated(database: "shop"))
        #expect(actions().isEmpty)
        #expect(schedule.nextDeadline == now + .seconds(1))
        pass(.seconds(10))
        happens(.outdated(database: "shop"))
        #expect(readings().count == 1)
        happens(.outdated(database: "never needed"))
        #expect(actions().isEmpty)
    }

    @Test mutating func `a change amid a reading has it read again`() throws {
        let reading = try begin()
        happens(.outdated(database: "shop"))
        happens(.read(reading, Self.catalogue("f")))
        _ = actions()
        #expect(schedule.nextDeadline == now + .seconds(1))
    }

    @Test mutating func `failures wait for longer each time, and the first of them is told`()
        throws
    {
        var reading = try begin()
        for (index, pause) in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
            .enumerated()
        {
            happens(.failed(reading, reason: "no"))
            #expect(actions() == (index == 0 ? [.warn(database: "shop", reason: "no")] : []))
            #expect(schedule.nextDeadline == now + .milliseconds(UInt64(pause)))
            now = schedule.nextDeadline
            reading = try #require(readings().first)
        }
        happens(.read(reading, Self.catalogue("f")))
        #expect(actions().count == 1)
        pass(.seconds(60))
        happens(.failed(try #require(readings().first), reason: "again"))
        #expect(actions() == [.warn(database: "shop", reason: "again")])
    }

    @Test mutating func `two are read at a time`() throws {
        happens(.topologyChanged(Self.topology(primary: 0)))
        for name in ["c", "b", "a"] {
            happens(.needed(database: name))
            pass(.milliseconds(1))
        }
        let under = readings()
        #expect(under.map(\.database) == ["c", "b"])
        #expect(schedule.nextDeadline == .distantFuture)
        happens(.read(under[1], Self.catalogue("f")))
        #expect(readings().map(\.database) == ["a"])
    }

    @Test mutating func `beyond the capacity the database that was needed first is dropped`()
        throws
    {
        let reading = try begin("d0")
        pass(.milliseconds(1))
        for index in 1..<CatalogueSchedule.capacity {
            happens(.needed(database: "d\(index)"))
            pass(.milliseconds(1))
        }
        happens(.read(reading, Self.catalogue("f")))
        let second = try #require(readings().first)
        happens(.needed(database: "one more"))
        #expect(actions().contains(.publish(nil, database: "d0")))
        happens(.needed(database: "another"))
        #expect(actions().contains(.abandon(second)))
        // What comes of it nevertheless is nobody's.
        happens(.read(second, Self.catalogue("f")))
        #expect(!actions().contains { if case .publish = $0 { true } else { false } })
    }

    @Test mutating func `after the end nothing is read`() throws {
        let reading = try begin()
        happens(.stopped)
        #expect(actions() == [.abandon(reading)])
        happens(.read(reading, Self.catalogue("f")))
        happens(.needed(database: "shop"))
        #expect(actions().isEmpty)
    }
}
