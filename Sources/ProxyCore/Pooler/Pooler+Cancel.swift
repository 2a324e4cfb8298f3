// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Cancel requests: to the session that they mean, wherever it lives, and to no other.
///
/// Whoever asks is never answered, and hears the connection close at once in any case: a wrong key
/// looks like a right one. A key that no session here has is passed on to the peers that it may mean
/// (`Peers`); they are told that it was, and do not pass it on again.
extension Pooler {
    /// Bytes of a key that a client must know to cancel: as PostgreSQL's, by the protocol version.
    static func secretCount(minorVersion: UInt16) -> Int { minorVersion >= 2 ? 32 : 4 }

    /// What a client must name to cancel: the process id says where its session is.
    func keyData(of client: ClientSession) -> BackendKeyData {
        let number = SessionNumber(
            instance: peers.ownTag, shard: shard, slot: client.id.slot)
        return BackendKeyData(
            processID: number.processID(shards: shardCount), secret: client.cancelSecret)
    }

    /// A cancel request came in here.
    func route(cancel key: BackendKeyData, now: Instant) {
        let owner = SessionNumber(processID: key.processID, shards: shardCount).shard
        if owner == shard {
            cancel(key, now: now)
        } else {
            effects.append(.post(owner, .cancel(key)))
        }
    }

    /// A cancel request for a session of this shard, if there is one.
    func cancel(_ key: BackendKeyData, now: Instant) {
        let number = SessionNumber(processID: key.processID, shards: shardCount)
        guard let client = session(number, with: key.secret) else { return ask(number, key) }
        if client.replication != nil {
            return counters.cancels.count(
                client.server.map(deliverCancel(to:)) == true ? .delivered : .ignored)
        }
        switch client.unit.phase {
        case .routing, .queued, .held:
            counters.cancels.count(.answered)
            leaveQueue(client)
            proceed(client, .fail(.canceled), now: now)
        case .preparing:
            counters.cancels.count(.answered)
            client.cancelRequested()
            // A statement that is prepared again may wait for a lock.
            if let server = client.server, server.internalQuery?.purpose.mayWaitForLock == true {
                _ = deliverCancel(to: server)
            }
        case .running, .answered:
            let isDelivered = client.server.map(deliverCancel(to:)) ?? false
            counters.cancels.count(isDelivered ? .delivered : .ignored)
        case .gathering, .inspecting: counters.cancels.count(.ignored)
        }
    }

    private func session(_ number: SessionNumber, with secret: [UInt8]) -> ClientSession? {
        guard case .client(let client) = slots.occupant(ofSlot: number.slot),
            client.phase == .ready, Digests.areEqual(client.cancelSecret, secret)
        else { return nil }
        return client
    }

    /// Passes a key that no session here has on to the peers that it may belong to.
    private func ask(_ number: SessionNumber, _ key: BackendKeyData) {
        let asked = number.isForwarded ? [] : peers.called(number.instance)
        counters.cancels.count(asked.isEmpty ? .ignored : .forwarded)
        var forwarded = number
        forwarded.isForwarded = true
        let packet = BackendKeyData(
            processID: forwarded.processID(shards: shardCount), secret: key.secret
        ).cancelRequest()
        for peer in asked { effects.append(.askPeer(peer, packet: packet)) }
    }

    package func cancelDelivered(to id: ConnectionID, now: Instant) {
        guard case .server(let server) = slots.occupant(id), server.cancelsInFlight > 0 else { return }
        server.cancelArrived()
        if server.client == nil { cleanUp(server, now: now) }
    }
}
