// SPDX-License-Identifier: Apache-2.0

/// The pools of one shard by node, database and user.
struct ServerPools {
    private var pools: [PoolKey: ServerPool] = [:]
    private var queuedCount = 0

    var isEmpty: Bool { pools.isEmpty }

    /// A client waits in the queue of one of them.
    var isAnyQueued: Bool { queuedCount > 0 }

    /// All pools; a copy, so that pools may come and go meanwhile.
    var all: [ServerPool] { Array(pools.values) }

    subscript(key: PoolKey) -> ServerPool? { pools[key] }

    /// The pool of a key, made with this policy where there is none.
    mutating func pool(_ key: PoolKey, policy: @autoclosure () -> PoolPolicy) -> ServerPool {
        if let pool = pools[key] { return pool }
        let pool = ServerPool(key: key, policy: policy())
        pools[key] = pool
        return pool
    }

    /// A client went into the queue of a pool.
    mutating func queued() { queuedCount += 1 }

    /// A client came out of the queue of a pool.
    mutating func leftQueue() { queuedCount -= 1 }

    /// A pool without server connections and waiting clients goes.
    mutating func remove(_ pool: ServerPool) { pools[pool.key] = nil }

    /// The pool whose oldest idle server connection is the oldest of those that no client waits for.
    func oldestIdle(in scope: ServerScope) -> ServerConnection? {
        var oldest: ServerConnection?
        for pool in pools.values where scope.contains(pool.key) && pool.waitingCount == 0 {
            guard let server = pool.idleServers.first, let since = server.idleSince else { continue }
            if let before = oldest?.idleSince, before <= since { continue }
            oldest = server
        }
        return oldest
    }
}
