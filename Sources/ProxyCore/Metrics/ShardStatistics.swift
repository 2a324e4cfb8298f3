// SPDX-License-Identifier: Apache-2.0

/// One shard's figures at one moment, copied out of it; summed over shards they are the proxy's.
package struct ShardStatistics: Sendable {
    package var counters = ShardCounters()
    package var readDemand = 0.0
    package var loop = LoopCounters()

    package init() {}

    package init(counters: ShardCounters, readDemand: Double, loop: LoopCounters = LoopCounters()) {
        self.counters = counters
        self.readDemand = readDemand
        self.loop = loop
    }

    package mutating func add(_ other: ShardStatistics) {
        counters.add(other.counters)
        readDemand += other.readDemand
        loop.add(other.loop)
    }

    package static func sum(_ shards: [ShardStatistics]) -> ShardStatistics {
        shards.reduce(into: ShardStatistics()) { $0.add($1) }
    }
}

/// What a shard's driver counts: system calls and bytes.
package struct LoopCounters: Sendable, Equatable {
    package var wakeups = 0
    package var reads = 0
    package var sends = 0
    package var clientBytesReceived = 0
    package var clientBytesSent = 0
    package var serverBytesReceived = 0
    package var serverBytesSent = 0

    package init() {}

    package mutating func add(_ other: LoopCounters) {
        wakeups &+= other.wakeups
        reads &+= other.reads
        sends &+= other.sends
        clientBytesReceived &+= other.clientBytesReceived
        clientBytesSent &+= other.clientBytesSent
        serverBytesReceived &+= other.serverBytesReceived
        serverBytesSent &+= other.serverBytesSent
    }
}
