// SPDX-License-Identifier: Apache-2.0

import Testing
@testable import ProxyCore

struct PeersTests {
    private let addresses = (1...20).map { HostAndPort(host: "10.0.0.\($0)", port: 6432) }

    @Test func `all instances call each other the same`() {
        let views = addresses.map { own in Peers(found: Set(addresses)) { $0 == own } }
        for (own, view) in zip(addresses, views) {
            #expect(!view.others.contains(own))
            #expect(view.others.count == 19)
            for other in views where other != view {
                #expect(other.called(view.ownTag).contains(own))
            }
        }
    }

    @Test func `names are the same in every process and version`() {
        #expect(addresses[0].tag == 122)
        #expect(HostAndPort(host: "fd00::1", port: 6433).tag == 101)
    }

    @Test func `who has several addresses is found by one of them`() {
        let own: Set = [addresses[3], HostAndPort(host: "fd00::4", port: 6432)]
        let view = Peers(found: own.union([addresses[0]])) { own.contains($0) }
        let other = Peers(found: own.union([addresses[0]])) { $0 == addresses[0] }
        #expect(view.others == [addresses[0]])
        #expect(!other.called(view.ownTag).isEmpty)
    }

    @Test func `a name that nobody has means nobody, and no name means everybody up to a limit`() {
        let peers = Peers(found: Set(addresses)) { _ in false }
        #expect(peers.ownTag == 0)
        let taken = Set(addresses.map(\.tag))
        for tag in UInt8(1)...127 where !taken.contains(tag) {
            #expect(peers.called(tag).isEmpty)
        }
        #expect(peers.called(0).count == Peers.askedAtMost)
    }

    @Test func `no more than the limit are kept`() {
        let many = (0..<1000).map { HostAndPort(host: "10.0.\($0 / 250).\($0 % 250)", port: 1) }
        #expect(Peers(found: Set(many)) { _ in false }.others.count == Peers.limit)
    }
}
