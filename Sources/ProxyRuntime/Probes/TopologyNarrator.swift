// SPDX-License-Identifier: Apache-2.0

internal import Logging
internal import ProxyCore

/// Puts into the log what changes in the cluster, one line an event.
///
/// Who takes writes is told at once. What becomes of the others is told when it has lasted for a
/// second: lag around its limit, or a doubt that the next probe clears up, is no news.
struct TopologyNarrator {
    static let patience = Instant.Span.seconds(1)

    /// What can be said of a member that is not the primary.
    private enum Service: Equatable {
        case reads, noReads, none
    }

    private struct Story {
        /// What was told last; nil before anything was.
        var told: Service?
        /// Since when it is otherwise.
        var changedAt: Instant?
    }

    private var last = Topology()
    private var stories: [NodeID: Story] = [:]
    private var primaryLostAt: Instant?

    mutating func narrate(_ topology: Topology, now: Instant, to logger: Logger) {
        defer { last = topology }
        if topology.version != last.version {
            tellMembers(topology, logger)
            tellPrimary(topology, now, logger)
        }
        for node in topology.nodes { follow(node, now, logger) }
    }

    private mutating func tellMembers(_ topology: Topology, _ logger: Logger) {
        for node in topology.nodes where last[node.id] == nil {
            stories[node.id] = Story()
            logger.info(
                "member found",
                metadata: ["member": "\(node.name)", "address": "\(node.host):\(node.port)"])
        }
        for node in last.nodes where topology[node.id] == nil {
            stories[node.id] = nil
            logger.info("member left", metadata: ["member": "\(node.name)"])
        }
    }

    private mutating func tellPrimary(_ topology: Topology, _ now: Instant, _ logger: Logger) {
        guard topology.primary != last.primary || topology.version == 1 else { return }
        if let id = topology.primary, let node = topology[id] {
            var metadata: Logger.Metadata = [
                "member": "\(node.name)", "timeline": "\(topology.timeline)",
            ]
            if let primaryLostAt {
                metadata["writes_waited_ms"] = "\((now - primaryLostAt).milliseconds)"
            }
            primaryLostAt = nil
            logger.notice("new primary", metadata: metadata)
        } else if let absence = topology.primaryAbsence, absence != .unknown {
            let level: Logger.Level = absence == .standbyCluster ? .notice : .warning
            var metadata: Logger.Metadata = ["reason": "\(absence.rawValue)"]
            if let lost = last.primary, let node = last[lost] {
                metadata["lost"] = "\(node.name)"
                primaryLostAt = now
            }
            logger.log(level: level, "no writable primary", metadata: metadata)
        }
    }

    private mutating func follow(_ node: Topology.Node, _ now: Instant, _ logger: Logger) {
        guard var story = stories[node.id] else { return }
        defer { stories[node.id] = story }
        // The primary has lines of its own; whatever it is after that is news.
        guard node.role != .primary else { return story = Story(told: Service.none) }
        let service: Service =
            node.exclusion == nil ? .reads : node.role == .replica ? .noReads : .none
        guard service != story.told else { return story.changedAt = nil }
        let changedAt = story.changedAt ?? now
        story.changedAt = changedAt
        let isFirstGood = story.told == nil && service == .reads
        guard isFirstGood || now - changedAt >= Self.patience else { return }
        story = Story(told: service)
        tell(service, node, logger)
    }

    private func tell(_ service: Service, _ node: Topology.Node, _ logger: Logger) {
        var metadata: Logger.Metadata = ["member": "\(node.name)"]
        if service != .reads { metadata["state"] = "\(node.state)" }
        switch service {
        case .reads: logger.info("replica eligible for reads", metadata: metadata)
        case .noReads:
            metadata["reason"] = "\(node.exclusion?.rawValue ?? "")"
            logger.notice("replica excluded from reads", metadata: metadata)
        case .none: logger.notice("member is neither primary nor replica", metadata: metadata)
        }
    }
}
