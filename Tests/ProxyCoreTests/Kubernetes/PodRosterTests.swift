// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

struct PodRosterTests {
    private static func pod(
        _ name: String, _ uid: String = "1", ends: Bool = false, at address: String? = "10.0.0.1",
        url: String? = nil, role: String? = "replica"
    ) -> PodObject {
        PodObject(
            name: name, uid: uid, isTerminating: ends, address: address, memberURL: url, role: role)
    }

    private static func roster(_ pods: PodObject...) -> PodRoster {
        var roster = PodRoster()
        _ = roster.listed(pods, isFirst: true, isLast: true)
        return roster
    }

    @Test func `a pod that comes, moves or shows its member means looking for members`() {
        var roster = Self.roster(Self.pod("a"))
        #expect(roster.changed(Self.pod("b", at: nil)) == [.membersChanged])
        #expect(roster.changed(Self.pod("b", at: nil)).isEmpty)
        #expect(roster.changed(Self.pod("b", at: "10.0.0.2")) == [.membersChanged])
        #expect(roster.changed(Self.pod("b", at: "10.0.0.2", url: "x")) == [.membersChanged])
        #expect(roster.changed(Self.pod("b", at: "10.0.0.2", url: "x")).isEmpty)
        #expect(roster.count == 2)
    }

    @Test func `a pod that is told to end drains, and so does its name until there is another`() {
        var roster = Self.roster(Self.pod("a"), Self.pod("b"))
        #expect(roster.changed(Self.pod("b", ends: true)) == [.draining(name: "b", true)])
        #expect(roster.changed(Self.pod("b", ends: true)).isEmpty)
        #expect(roster.deleted(Self.pod("b", ends: true)) == [.membersChanged])
        let next = roster.changed(Self.pod("b", "2", at: nil))
        #expect(next == [.draining(name: "b", false), .membersChanged])
    }

    @Test func `a pod that is killed at once drains, too`() {
        var roster = Self.roster(Self.pod("b"))
        #expect(roster.deleted(Self.pod("b")) == [.draining(name: "b", true), .membersChanged])
    }

    @Test func `the end of an old pod says nothing of the next one`() {
        var roster = Self.roster(Self.pod("b", ends: true))
        _ = roster.changed(Self.pod("b", "2"))
        #expect(roster.deleted(Self.pod("b", "1", ends: true)).isEmpty)
        #expect(roster.count == 1)
    }

    @Test func `what was missed is found in the next list`() {
        var roster = Self.roster(Self.pod("a"), Self.pod("b"), Self.pod("c", ends: true))
        let hints = roster.listed(
            [Self.pod("a", ends: true), Self.pod("c", "2"), Self.pod("d")], isFirst: true,
            isLast: true)
        #expect(
            hints == [
                .draining(name: "a", true), .draining(name: "c", false), .membersChanged,
            ])
        #expect(roster.listed([], isFirst: true, isLast: true) == [.membersChanged])
        #expect(roster.listed([], isFirst: true, isLast: true).isEmpty)
    }

    @Test func `pages count together, and an incomplete list not at all`() {
        var roster = PodRoster()
        #expect(roster.listed([Self.pod("a")], isFirst: true, isLast: false).isEmpty)
        #expect(roster.listed([Self.pod("x")], isFirst: true, isLast: false).isEmpty)
        #expect(
            roster.listed([Self.pod("b", ends: true)], isFirst: false, isLast: true)
                == [.membersChanged, .draining(name: "b", true)])
        #expect(roster.count == 2)
    }

    @Test func `a label of another role is a hint`() {
        var roster = Self.roster(Self.pod("a", role: "primary"), Self.pod("b"))
        #expect(roster.changed(Self.pod("b", role: "primary")) == [.primaryMayChange])
        #expect(roster.changed(Self.pod("a")) == [.primaryMayChange])
        #expect(roster.changed(Self.pod("c", role: nil)) == [.membersChanged])
        #expect(roster.changed(Self.pod("c", role: "replica")).isEmpty)
    }

    @Test func `there is a limit to what is kept`() {
        var roster = PodRoster()
        for index in 0..<3000 {
            _ = roster.changed(Self.pod("p\(index)", ends: true))
            _ = roster.deleted(Self.pod("p\(index)", ends: true))
        }
        #expect(roster.count == 0)
        _ = roster.listed(
            (0..<3000).map { Self.pod("q\($0)") }, isFirst: true, isLast: true)
        #expect(roster.count == PodRoster.limit)
    }
}
