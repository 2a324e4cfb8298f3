// SPDX-License-Identifier: Apache-2.0
import ProxyCore
import Testing

/// The sequences that were measured on real clusters, told again in virtual time.
@Suite struct FailoverTests {
    /// One row: from when on which member says what.
    typealias Row = (at: UInt64, change: (inout ClusterScript) -> Void)

    /// Plays rows (milliseconds from now) and calls `check` after each millisecond.
    private func play(
        _ rows: [Row], for milliseconds: UInt64, on script: inout ClusterScript,
        check: (UInt64, ClusterScript) -> Void
    ) {
        for elapsed in 0..<milliseconds {
            for row in rows where row.at == elapsed { row.change(&script) }
            script.run(milliseconds: 1)
            check(elapsed, script)
        }
    }

    @Test func `a switchover is one pause, through both windows of a false 200`() {
        var script = ClusterScript.healthy()
        let a = script.node("a")!.id
        let rows: [Row] = [
            (357, { $0["a"].failure = .down("57P01"); $0.notify(.doubted(a)) }),
            (360, { $0["a"].report = .of(200, "primary", "stopping") }),
            (2387, { $0["a"].report = .of(503, "demoted", "stopping") }),
            (2469, {
                $0["a"].report = .of(503, "demoted", "stopping", nil)
                $0["b"].report = .of(200, "replica", "running")
            }),
            (2723, {
                $0["b"].promote(timeline: 2)
                // Patroni is 7 ms behind its server.
                $0["b"].report = .of(200, "replica", "running")
            }),
            (2730, { $0["b"].report = .of(200, "primary", "running", 2) }),
        ]
        var lost: UInt64?
        var found: UInt64?
        play(rows, for: 4000, on: &script) { elapsed, script in
            if script.primaryName != "a", lost == nil { lost = elapsed }
            if script.primaryName == "b", found == nil { found = elapsed }
            if elapsed > 365, elapsed < 2723 { #expect(script.primaryName == nil) }
            if elapsed > 365 { #expect(script.primaryName != "a") }
            #expect(script.readable.contains("c"), "reads go on")
        }
        #expect(lost.map { $0 <= 365 } == true)
        #expect(found.map { (2730...2890).contains($0) } == true)
    }

    @Test func `a switchover that only Patroni tells of is seen within one probe`() {
        var script = ClusterScript.healthy()
        script["a"].failure = .rejected("28P01")
        script["b"].failure = .rejected("28P01")
        script["c"].failure = .rejected("28P01")
        script.run(milliseconds: 3000)
        script["a"].report = .of(200, "primary", "stopping")
        #expect(script.run(until: { $0.primaryName == nil }) <= 1100)
        script["a"].report = .of(503, "demoted", "stopping")
        script["b"].report = .of(200, "primary", "running", 2)
        #expect(script.run(until: { $0.primaryName == "b" }) <= 160)
    }

    @Test func `failsafe mode may flap as it likes`() {
        var script = ClusterScript.healthy()
        for round in 0..<50 {
            let status = round % 8 == 0 ? 200 : 503
            script["a"].report = .of(status, "primary", "running", failsafe: true)
            script.run(milliseconds: 137) { #expect($0.primaryName == "a") }
        }
        let version = script.topology.version
        script.run(milliseconds: 2000)
        #expect(script.topology.version == version)
    }

    @Test func `a killed postmaster is restarted in place while Patroni keeps saying 200`() {
        var script = ClusterScript.healthy()
        let rows: [Row] = [
            (10, { $0["a"].failure = .down("connection refused") }),
            (15, { $0["a"].report = .of(200, "primary", "unknown", nil) }),
            (700, { $0["a"].report = .of(200, "primary", "crashed", nil) }),
            (1500, { $0["a"].report = .of(200, "primary", "starting", nil) }),
            (2600, { $0["a"].failure = nil }),
            (2650, { $0["a"].report = .of(200, "primary", "running") }),
        ]
        play(rows, for: 4000, on: &script) { elapsed, script in
            if elapsed > 115, elapsed < 2640 { #expect(script.primaryName == nil) }
            if elapsed > 2810 { #expect(script.primaryName == "a") }
            #expect(script.readable == ["b", "c"])
        }
        #expect(script.topology.timeline == 1)
    }

    @Test func `a lost node is replaced, and comes back as a replica`() {
        var script = ClusterScript.healthy()
        script["a"].vanish()
        #expect(script.run(until: { $0.primaryName == nil }) <= 110)
        script.run(milliseconds: 17_000) {
            #expect($0.primaryName == nil)
            #expect($0.readable == ["b", "c"])
        }
        script["b"].promote(timeline: 2)
        #expect(script.run(until: { $0.primaryName == "b" }) <= 160)
        // The other replica takes two seconds to follow; it serves meanwhile.
        script["c"].isStreaming = false
        script.run(milliseconds: 2000) { #expect($0.readable == ["c"]) }
        script["c"].follow(timeline: 2, position: 2000)
        script["c"].isStreaming = true
        script.run(milliseconds: 6000) { #expect($0.readable == ["c"]) }
        script["a"] = .replica("a", timeline: 2, position: 2000)
        script.run(milliseconds: 3000)
        #expect(script.primaryName == "b")
        #expect(script.readable == ["a", "c"])
    }

    @Test func `a replica that does not follow the new timeline is left out in the end`() {
        var script = ClusterScript.healthy()
        script["a"].vanish()
        script["b"].promote(timeline: 2)
        script.run(milliseconds: 4000)
        #expect(script.readable == ["c"])
        script.run(milliseconds: 3000)
        #expect(script.node("c")?.exclusion == .wrongTimeline)
    }

    @Test func `a killed Patroni leaves the primary until another one has the lock`() {
        var script = ClusterScript.healthy()
        script["a"].report = nil
        script.run(milliseconds: 20_000) { #expect($0.primaryName == "a") }
        script["b"].report = .of(200, "replica", "running")
        #expect(script.run(until: { $0.primaryName == nil }) <= 160)
        script["b"].promote(timeline: 2)
        #expect(script.run(until: { $0.primaryName == "b" }) <= 160)
        // The old one still says that it is a primary: too late.
        script.run(milliseconds: 10_000) { #expect($0.primaryName == "b") }
    }

    @Test func `a doubt is followed by probes of all members until it is cleared up`() {
        var script = ClusterScript.healthy()
        script.run(milliseconds: 2000)
        let before = script.probes.count
        script.notify(.doubted(script.topology.primary!))
        script.run(milliseconds: 5)
        #expect(script.probes.count == before + 3)
        script.run(milliseconds: 895)
        let during = script.probes.count - before
        #expect((15...24).contains(during), "every 150 ms for a second: \(during)")
        script.run(milliseconds: 2000)
        let after = script.probes.count
        script.run(milliseconds: 10_000)
        #expect((27...33).contains(script.probes.count - after), "back to one a second")
    }

    @Test func `a storm of doubts is no storm of probes`() {
        var script = ClusterScript.healthy()
        let before = script.probes.count
        script.run(milliseconds: 1000) {
            $0.notify(.doubted($0.topology.primary ?? NodeID(0)))
        }
        #expect(script.probes.count - before <= 3 * 51)
    }

    @Test func `a member that has been away for long is not asked all the time`() {
        var script = ClusterScript.healthy()
        script["c"].vanish()
        script.run(milliseconds: 60_000)
        let c = script.node("c")!.id
        let before = script.probes.filter { $0.1 == c }.count
        script.run(milliseconds: 10_000)
        #expect(script.probes.filter { $0.1 == c }.count - before <= 11)
        #expect(script.primaryName == "a")
    }
}
