// SPDX-License-Identifier: Apache-2.0

/// A request to the external metrics API (k8s.io/metrics, external_metrics/v1beta1).
package enum ExternalMetricsRequest: Equatable, Sendable {
    /// An answer that needs no figures.
    case document(String)
    /// The demand of reads, where its labels are selected.
    case demand(LabelSelector)
    /// Health of the process, not of the API; needs no certificate.
    case alive, ready
    case refused(KubernetesStatus)

    package static let group = "external.metrics.k8s.io"
    package static let version = "v1beta1"
    package static let metric = "martlet_read_demand"

    /// Reads path and query, both undecoded.
    package init(path: String, query: String) {
        var parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        for index in parts.indices {
            guard let decoded = PercentEncoding.decoded(parts[index]) else {
                self = .refused(.badRequest("the path is not well encoded"))
                return
            }
            parts[index] = decoded
        }
        self =
            switch parts {
            case ["healthz"], ["livez"]: .alive
            case ["readyz"]: .ready
            case ["apis"]: .document(ExternalMetricsDocument.groups)
            case ["apis", Self.group]: .document(ExternalMetricsDocument.group)
            case ["apis", Self.group, Self.version]: .document(ExternalMetricsDocument.resources)
            default: Self.metric(parts, query)
            }
    }

    /// Whether it is answered without a certificate.
    package var isForEverybody: Bool { self == .alive || self == .ready }

    private static func metric(_ parts: [String], _ query: String) -> ExternalMetricsRequest {
        guard parts.count == 6, parts[..<4] == ["apis", group, version, "namespaces"],
            KubernetesName.isLabel(parts[4])
        else { return .refused(.notFound()) }
        guard parts[5] == metric else { return .refused(.notFound(metric: parts[5])) }
        do throws(LabelSelectorFault) {
            return .demand(try selector(query))
        } catch {
            return .refused(.badRequest("the labelSelector \(error.reason)"))
        }
    }

    /// The selector of a query; other parameters, such as `timeout`, do not matter.
    private static func selector(_ query: String) throws(LabelSelectorFault) -> LabelSelector {
        var found: String?
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard PercentEncoding.decoded(parts[0], plusIsSpace: true) == "labelSelector" else {
                continue
            }
            guard found == nil else { throw LabelSelectorFault("is there twice") }
            let text = parts.count > 1 ? parts[1] : ""
            guard let decoded = PercentEncoding.decoded(text, plusIsSpace: true) else {
                throw LabelSelectorFault("is not well encoded")
            }
            found = decoded
        }
        return try LabelSelector(found ?? "")
    }
}
