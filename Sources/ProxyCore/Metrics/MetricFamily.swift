// SPDX-License-Identifier: Apache-2.0

/// The name, type and meaning of one metric; `all` is the whole page, in its order.
///
/// The manual (Metrics.md) names the same families; a test holds the two together.
package struct MetricFamily: Sendable {
    /// Prometheus' type of a family.
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    /// The name on the page.
    package let name: String
    package let kind: Kind
    /// One sentence of explanation.
    package let help: String

    private init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }

    // MARK: Clients

    static let clients = MetricFamily(
        "martlet_clients", .gauge, "Client connections by what they do.")
    static let encryptedClients = MetricFamily(
        "martlet_encrypted_clients", .gauge, "Client connections that are encrypted by TLS.")
    static let waitingClients = MetricFamily(
        "martlet_waiting_clients", .gauge, "Clients that wait for a free server connection.")
    static let heldUnits = MetricFamily(
        "martlet_held_units", .gauge,
        "Units of work held because no node can run them (no primary, no fresh replica).")
    static let logins = MetricFamily(
        "martlet_logins_total", .counter, "Logins of clients by how they ended.")
    static let errors = MetricFamily(
        "martlet_errors_total", .counter, "Errors that martlet itself gave to clients, by cause.")
    static let cancels = MetricFamily(
        "martlet_cancels_total", .counter, "Cancel requests by what became of them.")

    // MARK: Work

    static let units = MetricFamily(
        "martlet_units_total", .counter,
        "Units of work sent to a node, by what they needed and the node's role then.")
    static let unitDuration = MetricFamily(
        "martlet_unit_duration_seconds", .histogram,
        "Time from a unit's routing to the end of its reply, by what it needed.")
    static let waitDuration = MetricFamily(
        "martlet_wait_duration_seconds", .histogram,
        "Time clients waited for a free server connection that they got.")
    static let holdDuration = MetricFamily(
        "martlet_hold_duration_seconds", .histogram,
        "Time units of work were held until a node could run them.")
    static let retries = MetricFamily(
        "martlet_retries_total", .counter,
        "Units of work retried without their clients noticing, by reason.")
    static let pins = MetricFamily(
        "martlet_pins", .gauge, "Clients pinned to a server connection, by reason.")
    static let pinsTotal = MetricFamily(
        "martlet_pins_total", .counter, "Pins that began, by reason.")
    static let prepared = MetricFamily(
        "martlet_prepared_statements_total", .counter,
        "Prepared statements on a server connection: present, parsed first, or closed for room.")
    static let readDemand = MetricFamily(
        "martlet_read_demand", .gauge,
        "Read units executing or queued, averaged over 60 seconds; scale readers by its sum.")

    // MARK: Servers

    static let servers = MetricFamily(
        "martlet_servers", .gauge, "Server connections by node, the node's role, and what they do.")
    static let serverConnects = MetricFamily(
        "martlet_server_connects_total", .counter, "Server connections that logged in.")
    static let serverConnectErrors = MetricFamily(
        "martlet_server_connect_errors_total", .counter,
        "Attempts to open a server connection that failed.")
    static let serverEnds = MetricFamily(
        "martlet_server_ends_total", .counter, "Server connections that ended, by reason.")

    // MARK: Topology

    static let replicaLagBytes = MetricFamily(
        "martlet_replica_lag_bytes", .gauge, "WAL in bytes that a replica has not replayed.")
    static let replicaLagSeconds = MetricFamily(
        "martlet_replica_lag_seconds", .gauge, "Time by which a replica is behind the primary.")
    static let topologyPrimary = MetricFamily(
        "martlet_topology_primary", .gauge, "1 while there is a writable primary.")
    static let topologyTimeline = MetricFamily(
        "martlet_topology_timeline", .gauge, "The highest timeline ever seen.")
    static let topologyVersion = MetricFamily(
        "martlet_topology_version", .gauge, "Grows with every change of the topology.")
    static let topologyNodes = MetricFamily(
        "martlet_topology_nodes", .gauge, "Members of the cluster by role.")
    static let topologyEligible = MetricFamily(
        "martlet_topology_eligible_replicas", .gauge, "Replicas eligible for reads.")
    static let nodeEligible = MetricFamily(
        "martlet_node_eligible", .gauge,
        "1 while a member is eligible for reads as a replica, else 0 with the reason.")
    static let nodeWeight = MetricFamily(
        "martlet_node_weight", .gauge, "A member's share of reads, between 0 and 1.")
    static let watchInSync = MetricFamily(
        "martlet_kubernetes_watch_in_sync", .gauge,
        "1 while a watch on the Kubernetes API works, by what is watched.")
    static let watchEvents = MetricFamily(
        "martlet_kubernetes_watch_events_total", .counter,
        "Objects received from watches on the Kubernetes API.")
    static let watchFailures = MetricFamily(
        "martlet_kubernetes_watch_failures_total", .counter,
        "Lists and watches of the Kubernetes API that failed.")

    // MARK: The process

    static let bytes = MetricFamily(
        "martlet_bytes_total", .counter, "Bytes received and sent, to clients and servers together."
    )
    static let accepted = MetricFamily(
        "martlet_accepted_total", .counter, "Client connections accepted.")
    static let blocks = MetricFamily(
        "martlet_blocked_senders_total", .counter,
        "Times a sender was not read from because its receiver was slow.")
    static let loopWakeups = MetricFamily(
        "martlet_loop_wakeups_total", .counter, "Times an event loop woke up.")
    static let loopCalls = MetricFamily(
        "martlet_loop_calls_total", .counter,
        "Reads, reads that found nothing among them, and sends on sockets.")
    static let refusedMail = MetricFamily(
        "martlet_loop_mail_refused_total", .counter,
        "Messages between event loops that found the mailbox full.")
    static let shards = MetricFamily("martlet_shards", .gauge, "Event loops.")
    static let logLinesDropped = MetricFamily(
        "martlet_log_lines_dropped_total", .counter,
        "Log lines dropped because standard error was not read fast enough.")
    static let draining = MetricFamily(
        "martlet_draining", .gauge, "1 while martlet lets open transactions end before it stops.")
    static let buildInfo = MetricFamily(
        "martlet_build_info", .gauge, "Always 1; the labels say what runs.")
    static let residentMemory = MetricFamily(
        "process_resident_memory_bytes", .gauge, "Resident memory size.")
    static let virtualMemory = MetricFamily(
        "process_virtual_memory_bytes", .gauge, "Virtual memory size.")
    static let openDescriptors = MetricFamily(
        "process_open_fds", .gauge, "Open file descriptors.")
    static let maximumDescriptors = MetricFamily(
        "process_max_fds", .gauge, "Limit of open file descriptors.")
    static let cpu = MetricFamily(
        "process_cpu_seconds_total", .counter, "User and system CPU time spent.")
    static let startTime = MetricFamily(
        "process_start_time_seconds", .gauge, "Start of the process, in seconds since 1970.")

    /// Every family, in the order of the page.
    package static let all: [MetricFamily] = [
        clients, encryptedClients, waitingClients, heldUnits, logins, errors, cancels,
        units, unitDuration, waitDuration, holdDuration, retries, pins, pinsTotal, prepared,
        readDemand,
        servers, serverConnects, serverConnectErrors, serverEnds,
        replicaLagBytes, replicaLagSeconds, topologyPrimary, topologyTimeline, topologyVersion,
        topologyNodes, topologyEligible, nodeEligible, nodeWeight,
        watchInSync, watchEvents, watchFailures,
        bytes, accepted, blocks, loopWakeups, loopCalls, refusedMail, shards, logLinesDropped,
        draining, buildInfo,
        residentMemory, virtualMemory, openDescriptors, maximumDescriptors, cpu, startTime,
    ]
}
