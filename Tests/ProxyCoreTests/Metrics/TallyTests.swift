// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

struct TallyTests {
    private func check<Label: MetricLabel>(_ label: Label.Type) {
        let cases = Array(Label.allCases)
        #expect(cases.count <= 16)
        #expect(cases.map(\.rawValue) == Array(0..<cases.count))
        #expect(Set(cases.map(\.label)).count == cases.count)
        for value in cases {
            #expect(value.label.allSatisfy { "abcdefghijklmnopqrstuvwxyz_".contains($0) })
        }
    }

    @Test func `every label fits a tally and has a word of its own`() {
        check(UnitClass.self)
        check(UnitTarget.self)
        check(ClientActivity.self)
        check(ServerActivity.self)
        check(RetryReason.self)
        check(PinReason.self)
        check(LoginResult.self)
        check(ErrorCause.self)
        check(ServerEnd.self)
        check(PreparedResult.self)
        check(CancelResult.self)
    }

    @Test func `a tally counts each label apart and sums them`() {
        var tally = Tally<ServerEnd>()
        tally.count(.lost)
        tally.count(.lost, 2)
        tally.count(.shutdown)
        #expect(tally[.lost] == 3)
        #expect(tally[.lifetime] == 0)
        #expect(tally.total == 4)
        var sum = tally
        sum.add(tally)
        #expect(sum[.lost] == 6)
        #expect(sum != tally)
    }

    @Test func `a node's counters appear when it is first counted`() {
        var counters = ShardCounters()
        #expect(counters[node: NodeID(5)].connects == 0)
        counters[node: NodeID(5)].connects += 1
        #expect(counters[node: NodeID(5)].connects == 1)
        #expect(counters[node: NodeID(4)].connects == 0)
    }
}
