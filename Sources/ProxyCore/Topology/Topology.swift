// SPDX-License-Identifier: Apache-2.0

/// What is known of the cluster at one moment: an immutable snapshot that shards share.
package struct Topology: Equatable, Sendable {
    /// Grows with every change that a shard must act on.
    package var version: UInt64 = 0
    /// Members in the order of their first sight; a member that left is absent.
    package var nodes: [Node] = []
    /// The one member that may take writes, or nil while there is none beyond doubt.
    package var primary: NodeID?
    /// The highest timeline ever seen; a member on a lower one never gets a write.
    package var timeline: UInt32 = 0

    package init() {}

    package subscript(id: NodeID) -> Node? { nodes.first { $0.id == id } }

    /// One member of the cluster.
    package struct Node: Equatable, Sendable {
        package var id: NodeID
        package var name: String
        package var host: String
        package var port: UInt16
        package var role: Role
        /// Patroni's word, for people: running, streaming, starting, ...
        package var state: String
        package var timeline: UInt32?
        /// Why it gets no reads, or nil when it may (the session's own floor comes on top).
        package var exclusion: Exclusion?
        /// Its share of reads between 0 and 1, from lag and tag.
        package var weight: Double
        /// Bytes of log that it has not replayed, or nil when unknown.
        package var lagBytes: UInt64?
        package var lagTime: Instant.Span?
        /// Newest first; replay position of a replica, insert position of the primary.
        package var positions: PositionHistory

        package init(id: NodeID, name: String, host: String, port: UInt16, role: Role) {
            self.id = id
            self.name = name
            self.host = host
            self.port = port
            self.role = role
            state = "unknown"
            timeline = nil
            exclusion = .unknownLag
            weight = 0
            lagBytes = nil
            lagTime = nil
            positions = PositionHistory()
        }
    }

    package enum Role: String, Equatable, Sendable {
        case primary, replica, unknown
    }

    /// Why a member gets no reads.
    package enum Exclusion: String, Equatable, Sendable {
        case notReplica, notRunning, notStreaming, noLoadBalance, draining
        case wrongTimeline, wrongSystem, unknownLag, lagging, unreachable
    }
}
