// SPDX-License-Identifier: Apache-2.0

/// An error as the Kubernetes API gives it: `metav1.Status`.
package struct KubernetesStatus: Error, Equatable, Sendable {
    package let code: Int
    /// A word that clients decide by.
    package let reason: String
    package let message: String

    private init(_ code: Int, _ reason: String, _ message: String) {
        self.code = code
        self.reason = reason
        self.message = message
    }

    package static func badRequest(_ message: String) -> KubernetesStatus {
        KubernetesStatus(400, "BadRequest", message)
    }

    /// No certificate was shown.
    package static let unauthorized = KubernetesStatus(
        401, "Unauthorized", "a client certificate of the front proxy is required")

    /// The certificate is valid, but its name is not allowed.
    package static func forbidden(name: String?) -> KubernetesStatus {
        let who = name.map { "\"\($0)\"" } ?? "without a common name"
        return KubernetesStatus(
            403, "Forbidden", "the client certificate \(who) is not among the allowed names")
    }

    package static func notFound() -> KubernetesStatus {
        KubernetesStatus(404, "NotFound", "the server could not find the requested resource")
    }

    package static func notFound(metric: String) -> KubernetesStatus {
        KubernetesStatus(
            404, "NotFound",
            "the external metric \"\(metric)\" does not exist; "
                + "there is \(ExternalMetricsRequest.metric)")
    }

    package static let methodNotAllowed = KubernetesStatus(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    package static func serviceUnavailable(_ message: String) -> KubernetesStatus {
        KubernetesStatus(503, "ServiceUnavailable", message)
    }

    /// A request that the HTTP layer rejects before it looks at the path.
    package static func refused(code: Int, reason: String) -> KubernetesStatus {
        switch code {
        case 400: badRequest(reason)
        case 405: methodNotAllowed
        case 503: serviceUnavailable(reason)
        default: KubernetesStatus(code, reason.filter { $0 != " " }, reason)
        }
    }

    package var text: String {
        ExternalMetricsDocument.text("Status") { json in
            json.beginObject("metadata")
            json.endObject()
            json.member("status", "Failure")
            json.member("message", message)
            json.member("reason", reason)
            json.member("code", UInt64(code))
        }
    }
}
