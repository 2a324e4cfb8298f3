// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Sockets that the core does not know: farewells, cancel requests, questions to peers.
extension PoolerDriver {
    func deliverCancel(_ cancel: SideConnections.Cancel, now: Instant) {
        if side.enqueue(cancel) {
            beginCancels(now: now)
        } else {
            // A cancel request is a wish; the server must not stay reserved for it.
            pooler.cancelDelivered(to: cancel.server, now: now)
        }
    }

    func beginCancels(now: Instant) {
        while let (id, cancel) = side.beginCancel(now: now) {
            resolve(id, host: cancel.host, port: cancel.port)
        }
    }

    /// Where there are too many such requests this one is dropped.
    func ask(_ peer: HostAndPort, _ packet: [UInt8], now: Instant) {
        guard let id = side.askPeer(host: peer.host, packet: packet, now: now) else { return }
        resolve(id, host: peer.host, port: peer.port)
    }

    func sideReady(_ id: ConnectionID, _ readiness: SocketReadiness, now: Instant) {
        sideChanged(side.ready(id, readiness, epoll: epoll), now: now)
    }

    func sideChanged(_ outcome: SideConnections.Outcome, now: Instant) {
        guard case .cancelled(let server) = outcome else { return }
        pooler.cancelDelivered(to: server, now: now)
        beginCancels(now: now)
        performEffects(now: now)
    }
}
