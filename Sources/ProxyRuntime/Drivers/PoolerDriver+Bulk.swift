// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import ProxyCore

/// Long streams are read in large pieces (`BulkReading`).
extension PoolerDriver {
    /// So much was read from a socket, to which nothing was sent since its stream began.
    func countStream(_ count: Int, on id: ConnectionID, now: Instant) {
        if table.state(of: id).contains(.bulk) { return bulk.received(count, on: id) }
        guard table.lengthenStream(of: id, by: count) >= BulkReading.longStream,
            bulk.begin(id, now: now)
        else { return }
        table.insert(.bulk, of: id)
        table.socket(of: id).set(SOL_SOCKET, SO_RCVLOWAT, BulkReading.lowWater)
    }

    /// From now on every piece counts.
    func endStream(_ id: ConnectionID) {
        table.forgetStream(of: id)
        guard table.state(of: id).contains(.bulk) else { return }
        table.remove(.bulk, of: id)
        bulk.end(id)
        table.socket(of: id).set(SOL_SOCKET, SO_RCVLOWAT, 1)
    }

    /// Looks for what stays below the mark.
    func visitStreams(now: Instant) {
        for (id, isStream) in bulk.visit(now: now) where table.holds(id) {
            if !isStream { endStream(id) }
            table.insert(.readable, of: id)
            attend(id, now: now)
        }
    }
}
