// SPDX-License-Identifier: Apache-2.0

/// An immutable snapshot of the cluster, shared by all shards.
package struct Topology: Equatable, Sendable {
    /// Grows with every change that a shard must act on: the primary, the timeline, who is a
    /// member and who may be read from. Positions, lags and weights change without it.
    package var version: UInt64 = 0
    /// Members in the order of their first sight; a member that left is absent.
    package var nodes: [Node] = []
    /// The one member that may take writes, or nil while there is none beyond doubt.
    package var primary: NodeID?
    /// Why there is no primary; nil when there is one.
    package var primaryAbsence: PrimaryAbsence? = .unknown
    /// The highest timeline ever seen; a member on a lower one never gets a write.
    package var timeline: UInt32 = 0
    /// When that timeline was first seen.
    package var timelineSince = Instant(0)
    /// The cluster is a standby cluster: no member takes writes, and that is not a failure.
    package var isStandbyCluster = false
    /// Patroni is in maintenance mode.
    package var isPaused = false
    /// Patroni's name of the cluster, once it is known.
    package var scope: String?
    /// The system identifier of the cluster; members with another one are ignored.
    package var systemIdentifier: String?

    package init() {}

    package subscript(id: NodeID) -> Node? { nodes.first { $0.id == id } }

    /// Whether a member is to leave: it gets no reads, and its idle servers are closed.
    package func isDraining(_ id: NodeID) -> Bool {
        for index in nodes.indices where nodes[index].id == id {
            return nodes[index].exclusion == .draining
        }
        return false
    }

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
        /// Share of reads between 0 and 1, from lag and tag.
        package var weight: Double
        /// Bytes of log that it has not replayed, or nil when unknown.
        package var lagBytes: UInt64?
        package var lagTime: Instant.Span?
        /// Replay positions of a replica, insert positions of the primary.
        package var positions: PositionHistory
        /// The version as in `server_version_num`, once it is known.
        package var serverVersion: Int?
        package var isRestartPending = false

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

    /// Why a member gets no reads; the words are those of logs, metrics and `/topology`.
    package enum Exclusion: String, Equatable, Sendable, CaseIterable {
        case notReplica = "not_replica"
        case notRunning = "not_running"
        case notStreaming = "not_streaming"
        case noLoadBalance = "no_load_balance"
        case draining
        case wrongTimeline = "wrong_timeline"
        case wrongSystem = "wrong_system"
        case unknownLag = "unknown_lag"
        case lagging, unreachable
    }

    /// Why no member may take writes; the words are the log's.
    package enum PrimaryAbsence: String, Equatable, Sendable {
        /// No report has arrived yet.
        case unknown
        /// No member is a running primary with the lock.
        case noCandidate = "no_candidate"
        /// More than one is, on the same timeline.
        case rivals
        /// The only one is on a timeline that has been left.
        case staleTimeline = "stale_timeline"
        /// The node belongs to another database system.
        case wrongSystem = "wrong_system"
        /// The cluster follows another one.
        case standbyCluster = "standby_cluster"
    }
}

extension Topology {
    /// Whether a shard has nothing to do about the difference but to use the newer snapshot.
    package func asksNothingMore(than other: Topology) -> Bool {
        guard primary == other.primary, timeline == other.timeline,
            primaryAbsence == other.primaryAbsence, isStandbyCluster == other.isStandbyCluster,
            nodes.count == other.nodes.count
        else { return false }
        for index in nodes.indices {
            let (mine, theirs) = (nodes[index], other.nodes[index])
            if mine.id != theirs.id || mine.role != theirs.role
                || mine.exclusion != theirs.exclusion
            {
                return false
            }
        }
        return true
    }
}
