// SPDX-License-Identifier: Apache-2.0

/// Whose servers, on which member.
package struct PoolKey: Hashable, Sendable {
    package let node: NodeID
    package let database: String
    package let user: String
    package init(node: NodeID, database: String, user: String) {
        self.node = node
        self.database = database
        self.user = user
    }
}
