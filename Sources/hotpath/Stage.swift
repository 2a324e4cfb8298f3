// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import ProxyCore

/// One client, a pooler and the canned servers of a primary and a replica, without sockets.
///
/// Does for each wake-up what `PoolerDriver` does: bytes in, effects, deadline, output. While it
/// warms up, the servers look at what they get. Afterwards they only count it and repeat what they
/// said in the last transaction, so that nearly all that is counted is the pooler's own work.
final class Stage {
    private struct Server {
        let id: ConnectionID
        let isStandby: Bool
        var isGreeted = false
        var input: [UInt8] = []
    }

    private let trace: Trace
    private let pooler: Pooler
    private var now = Instant(1_000_000_000_000)
    private var client = ConnectionID(slot: 0, generation: 0)
    private var servers: [Server] = []
    /// What the client got since it last sent something.
    private var received = 0

    /// What one transaction is: to the pooler from the client, to a server, from it, to the client.
    private let request: [UInt8]
    private var reply: [UInt8] = []
    private var replier = ConnectionID(slot: 0, generation: 0)
    private var requestCount = 0
    private var replyCount = 0

    init(_ trace: Trace) {
        self.trace = trace
        request = trace.transaction
        var policy = ProxyPolicy()
        policy.authentication.method = .trust
        let rules = LoginRules(
            policy: policy.authentication, processKey: [UInt8](repeating: 1, count: 32))
        pooler = Pooler(
            shard: ShardID(0), policy: policy, rules: rules, topology: Self.topology,
            ledger: OpenLedger(), randomSeed: 11, now: now)
    }

    /// A primary and a replica that lags by nothing.
    private static var topology: Topology {
        var topology = Topology()
        topology.timeline = 1
        topology.version = 1
        topology.primary = NodeID(0)
        for (index, name) in ["primary", "replica"].enumerated() {
            var node = Topology.Node(
                id: NodeID(index), name: name, host: name, port: 5432,
                role: index == 0 ? .primary : .replica)
            node.state = "running"
            node.timeline = 1
            node.exclusion = index == 0 ? .notReplica : nil
            node.weight = index == 0 ? 0 : 1
            node.lagTime = .zero
            node.positions.append(
                PositionHistory.Sample(
                    position: LogPosition(1000), askedAt: Instant(1), arrivedAt: Instant(2)))
            topology.nodes.append(node)
        }
        return topology
    }

    // MARK: Warming up

    /// Logs in, prepares, and runs transactions until their caches are filled.
    func warmUp() {
        client = pooler.accepted(peer: "hotpath", listener: nil, now: now)
        sendWarming(Message.startup(["user", "app", "database", "shop"]))
        if !trace.preparation.isEmpty { sendWarming(trace.preparation) }
        for _ in 0..<1000 { sendWarming(request) }
        replyCount = received
    }

    private func sendWarming(_ bytes: [UInt8]) {
        now = now + Instant.Span(nanoseconds: 200_000)
        received = 0
        feed(bytes, from: client)
        repeat { settleWarming() } while answerWarming()
    }

    private func settleWarming() {
        performEffects()
        while let id = pooler.nextDirty() {
            pooler.withOutput(of: id) { span in
                if let index = servers.firstIndex(where: { $0.id == id }) {
                    servers[index].input += span.copy(0..<span.byteCount)
                } else {
                    received += span.byteCount
                }
                return span.byteCount
            }
            performEffects()
        }
    }

    /// Lets one server reply to what it got; false when none got anything.
    private func answerWarming() -> Bool {
        guard let index = servers.firstIndex(where: { !$0.input.isEmpty }) else { return false }
        let server = servers[index]
        servers[index].input.removeAll()
        servers[index].isGreeted = true
        let replies =
            server.isGreeted
            ? CannedServer.replies(to: server.input)
            : CannedServer.greeting(isStandby: server.isStandby)
        (replier, reply, requestCount) = (server.id, replies, server.input.count)
        feed(replies, from: server.id)
        return true
    }

    // MARK: Playing

    /// Runs transactions as the warm-up left them; returns how many were answered as there.
    func play(_ count: Int) -> Int {
        var answered = 0
        for _ in 0..<count {
            now = now + Instant.Span(nanoseconds: 200_000)
            received = 0
            feed(request, from: client)
            let asked = settle(counting: replier)
            feed(reply, from: replier)
            received += settle(counting: client)
            if asked == requestCount && received == replyCount { answered += 1 }
        }
        return answered
    }

    /// Ends a wake-up; returns how many bytes were sent to a connection.
    private func settle(counting wanted: ConnectionID) -> Int {
        var count = 0
        if let deadline = pooler.nextDeadline, deadline <= now {
            pooler.deadlineReached(now: now)
            performEffects()
        }
        while let id = pooler.nextDirty() {
            pooler.withOutput(of: id) { span in
                if id == wanted { count += span.byteCount }
                return span.byteCount
            }
            performEffects()
        }
        return count
    }

    private func feed(_ bytes: [UInt8], from id: ConnectionID) {
        var offset = 0
        while offset < bytes.count {
            let rest = bytes.rawSpan.extracting(offset..<bytes.count)
            let relay = pooler.received(rest, from: id, now: now)
            if let destination = relay.destination {
                pooler.append(rest.extracting(first: relay.count), toOutputOf: destination)
            }
            performEffects()
            offset += relay.count
        }
    }

    private func performEffects() {
        while let effect = pooler.nextEffect() {
            guard case .connect(let id, let host, _) = effect else { continue }
            servers.append(Server(id: id, isStandby: host == "replica"))
            pooler.connected(id, now: now)
        }
    }
}
