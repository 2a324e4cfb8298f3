// SPDX-License-Identifier: Apache-2.0

/// The leader in Patroni's ConfigMap, and changes of it.
///
/// The object changes with every renewal of the lock; only the name matters. It may name somebody
/// who does not know it yet, or who is gone: who may take writes is decided by probes alone.
package struct LeaderHint: Sendable {
    private var leader: String?
    private var isKnown = false

    package init() {}

    /// The annotation as it is now; nil where there is none, or no ConfigMap.
    package mutating func changed(to name: String?) -> [ClusterHint] {
        let name = name.flatMap { $0.isEmpty ? nil : $0 }
        defer { (leader, isKnown) = (name, true) }
        // What is there at the beginning is what the first probes find.
        return isKnown && name != leader ? [.primaryMayChange] : []
    }
}
