// SPDX-License-Identifier: Apache-2.0

/// What one shard's core counts while it works; plain integers, summed only for a scrape.
///
/// Gauges (`clients`, `servers`, `pins`) are zero here: `Pooler.statistics` fills them in from the
/// slots, which costs a walk over all connections of the shard for each scrape.
package struct ShardCounters: Sendable {
    /// Clients by what they do (gauge).
    package var clients = Tally<ClientActivity>()
    /// Clients with an encrypted connection (gauge).
    package var encryptedClients = 0
    /// Pins that hold now (gauge), by the reason they began for.
    package var pins = Tally<PinReason>()
    /// Pins that began.
    package var pinsBegun = Tally<PinReason>()
    /// Units retried without their clients noticing.
    package var retries = Tally<RetryReason>()
    /// Logins that ended, well or not.
    package var logins = Tally<LoginResult>()
    /// Errors that this proxy made up, not a server.
    package var errors = Tally<ErrorCause>()
    /// Prepared statements wanted on a server.
    package var prepared = Tally<PreparedResult>()
    /// Cancel requests of clients.
    package var cancels = Tally<CancelResult>()
    /// Durations of reads, from routing to the last byte of the reply.
    package var readDurations = DurationHistogram()
    package var writeDurations = DurationHistogram()
    /// Waits for a free server that ended in one.
    package var waits = DurationHistogram()
    /// Waits for a node that ended in one.
    package var holds = DurationHistogram()

    /// Counters by `NodeID.index`; grows when a node is first counted.
    private var nodes: [NodeCounters] = []

    package init() {}

    /// The counters of one node.
    package subscript(node node: NodeID) -> NodeCounters {
        get { node.index < nodes.count ? nodes[node.index] : NodeCounters() }
        _modify {
            while nodes.count <= node.index { nodes.append(NodeCounters()) }
            yield &nodes[node.index]
        }
    }

    /// A unit of work was sent to a node.
    package mutating func unitRouted(_ unit: UnitClass, to node: NodeID, as target: UnitTarget) {
        self[node: node].count(unit, target)
    }

    /// Adds another shard's, node by node.
    package mutating func add(_ other: ShardCounters) {
        clients.add(other.clients)
        encryptedClients &+= other.encryptedClients
        pins.add(other.pins)
        pinsBegun.add(other.pinsBegun)
        retries.add(other.retries)
        logins.add(other.logins)
        errors.add(other.errors)
        prepared.add(other.prepared)
        cancels.add(other.cancels)
        readDurations.add(other.readDurations)
        writeDurations.add(other.writeDurations)
        waits.add(other.waits)
        holds.add(other.holds)
        for index in other.nodes.indices { self[node: NodeID(index)].add(other.nodes[index]) }
    }
}

/// One shard's counters for one node.
package struct NodeCounters: Sendable {
    /// Server connections by what they do (gauge).
    package var servers = Tally<ServerActivity>()
    /// Server connections that logged in.
    package var connects = 0
    /// Attempts that came to nothing.
    package var connectErrors = 0
    /// Server connections that are no more.
    package var ends = Tally<ServerEnd>()
    private var reads = Tally<UnitTarget>()
    private var writes = Tally<UnitTarget>()

    package init() {}

    /// Units of one class that were sent here while the node had this role.
    package func units(_ unit: UnitClass, _ target: UnitTarget) -> Int {
        switch unit {
        case .read: reads[target]
        case .write: writes[target]
        }
    }

    /// Counts a unit that was sent to this node.
    package mutating func count(_ unit: UnitClass, _ target: UnitTarget) {
        switch unit {
        case .read: reads.count(target)
        case .write: writes.count(target)
        }
    }

    /// Adds what another shard counted for the node.
    package mutating func add(_ other: NodeCounters) {
        servers.add(other.servers)
        connects += other.connects
        connectErrors += other.connectErrors
        ends.add(other.ends)
        reads.add(other.reads)
        writes.add(other.writes)
    }
}
