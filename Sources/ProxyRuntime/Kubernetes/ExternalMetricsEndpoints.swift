// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// What the external metrics API answers, and to whom.
///
/// The API server has let its client ask before it asks us; we have to be sure that it is the API
/// server. That is what its certificate says: one of the front-proxy authority, with an allowed
/// name. Only the probes of the kubelet, which has no certificate, are answered to everybody.
package struct ExternalMetricsEndpoints: Sendable {
    /// Empty: any name.
    package var allowedNames: @Sendable () -> [String]
    package var total: @Sendable () async -> FleetDemand.Answer
    package var readiness: @Sendable () -> Readiness
    package var health: @Sendable () async -> Health
    /// Seconds since 1970.
    package var clock: @Sendable () -> Int

    package init(
        allowedNames: @escaping @Sendable () -> [String],
        total: @escaping @Sendable () async -> FleetDemand.Answer,
        readiness: @escaping @Sendable () -> Readiness,
        health: @escaping @Sendable () async -> Health, clock: @escaping @Sendable () -> Int
    ) {
        self.allowedNames = allowedNames
        self.total = total
        self.readiness = readiness
        self.health = health
        self.clock = clock
    }

    /// Answers one request.
    package func respond(to request: HTTPRequest) async -> HTTPResponse {
        let asked = ExternalMetricsRequest(path: request.path, query: request.query)
        if !asked.isForEverybody, let refusal = refusal(of: request.peer) {
            return Self.response(refusal)
        }
        switch asked {
        case .document(let text): return Self.document(text)
        case .refused(let status): return Self.response(status)
        case .alive: return Self.verdict(await health().reasons)
        case .ready: return Self.verdict(readiness().reasons)
        case .demand(let selector):
            switch await total() {
            case .failure(let status): return Self.response(status)
            case .success(let total):
                return Self.document(
                    ExternalMetricsDocument.values(
                        demand: total.demand, cluster: total.cluster, selector: selector,
                        seconds: clock()))
            }
        }
    }

    /// Why somebody may not ask; nil where they may.
    private func refusal(of peer: HTTPPeer) -> KubernetesStatus? {
        switch peer {
        case .unencrypted, .anonymous: return .unauthorized
        case .certificate(let name):
            let allowed = allowedNames()
            if allowed.isEmpty || name.map(allowed.contains) ?? false { return nil }
            return .forbidden(name: name)
        }
    }

    /// What the HTTP layer refuses by itself, as a Status.
    package static func refusal(_ status: HTTPStatus) -> HTTPResponse {
        response(.refused(code: status.code, reason: status.reason), status)
    }

    private static func response(
        _ status: KubernetesStatus, _ http: HTTPStatus? = nil
    ) -> HTTPResponse {
        let known: [HTTPStatus] = [
            .badRequest, .unauthorized, .forbidden, .notFound, .methodNotAllowed,
        ]
        let code = http ?? known.first { $0.code == status.code } ?? .serviceUnavailable
        return HTTPResponse(
            code, status.text, contentType: ExternalMetricsDocument.contentType)
    }

    private static func document(_ text: String) -> HTTPResponse {
        HTTPResponse(.ok, text, contentType: ExternalMetricsDocument.contentType)
    }

    private static func verdict(_ reasons: [String]) -> HTTPResponse {
        reasons.isEmpty
            ? HTTPResponse(.ok, "ok\n")
            : HTTPResponse(.serviceUnavailable, reasons.map { "not ok: \($0)\n" }.joined())
    }
}
