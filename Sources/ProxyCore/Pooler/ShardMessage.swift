// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// What one shard's core says to another's.
package enum ShardMessage: Equatable, Sendable {
    /// A user logged in: this opens the servers for it from now on.
    case credential(user: String, ServerCredential)
    /// A `CancelRequest` for a session that lives there.
    case cancel(BackendKeyData)
    /// Shard `from` has clients waiting for this pool and no slot: give it an idle server.
    case starving(PoolKey, from: ShardID)
    /// A limit of server connections is reached: close an idle one that no client waits for.
    case makeRoom(ServerScope)
}
