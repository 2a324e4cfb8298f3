// SPDX-License-Identifier: Apache-2.0

package import ProxyCore
internal import Synchronization

/// What other threads leave for a shard.
package enum ShardMail: Sendable {
    /// Accept clients here, and watch the socket; the shard is its owner now.
    case listen(Acceptor, Route?)
    case stopListening
    case accepted(Socket, peer: String, route: Route?)
    case message(ShardMessage)
    case adopt(TransferredServer)
    case resolved(ConnectionID, Resolver.Answer)
    case secret(SecretLookup, ConnectionID)
    case topologyChanged
    case reconfigured(ProxyPolicy, LoginRules)
    /// Anything else that the core should be told, on the shard's queue.
    case perform(@Sendable (Pooler, Instant) -> Void)
    case drain(@Sendable () -> Void)
    case statistics(@Sendable (LoopCounters) -> Void)
}

/// A server on its way to another shard.
package final class TransferredServer: Sendable {
    // The shard that gives it away keeps no reference, and one other shard takes it.
    nonisolated(unsafe) let server: ServerHandoff
    // The same holds for its TLS session.
    nonisolated(unsafe) let channel: Channel

    init(_ server: ServerHandoff, _ channel: Channel) {
        unsafe self.server = server
        unsafe self.channel = channel
    }
}

/// The part of a shard that every thread may use.
package final class ShardEntrance: Sendable {
    package let mailbox: Mailbox<ShardMail>
    private let clients = Atomic<Int>(0)
    /// Only the newest topology matters, so a shard that is behind finds one, not a queue of them.
    private let newestTopology = Mutex<Topology?>(nil)

    package init() throws(SocketError) { mailbox = try Mailbox() }

    /// Clients of the shard, and those on their way to it.
    package var clientCount: Int { clients.load(ordering: .relaxed) }

    /// Hands a new client over; false when the shard cannot take it.
    package func admit(_ socket: Socket, peer: String, route: Route?) -> Bool {
        clientCame()
        if mailbox.offer(.accepted(socket, peer: peer, route: route)) { return true }
        clientLeft()
        return false
    }

    package func clientCame() { clients.add(1, ordering: .relaxed) }

    package func clientLeft() { clients.subtract(1, ordering: .relaxed) }

    package func publish(_ topology: Topology) {
        let wasTaken = newestTopology.withLock { newest in
            defer { newest = topology }
            return newest == nil
        }
        if wasTaken { mailbox.post(.topologyChanged) }
    }

    func takeTopology() -> Topology? {
        newestTopology.withLock { newest in
            defer { newest = nil }
            return newest
        }
    }
}
