// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import ProxyConfiguration
import ProxyCore
import Synchronization
import Testing

@testable import ProxyRuntime

/// The external metrics API over real mutual TLS, asked by libcurl as the API server would.
@Suite(.serialized, .timeLimit(.minutes(1))) final class ExternalMetricsAPITests {
    private static let base = "/apis/external.metrics.k8s.io/v1beta1"
    private static let metric = base + "/namespaces/db/martlet_read_demand"

    /// What a test may change while it runs.
    private final class Facts: Sendable {
        let allowed = Mutex(["front-proxy-client"])
        let total = Mutex(FleetDemand.Answer.success(.init(demand: 37.5, cluster: "pg")))
    }

    private let certificates: TestCertificates
    private let store: TLSStore
    private let endpoint: HTTPEndpoint
    private let facts = Facts()

    init() throws {
        certificates = try TestCertificates()
        try certificates.makeAuthority()
        try certificates.makeAuthority("stranger")
        try certificates.make("server", name: "martlet.db.svc")
        try certificates.make("proxy", name: "front-proxy-client")
        try certificates.make("eve", name: "eve")
        try certificates.make("foreign", name: "front-proxy-client", by: "stranger")
        store = try TLSStore(
            .http(
                TLSFiles(
                    authority: certificates.path("ca.crt"),
                    certificate: certificates.path("server.crt"),
                    key: certificates.path("server.key"))),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let facts = facts
        let endpoints = ExternalMetricsEndpoints(
            allowedNames: { facts.allowed.withLock { $0 } },
            total: { facts.total.withLock { $0 } },
            readiness: { Readiness(listening: false, draining: false, topology: Topology()) },
            health: { Health(silentShards: []) }, clock: { 1_795_356_000 })
        var limits = HTTPLimits()
        limits.connections = 8
        limits.headTimeout = .milliseconds(600)
        endpoint = try HTTPEndpoint(
            host: "127.0.0.1", port: 0, limits: limits, tls: store,
            refuse: ExternalMetricsEndpoints.refusal
        ) { await endpoints.respond(to: $0) }
        endpoint.start()
    }

    deinit { endpoint.stop() }

    /// Asks with the certificate of this file, or with none.
    private func get(
        _ path: String, as client: String? = "proxy", authority: String = "ca"
    ) async -> HTTPAnswer {
        let files = TLSFiles(
            authority: certificates.path("\(authority).crt"),
            certificate: client.map { certificates.path("\($0).crt") },
            key: client.map { certificates.path("\($0).key") })
        let asker = HTTPClient(files: files)
        let url = "https://127.0.0.1:\(endpoint.port)\(path)"
        return await answer(otherwise: .failed("no answer in time")) { done in
            asker.get(url, timeout: .seconds(20)) { done($0) }
        }
    }

    private func body(_ answer: HTTPAnswer) -> JSONValue? {
        if case .answered(_, let body) = answer { JSONValue(body) } else { nil }
    }

    private func isRefused(_ answer: HTTPAnswer, _ code: Int, _ reason: String) -> Bool {
        guard case .answered(code, _) = answer, let json = body(answer) else { return false }
        return json["kind"]?.string == "Status" && json["reason"]?.string == reason
            && json["code"]?.integer == Int64(code) && json["status"]?.string == "Failure"
    }

    @Test func `the API server gets discovery and the metric`() async throws {
        let groups = body(await get("/apis"))
        #expect(groups?["groups"]?.array?.first?["name"]?.string == "external.metrics.k8s.io")
        let list = body(await get(Self.metric + "?labelSelector=cluster%3Dpg"))
        let item = try #require(list?["items"]?.array?.first)
        #expect(list?["kind"]?.string == "ExternalMetricValueList")
        #expect(item["value"]?.string == "37500m" && item["window"]?.integer == 60)
        #expect(item["metricLabels"]?["cluster"]?.string == "pg")
        let others = body(await get(Self.metric + "?labelSelector=cluster%3Dother"))
        #expect(others?["items"]?.array?.isEmpty == true)
    }

    @Test func `nobody else does`() async {
        #expect(isRefused(await get(Self.metric, as: nil), 401, "Unauthorized"))
        #expect(isRefused(await get("/apis", as: nil), 401, "Unauthorized"))
        #expect(isRefused(await get(Self.metric, as: "eve"), 403, "Forbidden"))
        guard case .failed = await get(Self.metric, as: "foreign") else {
            Issue.record("a certificate of another authority is taken")
            return
        }
        // And we are not taken for somebody else.
        guard case .failed = await get("/livez", authority: "stranger") else {
            Issue.record("libcurl trusts a stranger")
            return
        }
        facts.allowed.withLock { $0 = [] }
        #expect(body(await get(Self.metric, as: "eve"))?["items"]?.array?.count == 1)
    }

    @Test func `probes need no certificate`() async {
        #expect(await get("/livez", as: nil) == .answered(status: 200, body: Array("ok\n".utf8)))
        #expect(await get("/healthz", as: nil) == .answered(status: 200, body: Array("ok\n".utf8)))
        guard case .answered(503, let reasons) = await get("/readyz", as: nil) else {
            Issue.record("ready without listening")
            return
        }
        #expect(String(decoding: reasons, as: UTF8.self).hasPrefix("not ok: not listening yet\n"))
    }

    @Test func `errors are Statuses`() async throws {
        #expect(isRefused(await get(Self.metric + "?labelSelector=a%3D%3D%3D"), 400, "BadRequest"))
        #expect(isRefused(await get(Self.base + "/namespaces/db/other"), 404, "NotFound"))
        #expect(isRefused(await get("/openapi/v2"), 404, "NotFound"))
        facts.total.withLock { $0 = .failure(.serviceUnavailable("one does not answer")) }
        #expect(isRefused(await get(Self.metric), 503, "ServiceUnavailable"))
        let answer = try openssl("POST /apis HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
        #expect(answer.contains("HTTP/1.1 405 Method Not Allowed"))
        #expect(answer.contains("\r\nContent-Type: application/json\r\n"))
        #expect(answer.contains(#""reason":"MethodNotAllowed","code":405"#))
    }

    @Test func `it speaks HTTP 1_1 to who offers HTTP 2, and answers several requests in a row`() throws {
        let request = "GET /apis HTTP/1.1\r\nHost: h\r\n\r\n"
        let answer = try openssl(
            request + request + request.replacing("\r\n\r\n", with: "\r\nConnection: close\r\n\r\n"))
        #expect(answer.contains("ALPN protocol: http/1.1"))
        #expect(answer.ranges(of: "HTTP/1.1 200 OK").count == 3)
    }

    @Test func `certificates that change are used from then on`() async throws {
        let before = await get("/livez", as: nil)
        #expect(before == .answered(status: 200, body: Array("ok\n".utf8)))
        try certificates.make("next", name: "martlet.db.svc", by: "stranger")
        try certificates.replace("server", by: "next")
        try FileManager.default.removeItem(atPath: certificates.path("ca.crt"))
        try FileManager.default.copyItem(
            atPath: certificates.path("stranger.crt"), toPath: certificates.path("ca.crt"))
        store.refresh()
        let after = body(await get(Self.metric, as: "foreign", authority: "stranger"))
        #expect(after?["items"]?.array?.count == 1)
        guard case .failed = await get(Self.metric, as: "proxy", authority: "stranger") else {
            Issue.record("the old authority still counts")
            return
        }
    }

    @Test func `those who say nothing, or nonsense, keep nobody out`() async throws {
        var idle: [TestSocket] = []
        for index in 0..<20 {
            let socket = try TestSocket(port: endpoint.port)
            if index % 2 == 0 { socket.send("GET /apis HTTP/1.1\r\nHost: h\r\n\r\n") }
            idle.append(socket)
        }
        #expect(body(await get(Self.metric))?["items"]?.array?.count == 1)
        for socket in idle { _ = await socket.readToEnd() }
    }

    /// What OpenSSL's own client gets for these bytes.
    private func openssl(_ request: String) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = [
            "s_client", "-connect", "127.0.0.1:\(endpoint.port)", "-alpn", "h2,http/1.1",
            "-CAfile", certificates.path("ca.crt"), "-cert", certificates.path("proxy.crt"),
            "-key", certificates.path("proxy.key"), "-ign_eof",
        ]
        let (input, output) = (Foundation.Pipe(), Foundation.Pipe())
        (process.standardInput, process.standardOutput) = (input, output)
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Array(request.utf8))
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: text, as: UTF8.self)
    }
}
