// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProxyCore
import Testing

struct AdministrationTests {
    private static func node(
        _ index: Int, _ role: Topology.Role, exclusion: Topology.Exclusion?
    ) -> Topology.Node {
        var node = Topology.Node(
            id: NodeID(index), name: "pg\(index)", host: "10.0.0.\(index)", port: 5432, role: role)
        node.exclusion = exclusion
        return node
    }

    @Test func `the topology document has exactly the documented members`() {
        var topology = Topology()
        topology.version = 12
        topology.timeline = 3
        var primary = Self.node(0, .primary, exclusion: .notReplica)
        primary.state = "running"
        primary.timeline = 3
        var replica = Self.node(1, .replica, exclusion: nil)
        replica.state = "streaming"
        replica.lagBytes = 0
        replica.lagTime = .milliseconds(1500)
        replica.weight = 0.5
        topology.nodes = [primary, replica]
        topology.primary = NodeID(0)
        let expected =
            #"{"version":12,"timeline":3,"primary":"pg0","nodes":["#
            + #"{"name":"pg0","host":"10.0.0.0","port":5432,"role":"primary","state":"running","#
            + #""timeline":3,"eligible":false,"exclusion":"not_replica","weight":0.0,"#
            + #""lag_bytes":null,"lag_seconds":null},"#
            + #"{"name":"pg1","host":"10.0.0.1","port":5432,"role":"replica","state":"streaming","#
            + #""timeline":null,"eligible":true,"exclusion":null,"weight":0.5,"#
            + #""lag_bytes":0,"lag_seconds":1.5}]}"# + "\n"
        #expect(TopologyDocument.text(of: topology) == expected)
    }

    @Test func `an empty topology is a document too`() {
        #expect(
            TopologyDocument.text(of: Topology())
                == #"{"version":0,"timeline":0,"primary":null,"nodes":[]}"# + "\n")
    }

    @Test func `any text survives the way through JSON`() throws {
        let text = "a\"b\\c\n\r\t\u{1}\u{7f}é\u{2028}🐦\u{0}"
        let data = try #require(JSONText.quoted(text).data(using: .utf8))
        let back = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
        #expect(back as? String == text)
    }

    @Test func `a number that JSON cannot say is null`() {
        var json = JSONText()
        json.beginObject()
        json.member("a", Double.nan)
        json.member("b", Double.infinity)
        json.member("c", 0.1)
        json.endObject()
        #expect(json.text == #"{"a":null,"b":null,"c":0.1}"#)
    }

    @Test func `a primary alone makes ready, and so does an eligible replica alone`() {
        var withPrimary = Topology()
        withPrimary.nodes = [Self.node(0, .primary, exclusion: .notReplica)]
        withPrimary.primary = NodeID(0)
        #expect(Readiness(listening: true, draining: false, topology: withPrimary).reasons.isEmpty)
        var withReplica = Topology()
        withReplica.nodes = [Self.node(1, .replica, exclusion: nil)]
        #expect(Readiness(listening: true, draining: false, topology: withReplica).reasons.isEmpty)
    }

    @Test func `a proxy that is not ready says why`() {
        var useless = Topology()
        useless.nodes = [
            Self.node(0, .primary, exclusion: .notReplica),
            Self.node(1, .replica, exclusion: .lagging),
        ]
        let cases: [(Bool, Bool, Topology, [String])] = [
            (false, false, Topology(), ["not listening yet", "the cluster has not been seen yet"]),
            (true, true, useless, ["draining", "neither a primary nor an eligible replica"]),
        ]
        for (listening, draining, topology, reasons) in cases {
            let readiness = Readiness(
                listening: listening, draining: draining, topology: topology)
            #expect(!readiness.reasons.isEmpty)
            #expect(readiness.reasons == reasons)
        }
    }

    @Test func `a shard that does not answer makes the process unhealthy`() {
        #expect(Health(silentShards: []).reasons.isEmpty)
        let health = Health(silentShards: [1])
        #expect(!health.reasons.isEmpty)
        #expect(health.reasons == ["shard 1 has not answered for 3 s"])
    }
}
