// SPDX-License-Identifier: Apache-2.0
import ProxyCore
import Testing

/// Who may take writes, by single rules.
@Suite struct WritableTests {
    @Test func `a running primary with the lock takes writes, and the others do not`() {
        let script = ClusterScript.healthy()
        #expect(script.primaryName == "a")
        #expect(script.topology.primaryAbsence == nil)
        #expect(script.node("a")?.role == .primary)
        #expect(script.node("b")?.role == .replica)
        #expect(script.topology.timeline == 1)
    }

    @Test(arguments: [
        (200, "primary", "running", false, false, true),
        (200, "master", "running", false, false, true),
        (200, "primary", "stopping", false, false, false),
        (200, "primary", "starting", false, false, false),
        (200, "replica", "running", false, false, false),
        (200, "demoted", "running", false, false, false),
        (200, "promoted", "running", false, false, false),
        (503, "primary", "running", false, false, false),
        (503, "primary", "running", true, false, true),
        (503, "primary", "running", false, true, true),
        (503, "demoted", "stopping", false, false, false),
        (200, "standby_leader", "running", false, false, false),
    ])
    func `code, role, state, failsafe and pause decide together`(
        status: Int, role: String, state: String, failsafe: Bool, pause: Bool, writable: Bool
    ) {
        var script = ClusterScript([.primary("a")])
        script["a"].report = .of(status, role, state, failsafe: failsafe, pause: pause)
        script.run(milliseconds: 500)
        #expect((script.primaryName == "a") == writable)
    }

    // Edge cases: 95
    @Test func `two primaries on one timeline are none`() {
        var script = ClusterScript([.primary("a"), .primary("b")])
        script.run(milliseconds: 500)
        #expect(script.primaryName == nil)
        #expect(script.topology.primaryAbsence == .rivals)
    }

    @Test func `of two primaries the one on the higher timeline is it`() {
        var script = ClusterScript([.primary("a"), .primary("b", timeline: 2)])
        script.run(milliseconds: 500)
        #expect(script.primaryName == "b")
    }

    @Test func `a timeline that was seen once fences all lower ones for ever`() {
        var script = ClusterScript.healthy()
        script["b"].promote(timeline: 2)
        script.run(milliseconds: 500)
        script["b"].vanish()
        script.run(milliseconds: 10_000)
        #expect(script.primaryName == nil)
        #expect(script.topology.primaryAbsence == .staleTimeline)
        #expect(script.topology.timeline == 2)
    }

    @Test func `a replica's timeline fences a primary that does not know of it`() {
        var script = ClusterScript.healthy()
        script["c"].follow(timeline: 2, position: 2000)
        script.run(milliseconds: 200)
        #expect(script.primaryName == nil)
    }

    @Test func `in pause the holder of the lock is the primary of several`() {
        var script = ClusterScript([.primary("a"), .primary("b")])
        script["a"].report = .of(503, "primary", "running", pause: true)
        script["b"].report = .of(200, "primary", "running", pause: true)
        script.run(milliseconds: 500)
        #expect(script.primaryName == "b")
        #expect(script.topology.isPaused)
        script["b"].report = .of(503, "primary", "running", pause: true)
        script.run(milliseconds: 1500)
        #expect(script.primaryName == nil)
    }

    @Test func `a member of another system is neither primary nor a reason for doubt`() {
        var script = ClusterScript.healthy()
        var stranger = ClusterScript.Member.primary("x", timeline: 9)
        stranger.report?.systemIdentifier = "666"
        stranger.systemIdentifier = "666"
        script.members.append(stranger)
        script.run(milliseconds: 4000)
        #expect(script.node("x")?.exclusion == .wrongSystem)
        #expect(script.primaryName == "a")
        #expect(script.topology.timeline == 1)
    }

    @Test func `a silent Patroni does not end a primary whose server answers`() {
        var script = ClusterScript.healthy()
        script["a"].report = nil
        script.run(milliseconds: 10_000)
        #expect(script.primaryName == "a")
        #expect(script.readable == ["b", "c"])
    }

    @Test func `a silent Patroni ends it when somebody else holds the lock`() {
        var script = ClusterScript.healthy()
        script["a"].report = nil
        script.run(milliseconds: 5000)
        script["b"].report = .of(200, "replica", "running")
        script.run(milliseconds: 300)
        #expect(script.primaryName == nil)
    }

    @Test func `a server that never had Patroni's word is no primary`() {
        var script = ClusterScript([.primary("a")])
        script["a"].report = nil
        script.run(milliseconds: 5000)
        #expect(script.primaryName == nil)
    }

    @Test func `a primary that fell silent on both ways needs Patroni's word again`() {
        var script = ClusterScript.healthy()
        let report = script["a"].report
        script["a"].vanish()
        script.run(milliseconds: 4000)
        #expect(script.primaryName == nil)
        #expect(script.node("a")?.exclusion == .unreachable)
        script["a"].failure = nil
        script.run(milliseconds: 2000)
        #expect(script.primaryName == nil)
        script["a"].report = report
        script.run(milliseconds: 2000)
        #expect(script.primaryName == "a")
    }

    @Test func `a server that refuses connections is no primary until Patroni says that it runs`() {
        var script = ClusterScript.healthy()
        script["a"].report = .of(200, "primary", "crashed")
        script["a"].failure = .down("connection refused")
        let noticed = script.run(until: { $0.primaryName == nil })
        #expect(noticed <= 110, "one lag sample")
        script["a"].report = .of(200, "primary", "running")
        script["a"].failure = nil
        let back = script.run(until: { $0.primaryName == "a" })
        #expect(back <= 210, "one probe in doubt")
    }

    @Test func `a primary that rejects the service account keeps its writes`() {
        var script = ClusterScript.healthy()
        script["a"].failure = .rejected("53300")
        script.run(milliseconds: 5000) { #expect($0.primaryName == "a") }
    }

    @Test func `a primary that is only slow keeps its writes`() {
        var script = ClusterScript.healthy()
        script["a"].failure = .timeout
        script.run(milliseconds: 5000) { #expect($0.primaryName == "a") }
    }

    // Edge cases: 95
    @Test func `a server in recovery is no primary whatever Patroni said before`() {
        var script = ClusterScript.healthy()
        script.run(milliseconds: 300)
        script["a"].isInRecovery = true
        script["a"].report = .of(503, "demoted", "running")
        let noticed = script.run(until: { $0.primaryName == nil })
        #expect(noticed <= 110)
    }

    @Test func `a standby cluster has no primary, no doubt, and serves reads`() {
        var script = ClusterScript([.replica("a"), .replica("b")])
        script["a"].report = .of(503, "standby_leader", "running")
        script.run(milliseconds: 3000)
        #expect(script.topology.isStandbyCluster)
        #expect(script.topology.primaryAbsence == .standbyCluster)
        #expect(script.readable == ["a", "b"])
        let before = script.probes.count
        script.run(milliseconds: 10_000)
        #expect(script.probes.count - before <= 22)
    }

    @Test func `Patroni 3_0_2 with its own words and without a replication state works`() {
        var script = ClusterScript([.primary("a"), .replica("b")])
        script["a"].report = .of(200, "master", "running")
        script["b"].report?.replicationState = nil
        script.run(milliseconds: 500)
        #expect(script.primaryName == "a")
        #expect(script.readable == ["b"])
    }
}
