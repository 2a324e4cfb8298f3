// SPDX-License-Identifier: Apache-2.0

/// The documents of the external metrics API, as `kubectl` and the autoscaler read them.
package enum ExternalMetricsDocument {
    package static let contentType = "application/json"

    private static let groupVersion =
        "\(ExternalMetricsRequest.group)/\(ExternalMetricsRequest.version)"

    /// `/apis`.
    static let groups = text("APIGroupList") { json in
        json.beginArray("groups")
        json.beginObject()
        writeGroup(to: &json)
        json.endObject()
        json.endArray()
    }

    /// `/apis/external.metrics.k8s.io`.
    static let group = text("APIGroup") { json in writeGroup(to: &json) }

    /// `/apis/external.metrics.k8s.io/v1beta1`.
    static let resources = text("APIResourceList") { json in
        json.member("groupVersion", groupVersion)
        json.beginArray("resources")
        json.beginObject()
        json.member("name", ExternalMetricsRequest.metric)
        json.member("singularName", "")
        json.member("namespaced", true)
        json.member("kind", "ExternalMetricValueList")
        json.beginArray("verbs")
        json.element("get")
        json.endArray()
        json.endObject()
        json.endArray()
    }

    /// An object of the Kubernetes API.
    static func text(
        _ kind: String, version: String = "v1", _ write: (inout JSONText) -> Void
    ) -> String {
        var json = JSONText()
        json.beginObject()
        json.member("kind", kind)
        json.member("apiVersion", version)
        write(&json)
        json.endObject()
        return json.text + "\n"
    }

    /// The demand of reads; a list without items where the selector means another cluster.
    ///
    /// - Parameters:
    ///   - demand: the sum over all instances.
    ///   - seconds: now, since 1970.
    package static func values(
        demand: Double, cluster: String?, selector: LabelSelector, seconds: Int
    ) -> String {
        let labels = cluster.map { ["cluster": $0] } ?? [:]
        return text("ExternalMetricValueList", version: groupVersion) { json in
            json.beginObject("metadata")
            json.endObject()
            json.beginArray("items")
            if selector.matches(labels) {
                json.beginObject()
                json.member("metricName", ExternalMetricsRequest.metric)
                json.beginObject("metricLabels")
                if let cluster { json.member("cluster", cluster) }
                json.endObject()
                json.member("timestamp", timestamp(seconds))
                json.member("window", UInt64(60))
                json.member("value", quantity(demand))
                json.endObject()
            }
            json.endArray()
        }
    }

    /// A Quantity: thousandths, rounded up, so that some load is never none.
    static func quantity(_ value: Double) -> String {
        // The rounding error of a sum of doubles is not a load.
        let thousandths = Int((min(max(value, 0), 1e12) * 1000 - 1e-6).rounded(.up))
        return thousandths % 1000 == 0 ? "\(thousandths / 1000)" : "\(thousandths)m"
    }

    /// RFC 3339, in UTC (the civil calendar from days, by Howard Hinnant).
    static func timestamp(_ seconds: Int) -> String {
        let days = seconds / 86_400 + 719_468
        let time = seconds % 86_400
        let era = days / 146_097
        let day = days % 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let civilYear = year + era * 400 + (civilMonth <= 2 ? 1 : 0)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(civilYear)-\(two(civilMonth))-\(two(dayOfMonth))"
            + "T\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60))Z"
    }

    private static func writeGroup(to json: inout JSONText) {
        json.member("name", ExternalMetricsRequest.group)
        json.beginArray("versions")
        json.beginObject()
        writeVersion(to: &json)
        json.endObject()
        json.endArray()
        json.beginObject("preferredVersion")
        writeVersion(to: &json)
        json.endObject()
    }

    private static func writeVersion(to json: inout JSONText) {
        json.member("groupVersion", groupVersion)
        json.member("version", ExternalMetricsRequest.version)
    }
}
