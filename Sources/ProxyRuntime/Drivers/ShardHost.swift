// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// The control plane as the shards see it: what they hand over because it would block them.
///
/// Called on shard queues, so none of these may wait for anything.
package struct ShardHost: Sendable {
    /// Find a user's secret, and answer exactly once, from any thread.
    package var lookUpSecret:
        @Sendable (
            _ user: String, _ newerThan: Instant,
            _ answer: @escaping @Sendable (SecretLookup) -> Void
        ) -> Void
    package var needCatalogue: @Sendable (_ database: String) -> Void
    package var catalogueStale: @Sendable (_ database: String) -> Void
    /// What a connection saw contradicts the topology.
    package var doubt: @Sendable (NodeID) -> Void
    /// Sessions wait for newer log positions.
    package var wantPositions: @Sendable () -> Void
    package var log: @Sendable (ShardID, LogEvent) -> Void

    package init(
        lookUpSecret: @escaping @Sendable (
            _ user: String, _ newerThan: Instant,
            _ answer: @escaping @Sendable (SecretLookup) -> Void
        ) -> Void,
        needCatalogue: @escaping @Sendable (String) -> Void = { _ in },
        catalogueStale: @escaping @Sendable (String) -> Void = { _ in },
        doubt: @escaping @Sendable (NodeID) -> Void = { _ in },
        wantPositions: @escaping @Sendable () -> Void = {},
        log: @escaping @Sendable (ShardID, LogEvent) -> Void = { _, _ in }
    ) {
        self.lookUpSecret = lookUpSecret
        self.needCatalogue = needCatalogue
        self.catalogueStale = catalogueStale
        self.doubt = doubt
        self.wantPositions = wantPositions
        self.log = log
    }
}
