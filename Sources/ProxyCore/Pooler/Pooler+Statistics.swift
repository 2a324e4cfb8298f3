// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Statistics for a scrape: the counters, and the gauges of this moment.
///
/// Gauges are recounted for each scrape. Counting both ways instead would cost something at every
/// change of a connection's state, and an error in it would stay.
extension Pooler {
    /// Returns the figures of this shard after one walk over all its connections.
    package func statistics(now: Instant) -> ShardStatistics {
        var counters = counters
        for occupant in slots.occupants {
            switch occupant {
            case .vacant: break
            case .client(let client):
                counters.clients.count(Self.activity(of: client))
                if client.isEncrypted { counters.encryptedClients += 1 }
                for pin in client.pins { counters.pins.count(pin.metric) }
            case .server(let server):
                counters[node: server.key.node].servers.count(Self.activity(of: server))
            }
        }
        let averages = load.averages(now: now)
        return ShardStatistics(
            counters: counters, readDemand: averages.demand, executingReads: averages.executing)
    }

    private static func activity(of client: ClientSession) -> ClientActivity {
        if client.phase != .ready { return .login }
        switch client.unit.phase {
        case .queued: return .waiting
        case .held: return .held
        case .preparing, .running, .answered, .inspecting: return .active
        case .gathering, .routing: return client.status == .idle ? .idle : .idleInTransaction
        }
    }

    private static func activity(of server: ServerConnection) -> ServerActivity {
        switch server.phase {
        case .connecting, .authenticating, .starting: .connecting
        case .idle, .closed: .idle
        case .leased:
            if server.cancelsInFlight > 0 && server.client == nil {
                .cancelling
            } else if server.client?.unit.isGathering == true && server.client?.status == .idle {
                .pinned
            } else {
                .active
            }
        }
    }
}
