// SPDX-License-Identifier: Apache-2.0

/// The state of one watch on the Kubernetes API.
package struct KubernetesWatchFigures: Equatable, Sendable {
    /// `pods` or `leader`.
    package var resource: String
    /// Whether the watched objects are those that the API has.
    package var isInSync: Bool
    /// Objects that came.
    package var events: Int
    /// Lists and watches that failed.
    package var failures: Int

    package init(resource: String, isInSync: Bool, events: Int, failures: Int) {
        self.resource = resource
        self.isInSync = isInSync
        self.events = events
        self.failures = failures
    }
}
