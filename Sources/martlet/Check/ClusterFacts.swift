// SPDX-License-Identifier: Apache-2.0

internal import ProxyConfiguration
internal import ProxyCore

/// The facts that `martlet check` has collected about a cluster.
struct ClusterFacts: Sendable {
    /// A configured Patroni address, and the names of the members that it listed.
    struct Seed: Sendable {
        let address: String
        let answer: Outcome<[String]>
    }

    /// An answer, or why there is none.
    enum Outcome<Value: Sendable>: Sendable {
        case answer(Value)
        case failed(String)

        var value: Value? {
            guard case .answer(let value) = self else { return nil }
            return value
        }
    }

    /// One member, queried by Patroni's REST API and by SQL.
    struct Member: Sendable {
        let name: String
        /// The address of PostgreSQL.
        let address: HostAndPort
        let restURL: String
        var patroni: Outcome<PatroniFacts>
        var server: Outcome<ServerFacts>
    }

    /// Facts from a member's Patroni.
    struct PatroniFacts: Sendable {
        /// Whether it holds the lock and reports itself as the primary.
        var isPrimary = false
        var isReplica = false
        var isStandbyLeader = false
        /// Patroni's word: running, streaming, starting, ...
        var state = "unknown"
        var systemIdentifier: String?
        var version: String?
        var scope: String?
    }

    /// Facts from a member's server, as the service account sees them.
    struct ServerFacts: Sendable {
        /// The version in text, such as `15.14`.
        var version = ""
        /// The version as in `server_version_num`.
        var versionNumber = 0
        var isInRecovery = false
        var systemIdentifier: String?
        /// `pg_monitor`, or as much by other ways: the state of replication is visible.
        var maySeeReplication = false
        /// `pg_authid` may be read.
        var mayReadSecrets = false
        var lookup = Lookup.missing
        /// Connections for ordinary users, without those reserved for superusers.
        var connectionLimit = 0
        /// The server's clock less ours, in seconds, and how exactly that is known.
        var clockOffset = 0.0
        var clockUncertainty = 0.0
    }

    /// The look-up function in the service account's database.
    enum Lookup: Sendable {
        case missing
        /// The function exists, and the account may not call it.
        case forbidden
        /// The function can be called, and returns something unexpected.
        case broken(String)
        case callable
    }

    var seeds: [Seed] = []
    var members: [Member] = []
}
