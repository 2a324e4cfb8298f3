// SPDX-License-Identifier: Apache-2.0

/// The load that the units of a shard make: on each node, and as demand for reads.
struct ShardLoad {
    private(set) var nodes = NodeLoads()
    private var demand: ReadDemand
    /// The part of the demand that has a server connection.
    private var executing: ReadDemand

    init(now: Instant) {
        demand = ReadDemand(now: now)
        executing = ReadDemand(now: now)
    }

    // MARK: Demand for reads

    mutating func read(began isBegin: Bool, now: Instant) {
        if isBegin { demand.began(now: now) } else { demand.ended(now: now) }
    }

    mutating func executingRead(began isBegin: Bool, now: Instant) {
        if isBegin { executing.began(now: now) } else { executing.ended(now: now) }
    }

    /// The averages for a scrape.
    mutating func averages(now: Instant) -> (demand: Double, executing: Double) {
        (demand.average(now: now), executing.average(now: now))
    }

    /// How many reads there are at this moment, and how many of them have a server connection.
    var levels: [Int] { [demand.current, executing.current] }

    // MARK: Nodes

    mutating func unitBegan(on node: NodeID, now: Instant) { nodes.began(on: node, now: now) }

    mutating func unitEnded(on node: NodeID, latency: Instant.Span?, now: Instant) {
        nodes.ended(on: node, latency: latency, now: now)
    }

    mutating func connected(to node: NodeID) { nodes.connected(to: node) }
    mutating func connectFailed(to node: NodeID, now: Instant) {
        nodes.connectFailed(to: node, now: now)
    }
    mutating func broke(_ node: NodeID, now: Instant) { nodes.broke(node, now: now) }
    mutating func follow(_ topology: Topology) { nodes.follow(topology) }
}
