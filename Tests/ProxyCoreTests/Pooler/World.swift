// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore

/// A pooler, its clients and a cluster of model servers, without sockets: what a driver does, bytes
/// by hand and time by parameter.
///
/// Bytes towards the pooler lie in inboxes until `run` delivers them, cut as `chunking` says.
final class World {
    /// One end of a connection, as the pooler's driver knows it.
    private struct Socket {
        let id: ConnectionID
        let end: End
        var inbox: [UInt8] = []
        var isPaused = false
    }

    enum End {
        case client(PlayedClient)
        case server(ModelServer)
    }

    let pooler: Pooler
    let ledger = CountingLedger()
    let nodes = [
        ModelNode("a", isStandby: false), ModelNode("b", isStandby: true),
        ModelNode("c", isStandby: true),
    ]
    var now = Instant(1_000_000_000_000)
    var chunking: Chunking
    /// Whether what one client sends in several steps may arrive as one.
    var coalesces = false
    private(set) var servers: [ModelServer] = []
    private(set) var clients: [PlayedClient] = []
    private(set) var cancels: [ConnectionID] = []
    /// Cancel requests that were passed on, and to whom.
    private(set) var asked: [(peer: HostAndPort, packet: [UInt8])] = []
    private(set) var log: [LogEvent] = []
    /// How often newer log positions were asked for.
    private(set) var positionsWanted = 0
    var trace = Trace()
    /// Cancel requests stay on their way until `deliverCancels`.
    var holdsCancels = false
    /// New servers say nothing of their own accord.
    var mutesServers = false
    /// Looks at the pooler after each piece that it got.
    var inspect: () -> Void = {}
    private var pendingCancels: [(ConnectionID, ModelServer?)] = []
    private var sockets: [Socket] = []
    private var lastSender: PlayedClient?

    init(_ policy: ProxyPolicy = .test, chunking: Chunking = Chunking()) {
        self.chunking = chunking
        pooler = Pooler(
            shard: ShardID(0), policy: policy,
            rules: Self.rules(policy),
            topology: .test, ledger: ledger, randomSeed: 11, now: now)
    }

    // MARK: Clients

    /// A client that has logged in.
    func client(
        user: String = "app", database: String = "shop", settings: [String] = [],
        minor: Int = 0
    ) -> PlayedClient {
        let client = connect()
        let wasOn = trace.isOn
        trace.isOn = false
        client.send(
            bytes: Self.startupPacket(
                ["user", user, "database", database] + settings, minor: minor))
        client.key = client.messages().first { $0.kind == "K" }?.body ?? []
        trace.isOn = wasOn
        return client
    }

    static func startupPacket(_ pairs: [String], minor: Int = 0) -> [UInt8] {
        let body = Message.int32(196_608 + minor) + pairs.flatMap { Array($0.utf8) + [0] } + [0]
        return Message.int32(body.count + 4) + body
    }

    /// One that has only connected.
    func connect(peer: String = "test") -> PlayedClient {
        let id = pooler.accepted(peer: peer, listener: nil, now: now)
        let client = PlayedClient(id: id, name: "app\(clients.count + 1)", world: self)
        clients.append(client)
        sockets.append(Socket(id: id, end: .client(client)))
        return client
    }

    func send(_ bytes: [UInt8], from client: PlayedClient) {
        if let lastSender, lastSender !== client { run() }
        lastSender = client
        post(bytes, from: client)
        if !coalesces { run() }
    }

    /// Leaves bytes on their way.
    func post(_ bytes: [UInt8], from client: PlayedClient) {
        if let index = index(of: client.id) { sockets[index].inbox += bytes }
    }

    /// Asks on a connection of its own to cancel what a client does.
    func requestCancel(of client: PlayedClient) {
        connect().send(
            bytes: Message.int32(8 + client.key.count) + Message.int32(80_877_102) + client.key)
        run()
    }

    func leave(_ client: PlayedClient) {
        run()
        drop(client.id, reason: "the client closed the connection")
        run()
    }

    /// Lets go of the clients, which keep their world alive.
    func disband() {
        clients.removeAll()
        sockets.removeAll()
        lastSender = nil
    }

    // MARK: Servers

    /// The nth back end of a node, counted from one: `b1`.
    subscript(name: String) -> ModelServer {
        run()
        return servers.first { $0.name == name }!
    }

    /// The one that the first client logged in by.
    var firstServer: ModelServer {
        run()
        return servers[0]
    }

    func isOpen(_ server: ModelServer) -> Bool { id(of: server) != nil }

    /// Its machine is gone, and what it said last with it.
    func cut(_ server: ModelServer) {
        server.output.removeAll()
        if let id = id(of: server) { drop(id, reason: "connection reset") }
    }

    private func id(of server: ModelServer) -> ConnectionID? {
        sockets.first {
            if case .server(let other) = $0.end { other === server } else { false }
        }?.id
    }

    private func open(_ id: ConnectionID, host: String) {
        guard let node = nodes.first(where: { $0.name == host }) else {
            pooler.disconnected(id, reason: "connection refused", now: now)
            return
        }
        let count = servers.count { $0.node === node }
        let server = ModelServer(
            node: node, name: "\(host)\(count + 1)", processID: servers.count + 1)
        server.isMute = mutesServers
        servers.append(server)
        trace.begin(server: server.name)
        sockets.append(Socket(id: id, end: .server(server)))
        pooler.connected(id, now: now)
    }

    /// Cancel requests that were held reach their servers.
    func deliverCancels() {
        holdsCancels = false
        run()
    }

    private func cancelOne() -> Bool {
        guard !holdsCancels, let (id, server) = pendingCancels.popLast() else { return false }
        server?.release(cancelled: true)
        pooler.cancelDelivered(to: id, now: now)
        return true
    }

    private func cancel(_ id: ConnectionID, _ packet: [UInt8]) {
        cancels.append(id)
        trace.note("        martlet => cancel request")
        let processID = packet[8..<12].reduce(0) { $0 << 8 | Int($1) }
        pendingCancels.append((id, servers.first { $0.processID == processID }))
    }

    // MARK: Time and the cluster

    func pass(_ span: Instant.Span) {
        run()
        pass(span, in: .max)
    }

    /// Time passes while bytes are on their way, of which so many pieces arrive.
    func pass(_ span: Instant.Span, in steps: Int) {
        now = now + span
        pooler.deadlineReached(now: now)
        runPart(steps: steps)
    }

    /// Another configuration.
    func reconfigure(_ policy: ProxyPolicy) {
        run()
        pooler.reconfigured(policy, rules: Self.rules(policy), now: now)
        run()
    }

    private static func rules(_ policy: ProxyPolicy) -> LoginRules {
        LoginRules(policy: policy.authentication, processKey: [UInt8](repeating: 1, count: 32))
    }

    /// Another node is the primary now, or none.
    func change(_ topology: Topology) {
        run()
        tell(topology)
        run()
    }

    /// The same while bytes are on their way. A back end says that its node was promoted with its
    /// next answer, as PostgreSQL's do.
    func tell(_ topology: Topology) {
        if let primary = topology.primary { nodes[primary.index].isStandby = false }
        pooler.topologyChanged(topology, now: now)
    }

    // MARK: Bytes

    /// Delivers until nothing moves any more.
    func run() { runPart(steps: .max) }

    /// Delivers so many pieces.
    func runPart(steps: Int) {
        var left = steps
        repeat {
            performEffects()
            flush()
            collect()
            left -= 1
        } while left >= 0 && (step() || endDying() || cancelOne())
    }

    /// Delivers one piece of one socket's bytes.
    private func step() -> Bool {
        let ready = sockets.indices.filter { !sockets[$0].inbox.isEmpty && !sockets[$0].isPaused }
        guard let index = chunking.choose(among: ready) else { return false }
        let count = chunking.count(of: sockets[index].inbox.count)
        let piece = Array(sockets[index].inbox.prefix(count))
        sockets[index].inbox.removeFirst(count)
        feed(piece, from: sockets[index].id)
        inspect()
        return true
    }

    private func endDying() -> Bool {
        for socket in sockets {
            guard case .server(let server) = socket.end, server.isDying, server.output.isEmpty,
                socket.inbox.isEmpty
            else { continue }
            drop(socket.id, reason: "the peer closed the connection")
            return true
        }
        return false
    }

    private func feed(_ bytes: [UInt8], from id: ConnectionID) {
        if let index = index(of: id) { record(bytes, sockets[index].end, isToPooler: true) }
        var offset = 0
        while offset < bytes.count, index(of: id) != nil {
            let rest = bytes.rawSpan.extracting(offset..<bytes.count)
            let relay = pooler.received(rest, from: id, now: now)
            precondition(relay.count > 0 && relay.count <= rest.byteCount)
            if let destination = relay.destination {
                pooler.append(rest.extracting(first: relay.count), toOutputOf: destination)
            }
            performEffects()
            offset += relay.count
        }
    }

    /// What the servers said goes into their inboxes.
    private func collect() {
        for index in sockets.indices {
            guard case .server(let server) = sockets[index].end, !server.isDelayed else {
                continue
            }
            sockets[index].inbox += server.output
            server.output.removeAll()
        }
    }

    private func flush() {
        while let id = pooler.nextDirty() {
            deliverOutput(of: id)
            performEffects()
        }
        for client in clients where client.hasBacklog && client.reads {
            client.hasBacklog = false
            deliverOutput(of: client.id)
            performEffects()
        }
    }

    private func deliverOutput(of id: ConnectionID) {
        guard let index = index(of: id) else { return }
        let end = sockets[index].end
        if case .client(let client) = end, !client.reads {
            client.hasBacklog = true
            return
        }
        var bytes: [UInt8] = []
        pooler.withOutput(of: id) { span in
            bytes = span.copy(0..<span.byteCount)
            return span.byteCount
        }
        record(bytes, end, isToPooler: false)
        switch end {
        case .client(let client): client.receive(bytes)
        case .server(let server): server.receive(bytes)
        }
    }

    private func record(_ bytes: [UInt8], _ end: End, isToPooler: Bool) {
        switch end {
        case .client(let client): trace.add(bytes, client: client.name, fromPeer: isToPooler)
        case .server(let server): trace.add(bytes, server: server.name, fromPeer: isToPooler)
        }
    }

    // MARK: Effects

    private func performEffects() {
        while let effect = pooler.nextEffect() { perform(effect) }
    }

    private func perform(_ effect: Effect) {
        switch effect {
        case .connect(let id, let host, _): open(id, host: host)
        case .close(let id):
            deliverOutput(of: id)
            drop(id, reason: "closed")
        case .pauseReading(let id): setPaused(id, true)
        case .resumeReading(let id): setPaused(id, false)
        case .deliverCancel(let id, _, _, let packet): cancel(id, packet)
        case .askPeer(let peer, let packet): asked.append((peer, packet))
        case .log(let event): log.append(event)
        case .wantPositions: positionsWanted += 1
        case .lookUpSecret, .needCatalogue, .catalogueStale, .doubt, .post, .broadcast, .transfer,
            .startTLS:
            break
        }
    }

    private func setPaused(_ id: ConnectionID, _ isPaused: Bool) {
        if let index = index(of: id) { sockets[index].isPaused = isPaused }
    }

    /// The socket is gone.
    private func drop(_ id: ConnectionID, reason: String) {
        guard let index = index(of: id) else { return }
        switch sockets[index].end {
        case .client(let client):
            client.hasEnded = true
            trace.end(client: client.name)
        case .server(let server): trace.end(server: server.name)
        }
        sockets.remove(at: index)
        pooler.disconnected(id, reason: reason, now: now)
    }

    private func index(of id: ConnectionID) -> Int? { sockets.firstIndex { $0.id == id } }
}

extension ProxyPolicy {
    /// Nobody is asked for a password.
    static var test: ProxyPolicy { test(poolSize: 20) }

    static func test(poolSize: Int) -> ProxyPolicy {
        var policy = ProxyPolicy()
        policy.authentication.method = .trust
        policy.pools.standard.size = poolSize
        return policy
    }
}

extension Topology {
    /// A primary `a` and replicas `b` and `c`.
    static var test: Topology { test(primary: 0) }

    static func test(primary: Int?, timeline: UInt32 = 1) -> Topology {
        var topology = Topology()
        topology.timeline = timeline
        topology.primary = primary.map { NodeID($0) }
        topology.version = UInt64(timeline)
        for (index, name) in ["a", "b", "c"].enumerated() {
            var node = Node(
                id: NodeID(index), name: name, host: name, port: 5432,
                role: index == primary ? .primary : .replica)
            node.state = "running"
            node.timeline = timeline
            node.exclusion = index == primary ? .notReplica : nil
            node.weight = index == primary ? 0 : 1
            node.lagTime = .zero
            node.positions.append(
                PositionHistory.Sample(
                    position: LogPosition(1000), askedAt: Instant(1), arrivedAt: Instant(2)))
            topology.nodes.append(node)
        }
        return topology
    }
}
