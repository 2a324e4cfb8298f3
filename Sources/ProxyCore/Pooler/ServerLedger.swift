// SPDX-License-Identifier: Apache-2.0

/// Slots for server connections and places for clients, counted exactly over all shards; the
/// runtime's is thread-safe.
package protocol ServerLedger: AnyObject, Sendable {
    /// Whether there is another shard that could wait, or have something to give.
    var isShared: Bool { get }
    /// Takes a slot, or says which limit is reached.
    func acquire(_ pool: PoolKey, _ limits: ServerLimits) -> SlotVerdict
    func release(_ pool: PoolKey)
    /// Says since when the oldest client of a shard waits for a pool; nil: none does any more.
    func setWaiting(_ pool: PoolKey, shard: ShardID, since: Instant?)
    /// The other shard whose oldest waiter came before `since` (nil: any waiter), if any.
    /// Cheap when no client waits anywhere: called at each release of a server connection.
    func longerWaiting(_ pool: PoolKey, than since: Instant?, shard: ShardID) -> ShardID?
    /// Takes a place for one more client; false at the limit. Zero means unlimited.
    func acquireClient(in group: ClientGroup, maximum: Int) -> Bool
    func releaseClient(in group: ClientGroup)
}

/// Server connections that a limit is for.
package enum ServerScope: Equatable, Sendable {
    case node(NodeID)
    case user(String, on: NodeID)
    case database(String, on: NodeID)

    package func contains(_ pool: PoolKey) -> Bool {
        switch self {
        case .node(let node): pool.node == node
        case .user(let user, let node): pool.node == node && pool.user == user
        case .database(let name, let node): pool.node == node && pool.database == name
        }
    }
}

/// How many server connections there may be; zero means unlimited, except in `pool` and `node`.
package struct ServerLimits: Equatable, Sendable {
    /// To one node for one database and user.
    package var pool: Int
    /// To one node in all, for one user, and for one database.
    package var node: Int
    package var user = 0
    package var database = 0

    package init(pool: Int, node: Int, user: Int = 0, database: Int = 0) {
        self.pool = pool
        self.node = node
        self.user = user
        self.database = database
    }
}

package enum SlotVerdict: Equatable, Sendable {
    case granted
    case poolFull
    /// Another pool's servers count for this limit, too.
    case full(ServerScope)
}
