// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import ProxyConfiguration
import ProxyCore
import Synchronization
import Testing

@testable import ProxyRuntime

/// The watch against a scripted API over real sockets.
@Suite(.timeLimit(.minutes(1))) struct KubernetesWatchTests {
    /// What a watch said, and what it logged.
    private final class Heard: Sendable {
        private let state = Mutex<(hints: [ClusterHint], lines: [String])>(([], []))
        var hints: [ClusterHint] { state.withLock { $0.hints } }
        var lines: [String] { state.withLock { $0.lines } }
        func add(_ hint: ClusterHint) { state.withLock { $0.hints.append(hint) } }
        func log(_ line: String) { state.withLock { $0.lines.append(line) } }
    }

    private struct Lines: LogHandler {
        let heard: Heard
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: Logging.LogEvent) {
            heard.log("\(event.message) \(event.metadata?["reason"].map { "\($0)" } ?? "")")
        }
    }

    private let heard = Heard()

    private func watch(
        _ api: ScriptedKubernetes, leader: String? = nil, pods: String? = "application=patroni",
        tokenFile: String? = nil
    ) throws -> KubernetesWatch {
        let access = KubernetesAccess(
            pods: try pods.map { text throws(LabelSelectorFault) in try LabelSelector(text) },
            leader: leader, namespace: "db",
            api: PatroniURL(address: HostAndPort(host: "127.0.0.1", port: api.server.port)),
            tokenFile: tokenFile)
        return watch(access)
    }

    private func watch(_ access: KubernetesAccess) -> KubernetesWatch {
        KubernetesWatch(
            access, logger: Logger(label: "test") { _ in Lines(heard: heard) }, seed: 1,
            clock: { MonotonicClock.now }, onHint: { [heard] in heard.add($0) })
    }

    private func settles(
        _ what: String, _ seconds: Int = 20, _ condition: () -> Bool,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for _ in 0..<(seconds * 100) {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(what): \(heard.hints) \(heard.lines)", sourceLocation: sourceLocation)
    }

    // MARK: What the API says

    private static func pod(_ name: String, version: Int, ends: Bool = false, uid: String = "u") -> String {
        let deletion = ends ? #","deletionTimestamp":"2026-01-01T00:00:00Z""# : ""
        let status = #"{\"conn_url\":\"postgres://10.0.0.1:5432/postgres\",\"role\":\"replica\"}"#
        return #"{"kind":"Pod","metadata":{"name":"\#(name)","uid":"\#(uid)\#(name)","#
            + #""resourceVersion":"\#(version)"\#(deletion),"labels":{"role":"replica"},"#
            + #""annotations":{"status":"\#(status)"}},"status":{"podIP":"10.0.0.1"}}"#
    }

    private static func list(_ items: [String], version: Int, more token: String = "") -> String {
        #"{"kind":"PodList","metadata":{"resourceVersion":"\#(version)","continue":"\#(token)"},"#
            + #""items":[\#(items.joined(separator: ","))]}"#
    }

    private static func event(_ type: String, _ object: String) -> String {
        #"{"type":"\#(type)","object":\#(object)}"# + "\n"
    }

    private static func bookmark(_ version: Int) -> String {
        event("BOOKMARK", #"{"kind":"Pod","metadata":{"resourceVersion":"\#(version)"}}"#)
    }

    private static let gone = event(
        "ERROR", #"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#)

    // MARK: Tests

    @Test func `lists in pages, then watches from the list's version`() async throws {
        let api = ScriptedKubernetes { path, _ in
            if path.contains("watch=1") { return .stream([], staysOpen: true) }
            return path.contains("continue=t%2F1")
                ? .answer(200, Self.list([Self.pod("b", version: 2, ends: true)], version: 9))
                : .answer(200, Self.list([Self.pod("a", version: 1)], version: 9, more: "t/1"))
        }
        let watch = try watch(api)
        watch.start()
        defer { watch.stop() }
        try await settles("the watch") { api.paths.count == 3 }
        #expect(
            api.paths == [
                "/api/v1/namespaces/db/pods?labelSelector=application%3Dpatroni&limit=200",
                "/api/v1/namespaces/db/pods?labelSelector=application%3Dpatroni&limit=200"
                    + "&continue=t%2F1",
                "/api/v1/namespaces/db/pods?labelSelector=application%3Dpatroni&watch=1"
                    + "&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion=9",
            ])
        #expect(heard.hints == [.membersChanged, .draining(name: "b", true)])
        #expect(watch.figures.map(\.isInSync) == [true])
        #expect(!api.requests.contains { $0.contains("Authorization") })
    }

    @Test(arguments: [1, 2, 7, 50, 4096])
    func `events may be split anywhere`(size: Int) async throws {
        let text = Self.event("ADDED", Self.pod("b", version: 3)) + Self.bookmark(4)
            + Self.event("MODIFIED", Self.pod("b", version: 5, ends: true))
            + Self.event("DELETED", Self.pod("b", version: 6, ends: true))
            + Self.event("ADDED", Self.pod("b", version: 7, uid: "v"))
        let bytes = Array(text.utf8)
        let pieces = stride(from: 0, to: bytes.count, by: size).map {
            String(decoding: bytes[$0..<min($0 + size, bytes.count)], as: UTF8.self)
        }
        let api = ScriptedKubernetes { path, _ in
            path.contains("watch=1")
                ? .stream(pieces, staysOpen: true)
                : .answer(200, Self.list([Self.pod("a", version: 1)], version: 2))
        }
        let watch = try watch(api)
        watch.start()
        defer { watch.stop() }
        let expected: [ClusterHint] = [
            .membersChanged, .membersChanged, .draining(name: "b", true), .membersChanged,
            .draining(name: "b", false), .membersChanged,
        ]
        try await settles("all events") { heard.hints.count >= expected.count }
        #expect(heard.hints == expected)
        #expect(watch.figures.first?.events == 4)
    }

    @Test func `a watch that ends goes on from the bookmark, and the last line needs no end`()
        async throws
    {
        let api = ScriptedKubernetes { path, number in
            guard path.contains("watch=1") else { return .answer(200, Self.list([], version: 2)) }
            let last = Self.event("ADDED", Self.pod("b", version: 8)).dropLast()
            return number == 1
                ? .stream([Self.bookmark(7), String(last)], staysOpen: false)
                : .stream([], staysOpen: true)
        }
        let watch = try watch(api)
        watch.start()
        defer { watch.stop() }
        try await settles("the next watch") { api.paths.count == 3 }
        #expect(api.paths.last?.hasSuffix("resourceVersion=8") == true)
        #expect(heard.hints == [.membersChanged])
        #expect(heard.lines.isEmpty)
    }

    @Test(arguments: [true, false])
    func `410 means listing anew, and what was missed is found`(asStatus: Bool) async throws {
        let api = ScriptedKubernetes { path, number in
            if path.contains("watch=1") {
                if number > 1 { return .stream([], staysOpen: true) }
                return asStatus ? .answer(410, #"{"message":"x"}"#) : .stream([Self.gone], staysOpen: true)
            }
            return .answer(
                200, Self.list([Self.pod("a", version: 1, ends: number > 0)], version: 2 + number))
        }
        let watch = try watch(api)
        watch.start()
        defer { watch.stop() }
        try await settles("the second watch") { api.paths.count == 4 }
        #expect(heard.hints == [.membersChanged, .draining(name: "a", true)])
        #expect(api.paths.last?.hasSuffix("resourceVersion=4") == true)
        #expect(heard.lines.isEmpty)
    }

    @Test func `a connection that breaks is logged once, tried again later, and told when it is back`()
        async throws
    {
        let api = ScriptedKubernetes { path, number in
            switch number {
            case 1: return .broken([Self.event("ADDED", Self.pod("b", version: 3)), #"{"type":"#])
            case 2, 3: return .answer(403, #"{"kind":"Status","message":"pods is forbidden"}"#)
            default:
                return path.contains("watch=1")
                    ? .stream([], staysOpen: true)
                    : .answer(200, Self.list([Self.pod("b", version: 3, ends: number > 1)], version: 4))
            }
        }
        let watch = try watch(api)
        watch.start()
        defer { watch.stop() }
        try await settles("the way back", 30) { api.paths.count == 6 }
        try await settles("the news") { heard.lines.count == 3 }
        let words = "Kubernetes watch failed, members are found through Patroni alone"
        #expect(heard.lines[0].hasPrefix(words))
        #expect(heard.lines[1] == "\(words) the API answers 403: pods is forbidden")
        #expect(heard.lines[2] == "Kubernetes watch resumed ")
        #expect(heard.hints == [.membersChanged, .draining(name: "b", true)])
        #expect(watch.figures.first?.isInSync == true && watch.figures.first?.failures == 3)
    }

    @Test func `nonsense and objects without end do no harm`() async throws {
        let endless = String(repeating: "x", count: 1 << 20)
        let api = ScriptedKubernetes { path, number in
            switch number {
            case 0: .answer(200, "[]")
            case 1: .answer(200, Self.list([], version: 1))
            case 2: .stream(["not json\n"], staysOpen: true)
            case 3: .answer(200, Self.list([], version: 1))
            default:
                path.contains("watch=1")
                    ? .stream([endless, endless, endless, endless, endless], staysOpen: true)
                    : .answer(200, Self.list([], version: 1))
            }
        }
        let watch = try watch(api)
        watch.start()
        defer { watch.stop() }
        try await settles("the third failure", 30) { watch.figures[0].failures >= 3 }
        let reasons = heard.lines.filter { $0.hasPrefix("Kubernetes watch failed") }
        #expect(reasons.count == 3)
        #expect(reasons[0].hasSuffix("the answer is no list"))
        #expect(reasons[1].hasSuffix("a line of the watch is no event"))
        #expect(reasons[2].hasSuffix("an object is larger than 4 MB"))
    }

    @Test func `the leader's ConfigMap is watched by its name`() async throws {
        func map(_ leader: String, _ version: Int) -> String {
            #"{"metadata":{"name":"pg-leader","resourceVersion":"\#(version)","#
                + #""annotations":{"leader":"\#(leader)","ttl":"30"}}}"#
        }
        let list = Self.list([map("a", 1)], version: 2)
        let api = ScriptedKubernetes { path, _ in
            path.contains("watch=1") ? .stream([], staysOpen: true) : .answer(200, list)
        }
        let watch = try watch(api, leader: "pg-leader", pods: nil)
        watch.start()
        defer { watch.stop() }
        try await settles("the watch") { api.paths.count == 2 }
        let path = "/api/v1/namespaces/db/configmaps?fieldSelector=metadata.name%3Dpg-leader"
        #expect(api.paths.allSatisfy { $0.hasPrefix(path) })
        // The lock is renewed: no news. Then another one has it.
        api.push(Self.event("MODIFIED", map("a", 3)))
        api.push(Self.event("MODIFIED", map("b", 4)))
        try await settles("the hint") { !heard.hints.isEmpty }
        #expect(heard.hints == [.primaryMayChange])
        #expect(watch.figures.first?.events == 2)
    }

    @Test func `the token is read for each request, and certificates are checked`() async throws {
        let certificates = try TestCertificates()
        try certificates.makeAuthority()
        try certificates.make("server", name: "kubernetes")
        try certificates.makeAuthority("other")
        let token = certificates.path("token")
        try "first\n".write(toFile: token, atomically: true, encoding: .utf8)
        let seen = Mutex<[String]>([])
        let store = try TLSStore(
            .http(
                TLSFiles(
                    authority: certificates.path("ca.crt"),
                    certificate: certificates.path("server.crt"),
                    key: certificates.path("server.key"))),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let endpoint = try HTTPEndpoint(host: "127.0.0.1", port: 0, tls: store) { request in
            seen.withLock { $0.append(request.path) }
            try? "second\n".write(toFile: token, atomically: true, encoding: .utf8)
            return HTTPResponse(.ok, Self.list([Self.pod("a", version: 1)], version: 2))
        }
        endpoint.start()
        defer { endpoint.stop() }
        var access = KubernetesAccess(
            pods: try LabelSelector("a"), leader: nil, namespace: "db",
            api: PatroniURL(
                isSecure: true, address: HostAndPort(host: "127.0.0.1", port: endpoint.port)),
            authority: certificates.path("other.crt"), tokenFile: token)
        let distrustful = watch(access)
        distrustful.start()
        try await settles("the refusal") { !heard.lines.isEmpty }
        distrustful.stop()
        #expect(seen.withLock { $0.isEmpty })
        #expect(heard.lines[0].contains("SSL"))
        access.authority = certificates.path("ca.crt")
        let trusting = watch(access)
        trusting.start()
        try await settles("the list") { heard.hints == [.membersChanged] }
        trusting.stop()
    }

    @Test func `a token that rotates is used, and one that cannot be read is a failure`() async throws {
        let certificates = try TestCertificates()
        let token = certificates.path("token")
        let api = ScriptedKubernetes { path, number in
            try? "token-\(number)\n".write(toFile: token, atomically: true, encoding: .utf8)
            return path.contains("watch=1")
                ? .stream([], staysOpen: true) : .answer(200, Self.list([], version: 1))
        }
        let watch = try watch(api, tokenFile: token)
        watch.start()
        defer { watch.stop() }
        try await settles("the failure") { !heard.lines.isEmpty }
        #expect(heard.lines[0].contains("the token cannot be read: there is no file"))
        try "first\n".write(toFile: token, atomically: true, encoding: .utf8)
        try await settles("the watch") { api.requests.count == 2 }
        #expect(api.requests[0].contains("\r\nAuthorization: Bearer first\r\n"))
        #expect(api.requests[1].contains("\r\nAuthorization: Bearer token-0\r\n"))
    }
}
