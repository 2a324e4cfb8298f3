// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Clients that come: to a listener of this shard, or handed over by another shard.
extension PoolerDriver {
    func listen(_ acceptor: Acceptor, route: Route?) {
        acceptor.listener.tune(attempts.tcp)
        let id = listeners.add(acceptor, route: route)
        do throws(SocketError) {
            try epoll.add(acceptor.listener.descriptor, as: id)
        } catch {
            acceptor.isTroubled(by: error)
        }
    }

    /// Accepts whoever waits; each goes to the shard with the fewest clients.
    func acceptWaiting(now: Instant) {
        listeners.accept(now: now) { socket, peer, route in
            let least = entrances.lazy.map(\.clientCount).min() ?? 0
            guard own.clientCount > least else {
                own.clientCame()
                accept(socket, peer: peer, route: route, now: now)
                return true
            }
            let other = entrances.first { $0.clientCount == least } ?? own
            return other.admit(socket, peer: peer, route: route)
        }
        performEffects(now: now)
    }

    func accept(_ socket: Socket, peer: String, route: Route?, now: Instant) {
        statistics.accepted += 1
        let id = pooler.accepted(peer: peer, listener: route, now: now)
        watch(id, socket, state: [])
    }

    private var own: ShardEntrance { entrances[shard.index] }
}
