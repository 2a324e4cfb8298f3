// SPDX-License-Identifier: Apache-2.0

internal import ProxyConfiguration
internal import ProxyCore

/// What `martlet check` found out about a cluster, before it is judged.
struct ClusterFacts: Sendable {
    /// A configured Patroni address, and the names of the members that it told of.
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

    /// One member, asked over both of its interfaces.
    struct Member: Sendable {
        let name: String
        /// Where PostgreSQL listens.
        let address: HostAndPort
        let restURL: String
        var patroni: Outcome<PatroniFacts>
        var server: Outcome<ServerFacts>
    }

    /// What a member's Patroni says of it.
    struct PatroniFacts: Sendable {
        /// It holds the lock and says that it is the primary.
        var isPrimary = false
        var isReplica = false
        var isStandbyLeader = false
        /// Patroni's word: running, streaming, starting, ...
        var state = "unknown"
        var systemIdentifier: String?
        var version: String?
        var scope: String?
    }

    /// What a member's server says to the service account.
    struct ServerFacts: Sendable {
        /// As people write it, such as `15.14`.
        var version = ""
        /// As in `server_version_num`.
        var versionNumber = 0
        var isInRecovery = false
        var systemIdentifier: String?
        /// `pg_monitor`, or as much by other ways: the state of replication is visible.
        var maySeeReplication = false
        /// `pg_authid` may be read.
        var mayReadSecrets = false
        var lookup = Lookup.missing
        /// For ordinary users: without what is reserved for superusers.
        var connectionLimit = 0
        /// The server's clock less ours, in seconds, and how exactly that is known.
        var clockOffset = 0.0
        var clockUncertainty = 0.0
    }

    /// The look-up function in the service account's database.
    enum Lookup: Sendable {
        case missing
        /// It is there, and the account may not call it.
        case forbidden
        /// It may be called, and does not give what it should.
        case broken(String)
        case callable
    }

    var seeds: [Seed] = []
    var members: [Member] = []
}
