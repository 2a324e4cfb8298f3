// SPDX-License-Identifier: Apache-2.0

/// A copy of one shard's figures; the sum over all shards describes the process.
package struct ShardStatistics: Sendable {
    package var counters = ShardCounters()
    /// The mean of the last minute; adds up over shards and proxies.
    package var readDemand = 0.0
    /// The part of it that had a server; the rest was queued.
    package var executingReads = 0.0
    package var loop = LoopCounters()

    package init() {}

    package init(
        counters: ShardCounters, readDemand: Double, executingReads: Double = 0,
        loop: LoopCounters = LoopCounters()
    ) {
        self.counters = counters
        self.readDemand = readDemand
        self.executingReads = executingReads
        self.loop = loop
    }

    /// Adds another shard's figures.
    package mutating func add(_ other: ShardStatistics) {
        counters.add(other.counters)
        readDemand += other.readDemand
        executingReads += other.executingReads
        loop.add(other.loop)
    }

    /// The proxy's figures.
    package static func sum(_ shards: [ShardStatistics]) -> ShardStatistics {
        shards.reduce(into: ShardStatistics()) { $0.add($1) }
    }
}
