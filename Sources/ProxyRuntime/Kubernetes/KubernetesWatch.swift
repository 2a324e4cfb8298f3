// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
package import Logging
package import ProxyConfiguration
package import ProxyCore

/// Watches the members' pods and the leader's ConfigMap, and says what gives reason to look.
///
/// It has a libcurl handle and a queue of its own: a watch holds a thread for as long as it lasts,
/// and an API server that hangs must not delay a probe. Nothing depends on it: while the API is
/// out of reach, members are found as they are without Kubernetes.
package final class KubernetesWatch: Sendable {
    private let resources: [WatchedResource]
    private let client: HTTPClient

    /// - Parameter onHint: called on any thread; it must only hand the hint on.
    package init(
        _ access: KubernetesAccess, logger: Logger, seed: UInt64,
        clock: @escaping @Sendable () -> Instant,
        onHint: @escaping @Sendable (ClusterHint) -> Void
    ) {
        let queue = DispatchQueue(label: "martlet.kubernetes")
        let client = HTTPClient(files: TLSFiles(authority: access.authority))
        self.client = client
        var kinds: [WatchedResource.Kind] = []
        if access.pods != nil { kinds.append(.pods) }
        if access.leader != nil { kinds.append(.leader) }
        resources = kinds.enumerated().map { index, kind in
            WatchedResource(
                kind, access: access, client: client, queue: queue, logger: logger,
                seed: seed &+ UInt64(index), clock: clock, onHint: onHint)
        }
    }

    package func start() { resources.forEach { $0.start() } }

    /// No hint after those that are on their way; the streams are closed.
    package func stop() {
        resources.forEach { $0.stop() }
        client.stop()
    }

    /// For the metrics.
    package var figures: [KubernetesWatchFigures] { resources.map(\.figures) }
}
