// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// What the HTTP endpoint answers, from what the rest of the runtime can tell it.
package struct AdministrationEndpoints: Sendable {
    /// Gathers a page of metrics from all shards; nil where one does not answer.
    package var metrics: @Sendable () async -> MetricsPage?
    /// The snapshot that the shards have.
    package var topology: @Sendable () -> Topology
    /// Whether new clients should be sent here.
    package var readiness: @Sendable () -> Readiness
    /// Asks each shard for a sign of life.
    package var health: @Sendable () async -> Health
    /// The load of reads; nil where a shard does not answer.
    package var autoscale: @Sendable () async -> AutoscaleDocument?

    package init(
        metrics: @escaping @Sendable () async -> MetricsPage?,
        topology: @escaping @Sendable () -> Topology,
        readiness: @escaping @Sendable () -> Readiness,
        health: @escaping @Sendable () async -> Health,
        autoscale: @escaping @Sendable () async -> AutoscaleDocument?
    ) {
        self.metrics = metrics
        self.topology = topology
        self.readiness = readiness
        self.health = health
        self.autoscale = autoscale
    }

    /// Answers one request.
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        switch request.path {
        case "/metrics":
            await metrics().map {
                HTTPResponse(.ok, $0.text(), contentType: PrometheusText.contentType)
            } ?? HTTPResponse(.serviceUnavailable, "a shard does not answer; see /healthz\n")
        case "/healthz":
            Self.verdict(await health().reasons, good: "healthy")
        case "/readyz":
            Self.verdict(readiness().reasons, good: "ready")
        case "/topology":
            HTTPResponse(
                .ok, TopologyDocument.text(of: topology()),
                contentType: TopologyDocument.contentType)
        case "/autoscale":
            await autoscale().map {
                HTTPResponse(.ok, $0.text, contentType: AutoscaleDocument.contentType)
            } ?? HTTPResponse(.serviceUnavailable, "a shard does not answer; see /healthz\n")
        case "/":
            HTTPResponse(.ok, "martlet\n/metrics\n/autoscale\n/healthz\n/readyz\n/topology\n")
        default:
            HTTPResponse(.notFound)
        }
    }

    private static func verdict(_ reasons: [String], good: String) -> HTTPResponse {
        reasons.isEmpty
            ? HTTPResponse(.ok, good + "\n")
            : HTTPResponse(
                .serviceUnavailable, reasons.map { "not \(good): \($0)\n" }.joined())
    }
}
