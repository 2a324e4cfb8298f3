// SPDX-License-Identifier: Apache-2.0
import ProxyCore
import Testing

/// Which members may be read from, and how much.
@Suite struct ReadableTests {
    @Test func `replicas in step are read from with full weight`() {
        let script = ClusterScript.healthy()
        #expect(script.readable == ["b", "c"])
        #expect(script.node("b")?.weight == 1)
        #expect(script.node("b")?.lagBytes == 0)
        #expect(script.node("b")?.lagTime == .zero)
        #expect(script.node("a")?.exclusion == .notReplica)
    }

    @Test func `positions that sessions wait for are asked for at once, and no more than is useful`() {
        var script = ClusterScript.healthy()
        script.run(milliseconds: 30)
        let count = script.samples.count
        script["b"].position = 2000
        script.notify(.positionsWanted)
        script.run(milliseconds: 3)
        #expect(script.node("b")?.positions.newest?.position == LogPosition(2000))
        script.run(milliseconds: 37) { $0.notify(.positionsWanted) }
        // Three members, each ten milliseconds.
        #expect(script.samples.count - count == 12)
        // One that is down has a schedule of its own.
        script["c"].vanish()
        script.run(milliseconds: 500)
        let before = script.samples.count
        script.run(milliseconds: 40) { $0.notify(.positionsWanted) }
        #expect(script.samples.count - before <= 10)
    }

    @Test(arguments: [
        ("starting", "streaming", .notRunning),
        ("stopped", nil, .notRunning),
        ("running", "in archive recovery", .notStreaming),
    ] as [(String, String?, Topology.Exclusion)])
    func `Patroni's words exclude`(
        state: String, replication: String?, exclusion: Topology.Exclusion
    ) {
        var script = ClusterScript.healthy()
        script.run(milliseconds: 6000)
        script["b"].report?.state = state
        script["b"].report?.replicationState = replication
        script["b"].isStreaming = nil
        script.run(milliseconds: 1500)
        #expect(script.node("b")?.exclusion == exclusion)
        #expect(script.readable == ["c"])
    }

    // Edge cases: 101
    @Test func `a replica that lost its upstream gets no reads while there is one`() {
        var script = ClusterScript.healthy()
        script.run(milliseconds: 6000)
        script["b"].isStreaming = false
        #expect(script.run(until: { $0.readable == ["c"] }) <= 110)
        #expect(script.node("b")?.exclusion == .notStreaming)
    }

    @Test func `tags exclude and weigh`() {
        var script = ClusterScript.healthy()
        script["b"].report?.tags = MemberTags(["noloadbalance": "true"])
        script["c"].report?.tags = MemberTags(["weight": "25"])
        script.run(milliseconds: 1500)
        #expect(script.node("b")?.exclusion == .noLoadBalance)
        #expect(script.node("c")?.weight == 0.25)
        script["c"].report?.tags = MemberTags(["weight": "0"])
        script.run(milliseconds: 1500)
        #expect(script.readable == [])
    }

    @Test func `weight falls with bytes from 1 to 0 at the limit`() {
        var policy = ProxyPolicy()
        policy.routing.maximumLagBytes = 1000
        var script = ClusterScript.healthy(policy: policy)
        script["a"].position = 1250
        script.run(milliseconds: 105)
        #expect(script.node("b").map { abs($0.weight - 0.75) < 0.01 } == true)
        #expect(script.node("b")?.lagBytes == 250)
        script["a"].position = 2000
        script.run(milliseconds: 200)
        #expect(script.node("b")?.exclusion == .lagging)
        #expect(script.node("b")?.weight == 0)
        script["b"].position = 2000
        script.run(milliseconds: 200)
        #expect(script.readable == ["b"])
    }

    @Test func `weight falls with time from 1 to 0 at the limit`() {
        var script = ClusterScript.healthy()
        script.run(milliseconds: 1000)
        script["a"].position = 1001
        script["c"].position = 1001
        script.run(milliseconds: 5000)
        #expect(script.node("b").map { (0.45...0.55).contains($0.weight) } == true)
        script.run(milliseconds: 5200)
        #expect(script.node("b")?.exclusion == .lagging)
        #expect(script.readable == ["c"])
        script["b"].position = 1001
        script.run(milliseconds: 200)
        #expect(script.node("b")?.weight == 1)
    }

    @Test func `the time of a lag is that of the oldest write that is missing`() {
        var script = ClusterScript.healthy()
        // The primary writes all the time; one replica is always three seconds behind.
        for tick in 1...100 as ClosedRange<UInt64> {
            script["a"].position = 1000 + tick * 10
            script["c"].position = 1000 + tick * 10
            script["b"].position = 1000 + (tick > 30 ? tick - 30 : 0) * 10
            script.run(milliseconds: 100)
        }
        let lag = script.node("b")?.lagTime?.milliseconds
        #expect(lag.map { (2800...3300).contains($0) } == true, "\(lag ?? 0)")
        #expect(script.node("c")?.lagTime.map { $0 < .milliseconds(150) } == true)
    }

    @Test func `a lag beyond the memory of one ring is still measured`() {
        var policy = ProxyPolicy()
        policy.routing.maximumLagTime = .seconds(60)
        var script = ClusterScript.healthy(policy: policy)
        for tick in 1...600 as ClosedRange<UInt64> {
            script["a"].position = 1000 + tick * 10
            script["b"].position = 1000 + (tick > 300 ? tick - 300 : 0) * 10
            script.run(milliseconds: 100)
        }
        let lag = script.node("b")?.lagTime?.milliseconds
        #expect(lag.map { (28_000...33_000).contains($0) } == true, "\(lag ?? 0)")
    }

    @Test func `a lag that is older than the watch is not known without the server's word`() {
        var behind = ClusterScript.Member.replica("b")
        behind.position = 500
        var script = ClusterScript([.primary("a"), behind])
        script.run(milliseconds: 1000)
        #expect(script.node("b")?.exclusion == .unknownLag)
        script["b"].replayDelay = .seconds(4)
        script.run(milliseconds: 200)
        #expect(script.readable == ["b"])
        #expect(script.node("b")?.lagTime == .seconds(4))
    }

    // Edge cases: 101
    @Test func `a replica whose server is silent has no known lag`() {
        var script = ClusterScript.healthy()
        script["b"].failure = .timeout
        script.run(milliseconds: 3000)
        #expect(script.node("b")?.exclusion == .unknownLag)
        #expect(script.readable == ["c"])
    }

    @Test func `a primary that tells no positions makes all lags unknown`() {
        var script = ClusterScript.healthy()
        script["a"].failure = .rejected("42501")
        script.run(milliseconds: 6000)
        #expect(script.primaryName == "a")
        #expect(script.node("b")?.exclusion == .unknownLag)
    }

    @Test func `a replica whose Patroni is silent serves on`() {
        var script = ClusterScript.healthy()
        script["b"].report = nil
        script.run(milliseconds: 10_000) { #expect($0.readable == ["b", "c"]) }
    }

    @Test func `a draining member gets no reads at once`() {
        var script = ClusterScript.healthy()
        script.notify(.hinted(.draining(name: "b", true)))
        #expect(script.node("b")?.exclusion == .draining)
        script.notify(.hinted(.draining(name: "b", false)))
        #expect(script.readable == ["b", "c"])
    }

    @Test func `who is told to leave before it is known gets no reads when it is`() {
        var script = ClusterScript.healthy()
        script.notify(.hinted(.draining(name: "d", true)))
        script.members.append(.replica("d"))
        script.run(milliseconds: 3000)
        #expect(script.node("d")?.exclusion == .draining)
        #expect(script.readable == ["b", "c"])
    }

    @Test func `a member of the same name that comes after it has left is another one`() {
        var script = ClusterScript.healthy()
        script.notify(.hinted(.draining(name: "b", true)))
        script["b"].vanish()
        script.unlisted = ["b"]
        script.run(milliseconds: 6000)
        #expect(script.node("b") == nil)
        script.unlisted = []
        script["b"] = .replica("b")
        script.run(milliseconds: 3000)
        #expect(script.readable == ["c", "b"])
    }

    @Test func `that the primary is told to leave takes no write from it`() {
        var script = ClusterScript.healthy()
        script.notify(.hinted(.draining(name: "a", true)))
        script.run(milliseconds: 2000)
        #expect(script.primaryName == "a")
        #expect(script.topology.isDraining(script.node("a")!.id) == false)
    }

    @Test func `hints are questions, asked at once and not more often than is useful`() {
        var script = ClusterScript.healthy()
        script.members.append(.replica("d"))
        script.run(milliseconds: 1000)
        let before = script.probes.count
        #expect(script.node("d") == nil)
        script.notify(.hinted(.membersChanged))
        script.run(milliseconds: 5)
        #expect(script.node("d") != nil)
        script.run(milliseconds: 900)
        let quiet = script.probes.count
        script.run(milliseconds: 20) { $0.notify(.hinted(.primaryMayChange)) }
        #expect(script.probes.count - quiet <= 8 && script.probes.count > quiet)
        #expect(quiet > before)
        // What a hint says is believed by nobody: the primary is who says so itself.
        #expect(script.primaryName == "a")
    }

    @Test func `a member that is no longer listed drains, and is forgotten when it is silent`() {
        var script = ClusterScript.healthy()
        let b = script.node("b")!.id
        script.unlisted = ["b"]
        script.run(milliseconds: 2500)
        #expect(script.node("b")?.exclusion == .draining)
        script["b"].vanish()
        script.run(milliseconds: 4000)
        #expect(script.node("b") == nil)
        #expect(script.forgotten == [b])
        script.unlisted = []
        script["b"] = .replica("b")
        script.run(milliseconds: 3000)
        #expect(script.readable == ["c", "b"])
        #expect(script.node("b")!.id != b, "ids are not used again")
    }

    @Test func `a list without members, or of another cluster, changes nothing`() {
        var script = ClusterScript.healthy()
        script.notify(.discovered(ClusterReport(scope: "demo", members: [])))
        script.notify(
            .discovered(
                ClusterReport(
                    scope: "other",
                    members: [.init(name: "z", host: "z", port: 1, restURL: "http://z")])))
        #expect(script.topology.nodes.map(\.name) == ["a", "b", "c"])
        #expect(script.node("b")?.exclusion == nil)
    }

    @Test func `reads go on when martlet starts without a primary`() {
        var script = ClusterScript([.replica("b"), .replica("c", position: 900)])
        script["c"].replayDelay = .milliseconds(300)
        script.run(milliseconds: 1000)
        #expect(script.primaryName == nil)
        #expect(script.readable == ["b", "c"])
        #expect(script.node("c")?.lagBytes == 100)
    }

    @Test func `positions travel in one snapshot a round, and change no version`() {
        var script = ClusterScript.healthy()
        script.run(milliseconds: 2000)
        let (count, version) = (script.published.count, script.topology.version)
        for tick in 1...20 as ClosedRange<UInt64> {
            for name in ["a", "b", "c"] { script[name].position += tick }
            script.run(milliseconds: 100)
        }
        #expect((18...22).contains(script.published.count - count))
        #expect(script.topology.version == version)
        #expect(script.published.last?[script.topology.primary!]?.positions.isEmpty == false)
    }

    @Test func `a restarted server's positions are forgotten`() {
        var script = ClusterScript.healthy()
        #expect(script.node("b")!.positions.count > 3)
        script["b"].failure = .down("reset")
        script.run(milliseconds: 150)
        #expect(script.node("b")!.positions.isEmpty)
    }
}
