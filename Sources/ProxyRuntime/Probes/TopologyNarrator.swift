// SPDX-License-Identifier: Apache-2.0

internal import Logging
internal import ProxyCore

/// Puts into the log what changes in the cluster, one line an event.
struct TopologyNarrator {
    private var last = Topology()

    mutating func narrate(_ topology: Topology, to logger: Logger) {
        defer { last = topology }
        guard topology.version != last.version else { return }
        tellPrimary(topology, logger)
        for node in topology.nodes {
            guard let before = last[node.id] else {
                logger.info(
                    "member found",
                    metadata: [
                        "member": "\(node.name)", "address": "\(node.host):\(node.port)",
                    ])
                continue
            }
            tell(node, before, logger)
        }
        for node in last.nodes where topology[node.id] == nil {
            logger.info("member left", metadata: ["member": "\(node.name)"])
        }
    }

    private func tellPrimary(_ topology: Topology, _ logger: Logger) {
        guard topology.primary != last.primary || topology.version == 1 else { return }
        if let id = topology.primary, let node = topology[id] {
            logger.notice(
                "primary",
                metadata: ["member": "\(node.name)", "timeline": "\(topology.timeline)"])
        } else if let absence = topology.primaryAbsence, absence != .unknown {
            let level: Logger.Level = absence == .standbyCluster ? .notice : .warning
            logger.log(
                level: level, "no member takes writes",
                metadata: ["reason": "\(absence.rawValue)"])
        }
    }

    private func tell(
        _ node: Topology.Node, _ before: Topology.Node, _ logger: Logger
    ) {
        guard node.exclusion != before.exclusion, node.role != .primary else { return }
        if let exclusion = node.exclusion {
            // Only what ends is news; while a member is found out about, reasons follow quickly.
            // So is a replica that becomes the primary: that has a line of its own.
            if before.exclusion != nil || exclusion == .notReplica { return }
            logger.notice(
                "member gets no reads",
                metadata: [
                    "member": "\(node.name)", "reason": "\(exclusion.rawValue)",
                    "state": "\(node.state)",
                ])
        } else {
            logger.info("member gets reads", metadata: ["member": "\(node.name)"])
        }
    }
}
