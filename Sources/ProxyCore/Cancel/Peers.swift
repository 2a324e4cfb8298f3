// SPDX-License-Identifier: Apache-2.0

/// The other martlets before the same cluster, and which of them a cancel key may mean.
///
/// An instance is named by seven bits of a hash of its address, which every other one can work out
/// too: nobody has to number instances, whose addresses a Deployment chooses at random. Two may have
/// the same name, and one that cannot tell its own address has none; then more than one is asked.
package struct Peers: Equatable, Sendable {
    /// Of those that are found no more are kept.
    package static let limit = 128
    /// A cancel request is passed on to no more.
    package static let askedAtMost = 16

    /// What this instance's own keys call it; 0 where it does not know its address.
    package let ownTag: UInt8
    /// In their order.
    package let others: [HostAndPort]

    package init() {
        ownTag = 0
        others = []
    }

    /// - Parameters:
    ///   - found: the addresses of all instances, this one's among them or not.
    ///   - isOwn: whether an address is this instance's.
    package init(found: Set<HostAndPort>, isOwn: (HostAndPort) -> Bool) {
        let sorted = found.sorted()
        ownTag = sorted.first(where: isOwn)?.tag ?? 0
        others = Array(sorted.filter { !isOwn($0) }.prefix(Self.limit))
    }

    /// Whom to ask about a key that calls its instance this; nobody where it calls it something
    /// that no peer is called.
    package func called(_ tag: UInt8) -> ArraySlice<HostAndPort> {
        (tag == 0 ? others : others.filter { $0.tag == tag }).prefix(Self.askedAtMost)
    }
}

extension HostAndPort {
    /// What a cancel key calls the instance at this address: 1 to 127.
    package var tag: UInt8 {
        // FNV-1a: the same in every process, which a hash of Swift's is not.
        var hash: UInt32 = 2_166_136_261
        for byte in Array(host.utf8) + [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)] {
            hash = (hash ^ UInt32(byte)) &* 16_777_619
        }
        return UInt8(hash % 127) + 1
    }
}
