// SPDX-License-Identifier: Apache-2.0

import Testing
@testable import ProxyCore

struct ExternalMetricsTests {
    private static let base = "/apis/external.metrics.k8s.io/v1beta1"
    private static let metric = base + "/namespaces/db/martlet_read_demand"

    private static func request(_ path: String, _ query: String = "") -> ExternalMetricsRequest {
        ExternalMetricsRequest(path: path, query: query)
    }

    private static func document(_ path: String) -> String? {
        if case .document(let text) = request(path) { text } else { nil }
    }

    @Test func `discovery`() {
        let version =
            #"{"groupVersion":"external.metrics.k8s.io/v1beta1","version":"v1beta1"}"#
        let group =
            #""name":"external.metrics.k8s.io","versions":[\#(version)],"#
            + #""preferredVersion":\#(version)"#
        #expect(
            Self.document("/apis")
                == #"{"kind":"APIGroupList","apiVersion":"v1","groups":[{\#(group)}]}"# + "\n")
        #expect(
            Self.document("/apis/external.metrics.k8s.io")
                == #"{"kind":"APIGroup","apiVersion":"v1",\#(group)}"# + "\n")
        #expect(
            Self.document(Self.base + "/")
                == #"{"kind":"APIResourceList","apiVersion":"v1","#
                + #""groupVersion":"external.metrics.k8s.io/v1beta1","resources":["#
                + #"{"name":"martlet_read_demand","singularName":"","namespaced":true,"#
                + #""kind":"ExternalMetricValueList","verbs":["get"]}]}"# + "\n")
    }

    @Test func `the metric, with what a client of Go sends`() throws {
        let selector = try LabelSelector("cluster=postgres-cluster")
        #expect(
            Self.request(Self.metric, "labelSelector=cluster%3Dpostgres-cluster")
                == .demand(selector))
        #expect(Self.request(Self.metric) == .demand(try LabelSelector("")))
        #expect(
            Self.request(Self.metric, "timeout=30s&labelSelector=cluster+in+%28a%2Cb%29&x")
                == .demand(try LabelSelector("cluster in (a,b)")))
    }

    @Test(arguments: [
        (metric, "labelSelector=a%3Db%3Dc", 400), (metric, "labelSelector=%zz", 400),
        (metric, "labelSelector=a&labelSelector=b", 400), (metric + "%", "", 400),
        (base + "/namespaces/db/other", "", 404), (base + "/namespaces/A/martlet_read_demand", "", 404),
        (base + "/martlet_read_demand", "", 404), (metric + "/x", "", 404),
        ("/apis/custom.metrics.k8s.io", "", 404), ("/openapi/v2", "", 404), ("/openapi/v3", "", 404),
        ("/", "", 404), ("/version", "", 404),
    ])
    func `what is wrong is said with a Status`(path: String, query: String, code: Int) {
        guard case .refused(let status) = Self.request(path, query) else {
            Issue.record("not refused")
            return
        }
        #expect(status.code == code)
        #expect(status.reason == (code == 400 ? "BadRequest" : "NotFound"))
    }

    @Test func `probes are for everybody, figures are not`() {
        for path in ["/healthz", "/livez", "/readyz"] {
            #expect(Self.request(path).isForEverybody)
        }
        for path in ["/apis", Self.base, Self.metric, "/x"] {
            #expect(!Self.request(path).isForEverybody)
        }
    }

    @Test func `a Status`() {
        #expect(
            KubernetesStatus.forbidden(name: "eve").text
                == #"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#
                + #""message":"the client certificate \"eve\" is not among the allowed names","#
                + #""reason":"Forbidden","code":403}"# + "\n")
        #expect(KubernetesStatus.refused(code: 405, reason: "x").reason == "MethodNotAllowed")
        #expect(KubernetesStatus.refused(code: 414, reason: "URI Too Long").reason == "URITooLong")
    }

    @Test func `the list of values`() throws {
        let text = ExternalMetricsDocument.values(
            demand: 37.5, cluster: "postgres-cluster",
            selector: try LabelSelector("cluster=postgres-cluster"), seconds: 1_795_356_000)
        #expect(
            text == #"{"kind":"ExternalMetricValueList","#
                + #""apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":["#
                + #"{"metricName":"martlet_read_demand","metricLabels":{"cluster":"#
                + #""postgres-cluster"},"timestamp":"2026-11-22T14:00:00Z","window":60,"#
                + #""value":"37500m"}]}"# + "\n")
        let none = ExternalMetricsDocument.values(
            demand: 1, cluster: "a", selector: try LabelSelector("cluster=b"), seconds: 0)
        #expect(none.contains(#""items":[]"#))
    }

    @Test(arguments: [
        (0.0, "0"), (1.0, "1"), (37.5, "37500m"), (0.0004, "1m"), (12.0000000001, "12"),
        (0.1 + 0.2, "300m"), (-1, "0"),
    ])
    func `quantities`(value: Double, text: String) {
        #expect(ExternalMetricsDocument.quantity(value) == text)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"),
        (951_868_799, "2000-02-29T23:59:59Z"), (951_868_800, "2000-03-01T00:00:00Z"),
        (1_767_225_599, "2025-12-31T23:59:59Z"), (4_102_444_800, "2100-01-01T00:00:00Z"),
    ])
    func `timestamps`(seconds: Int, text: String) {
        #expect(ExternalMetricsDocument.timestamp(seconds) == text)
    }
}
