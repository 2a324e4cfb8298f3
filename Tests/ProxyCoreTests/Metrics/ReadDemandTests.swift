// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

struct ReadDemandTests {
    private static func at(_ seconds: Double) -> Instant {
        Instant(1_000_000_000_000 + UInt64(seconds * 1e9))
    }

    @Test func `one unit that executes all the time is a demand of one`() {
        var demand = ReadDemand(now: Self.at(0))
        demand.began(now: Self.at(0))
        #expect(demand.average(now: Self.at(10)) == 1)
        #expect(demand.average(now: Self.at(60)) == 1)
        #expect(demand.average(now: Self.at(6000)) == 1)
    }

    @Test func `arrival rate times time in system is the demand`() {
        // 10 a second, each 250 ms long: 2.5 at a time.
        var demand = ReadDemand(now: Self.at(0))
        let begins = (0..<1200).map { (Double($0) / 10, true) }
        let ends = begins.map { ($0.0 + 0.25, false) }
        for (time, begins) in (begins + ends).sorted(by: { $0.0 < $1.0 }) where time < 120 {
            if begins {
                demand.began(now: Self.at(time))
            } else {
                demand.ended(now: Self.at(time))
            }
        }
        #expect(abs(demand.average(now: Self.at(120)) - 2.5) < 0.01)
    }

    @Test func `what lives shorter than any sampling interval is counted in full`() {
        var demand = ReadDemand(now: Self.at(0))
        for millisecond in 0..<60_000 {
            let start = Double(millisecond) / 1000
            demand.began(now: Self.at(start))
            demand.ended(now: Self.at(start + 0.0005))
        }
        #expect(abs(demand.average(now: Self.at(60)) - 0.5) < 0.001)
    }

    @Test func `load leaves the window after a minute`() {
        var demand = ReadDemand(now: Self.at(0))
        for _ in 0..<60 { demand.began(now: Self.at(100)) }
        for _ in 0..<60 { demand.ended(now: Self.at(101)) }
        #expect(abs(demand.average(now: Self.at(110)) - 1) < 0.02)
        #expect(abs(demand.average(now: Self.at(159.9)) - 1) < 0.02)
        #expect(demand.average(now: Self.at(161)) == 0)
    }

    @Test func `a pause longer than the window is filled with the level that held`() {
        var demand = ReadDemand(now: Self.at(0))
        for _ in 0..<3 { demand.began(now: Self.at(1)) }
        #expect(demand.average(now: Self.at(10_000.25)) == 3)
        #expect(demand.current == 3)
    }

    @Test func `a first burst is not taken for a lasting load`() {
        var demand = ReadDemand(now: Self.at(0))
        for _ in 0..<100 { demand.began(now: Self.at(0)) }
        #expect(demand.average(now: Self.at(0.1)) == 1)
    }

    @Test func `a clock that seems to go back changes nothing`() {
        var demand = ReadDemand(now: Self.at(5))
        demand.began(now: Self.at(5))
        #expect(demand.average(now: Self.at(20)) == 1)
        demand.began(now: Self.at(19))
        demand.ended(now: Self.at(20))
        #expect(demand.average(now: Self.at(20)) == 1)
    }
}
