// SPDX-License-Identifier: Apache-2.0

/// A closed set of label values: an index for the hot path, a word for the page.
package protocol MetricLabel: CaseIterable, RawRepresentable, Sendable where RawValue == Int {
    /// The value of the label, as Prometheus shows it.
    var label: String { get }
}

/// What a unit of work needed.
package enum UnitClass: Int, MetricLabel {
    case read, write

    package var label: String {
        switch self {
        case .read: "read"
        case .write: "write"
        }
    }
}

/// The role of the node that a unit was sent to, at that moment.
package enum UnitTarget: Int, MetricLabel {
    case primary, replica

    package var label: String {
        switch self {
        case .primary: "primary"
        case .replica: "replica"
        }
    }
}

/// What a client is doing.
package enum ClientActivity: Int, MetricLabel {
    /// Connected, not yet authenticated and ready.
    case login
    /// Outside a transaction, nothing asked.
    case idle
    /// A unit of it runs on a server.
    case active
    /// Inside a transaction, nothing asked.
    case idleInTransaction
    /// Its unit waits for a free server connection.
    case waiting
    /// Its unit waits for a node that may take it (no primary, no fresh replica).
    case held

    package var label: String {
        switch self {
        case .login: "login"
        case .idle: "idle"
        case .active: "active"
        case .idleInTransaction: "idle_in_transaction"
        case .waiting: "waiting"
        case .held: "held"
        }
    }
}

/// What a server connection is doing.
package enum ServerActivity: Int, MetricLabel {
    /// Between `connect` and the first `ReadyForQuery`.
    case connecting
    /// Idle in the pool.
    case idle
    /// Serves a client.
    case active
    /// Kept for one client between its units.
    case pinned
    /// Kept from reuse until a cancel request has been delivered.
    case cancelling

    package var label: String {
        switch self {
        case .connecting: "connecting"
        case .idle: "idle"
        case .active: "active"
        case .pinned: "pinned"
        case .cancelling: "cancelling"
        }
    }
}

/// Why a unit was retried without its client noticing.
package enum RetryReason: Int, MetricLabel {
    /// A replica refused what was classified as a read.
    case refusedByReplica
    /// A replica did not know a table, column, function, type or schema that the primary may have.
    case unknownToReplica
    /// A standby's recovery cancelled it (40001, 40P01).
    case recoveryConflict
    /// A replica's connection died before any of the answer was forwarded.
    case replicaLost
    /// The server said that it shuts down or starts (57P01, 57P03) before any result.
    case serverShutdown
    /// A pooled connection turned out dead before anything was sent on it.
    case staleConnection
    /// A server could not be connected to.
    case connectFailed
    /// The server had analysed a text that the client just parsed before the schema changed.
    case stalePlan

    package var label: String {
        switch self {
        case .refusedByReplica: "refused_by_replica"
        case .unknownToReplica: "unknown_to_replica"
        case .recoveryConflict: "recovery_conflict"
        case .replicaLost: "replica_lost"
        case .serverShutdown: "server_shutdown"
        case .staleConnection: "stale_connection"
        case .connectFailed: "connect_failed"
        case .stalePlan: "stale_plan"
        }
    }
}

/// Why a client keeps one server between its transactions.
package enum PinReason: Int, MetricLabel {
    case temporaryObject, heldCursor, advisoryLock, listen, suspendedPortal, replication
    case sqlPrepared, sequenceState, role, setting, opaque
    /// The pool mode of its database and user is `session`.
    case sessionPool

    package var label: String {
        switch self {
        case .temporaryObject: "temporary_object"
        case .heldCursor: "held_cursor"
        case .advisoryLock: "advisory_lock"
        case .listen: "listen"
        case .suspendedPortal: "suspended_portal"
        case .replication: "replication"
        case .sqlPrepared: "sql_prepared"
        case .sequenceState: "sequence_state"
        case .role: "role"
        case .setting: "setting"
        case .opaque: "opaque"
        case .sessionPool: "session_pool"
        }
    }
}

/// How a login ended.
package enum LoginResult: Int, MetricLabel {
    case accepted, badPassword, tooManyClients, timeout, protocolViolation, unavailable, left
    /// The TLS handshake failed.
    case handshakeFailed
    /// The client did not encrypt, or did not show the required certificate.
    case encryptionRefused
    /// No authentication rule is for it, or one rejects it.
    case refusedByRule

    package var label: String {
        switch self {
        case .accepted: "accepted"
        case .badPassword: "bad_password"
        case .tooManyClients: "too_many_clients"
        case .timeout: "timeout"
        case .protocolViolation: "protocol_violation"
        case .unavailable: "unavailable"
        case .left: "left"
        case .handshakeFailed: "handshake_failed"
        case .encryptionRefused: "encryption_refused"
        case .refusedByRule: "refused_by_rule"
        }
    }
}

/// Why martlet itself, not a server, gave a client an error.
package enum ErrorCause: Int, MetricLabel {
    /// No node for the unit within the hold limit (57P03).
    case holdTimeout
    /// No free server within the waiting limit (53300).
    case waitTimeout
    /// The server died after a write was sent (08007).
    case outcomeUnknown
    /// An open transaction was lost with its primary (40001).
    case transactionLost
    /// A client stayed idle beyond its limit (57P05, 25P03).
    case idleTimeout
    /// A query was cancelled because its time was over (57014).
    case queryTimeout
    /// A client stayed in a transaction beyond its limit (25P04).
    case transactionTimeout
    /// The client broke the protocol (08P01).
    case protocolViolation
    /// martlet shuts down (57P01).
    case shutdown
    /// A limit on buffers or statements was reached (54000 and the like).
    case limit
    /// Whatever else.
    case other

    package var label: String {
        switch self {
        case .holdTimeout: "hold_timeout"
        case .waitTimeout: "wait_timeout"
        case .outcomeUnknown: "outcome_unknown"
        case .transactionLost: "transaction_lost"
        case .idleTimeout: "idle_timeout"
        case .queryTimeout: "query_timeout"
        case .transactionTimeout: "transaction_timeout"
        case .protocolViolation: "protocol_violation"
        case .shutdown: "shutdown"
        case .limit: "limit"
        case .other: "other"
        }
    }
}

/// Why a server connection ended.
package enum ServerEnd: Int, MetricLabel {
    case idleTimeout, lifetime, makeRoom, topology, lost, protocolViolation, clientLeft, shutdown

    package var label: String {
        switch self {
        case .idleTimeout: "idle_timeout"
        case .lifetime: "lifetime"
        case .makeRoom: "make_room"
        case .topology: "topology"
        case .lost: "lost"
        case .protocolViolation: "protocol_violation"
        case .clientLeft: "client_left"
        case .shutdown: "shutdown"
        }
    }
}

/// Whether a server connection already had a statement that a client uses.
package enum PreparedResult: Int, MetricLabel {
    /// The server had it.
    case hit
    /// The statement had to be parsed there first.
    case miss
    /// Another was closed on the server to make room.
    case eviction

    package var label: String {
        switch self {
        case .hit: "hit"
        case .miss: "miss"
        case .eviction: "eviction"
        }
    }
}

/// The outcome of a `CancelRequest`.
package enum CancelResult: Int, MetricLabel {
    /// Sent to the server that runs the client's unit.
    case delivered
    /// The client's unit was still waiting; it was answered here.
    case answered
    /// The key is not of this instance: forwarded to one or more peers.
    case forwarded
    /// No such client, a wrong key, or nothing to cancel.
    case ignored

    package var label: String {
        switch self {
        case .delivered: "delivered"
        case .answered: "answered"
        case .forwarded: "forwarded"
        case .ignored: "ignored"
        }
    }
}
