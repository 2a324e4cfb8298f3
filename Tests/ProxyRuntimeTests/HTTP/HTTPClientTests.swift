// SPDX-License-Identifier: Apache-2.0
import ProxyCore
import ProxyRuntime
import Testing

@Suite(.timeLimit(.minutes(1))) struct HTTPClientTests {
    private func get(
        _ server: ScriptedServer, path: String = "/primary", timeout: Instant.Span = .seconds(30),
        client: HTTPClient = HTTPClient()
    ) async -> HTTPAnswer {
        await answer(otherwise: .failed("no answer in time")) { done in
            client.get("http://127.0.0.1:\(server.port)\(path)", timeout: timeout) { done($0) }
        }
    }

    @Test func `an answer of HTTP 1_0 without a length ends with the connection`() async {
        let server = ScriptedServer { peer in
            _ = peer.receiveHead()
            peer.send("HTTP/1.0 503 Service Unavailable\r\nServer: x\r\n\r\n{\"state\":")
            peer.send(" \"running\"}")
        }
        let answer = await get(server)
        #expect(answer == .answered(status: 503, body: Array("{\"state\": \"running\"}".utf8)))
    }

    @Test func `the request is a plain GET of that path`() async {
        let server = ScriptedServer { peer in
            let head = peer.receiveHead()
            peer.send("HTTP/1.0 200 OK\r\n\r\n\(head.prefix { $0 != "\r\n" })")
        }
        let answer = await get(server, path: "/cluster")
        #expect(answer == .answered(status: 200, body: Array("GET /cluster HTTP/1.1".utf8)))
    }

    @Test func `a server that accepts and never answers costs the timeout`() async {
        let server = ScriptedServer { $0.waitForEnd() }
        let answer = await get(server, timeout: .milliseconds(100))
        #expect(answer == .failed("Timeout was reached"))
    }

    @Test func `a server that trickles costs the timeout, too`() async {
        let server = ScriptedServer { peer in
            _ = peer.receiveHead()
            peer.send("HTTP/1.0 200 OK\r\n\r\n{")
            peer.waitForEnd()
        }
        let answer = await get(server, timeout: .milliseconds(100))
        #expect(answer == .failed("Timeout was reached"))
    }

    @Test func `nobody there is a failure`() async {
        let server = ScriptedServer { _ in }
        server.stop()
        guard case .failed = await get(server) else {
            Issue.record("an answer from nobody")
            return
        }
    }

    @Test func `a body without end is cut off`() async {
        let server = ScriptedServer { peer in
            _ = peer.receiveHead()
            peer.send("HTTP/1.0 200 OK\r\n\r\n")
            for _ in 0..<300 { peer.send([UInt8](repeating: 0x20, count: 8192)) }
        }
        guard case .failed = await get(server) else {
            Issue.record("2.4 MB were taken")
            return
        }
    }

    @Test func `a redirect is not followed`() async {
        let server = ScriptedServer { peer in
            _ = peer.receiveHead()
            peer.send("HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")
        }
        let answer = await get(server)
        #expect(answer == .answered(status: 302, body: []))
        #expect(server.connectionCount == 1)
    }

    @Test func `what is not HTTP is a failure`() async {
        let server = ScriptedServer { peer in
            _ = peer.receiveHead()
            peer.send("E\0\0\0\u{8}no\0\0")
        }
        guard case .failed = await get(server) else {
            Issue.record("taken for HTTP")
            return
        }
    }

    @Test func `a silent member does not hold up the others`() async {
        let silent = ScriptedServer { $0.waitForEnd() }
        let quick = ScriptedServer { peer in
            _ = peer.receiveHead()
            peer.send("HTTP/1.0 200 OK\r\n\r\n")
        }
        let client = HTTPClient()
        async let late = get(silent, timeout: .seconds(1), client: client)
        for _ in 0..<20 {
            #expect(await get(quick, client: client) == .answered(status: 200, body: []))
        }
        #expect(await late == .failed("Timeout was reached"))
        #expect(quick.connectionCount == 20, "no connection is kept")
    }
}

@Suite struct PatroniAnswerTests {
    private func member(_ text: String, status: Int = 200) -> MemberReport? {
        PatroniAnswer.member(status: status, body: Array(text.utf8))
    }

    @Test func `a primary of Patroni 4_1 is read`() throws {
        let text = """
            {"state": "running", "postmaster_start_time": "2026-01-01 00:00:00.0+00:00",
            "role": "primary", "server_version": 150020, "xlog": {"location": 67143784},
            "timeline": 3, "replication": [{"usename": "replicator", "state": "streaming"}],
            "dcs_last_seen": 1767225600, "tags": {"weight": 50, "noloadbalance": true, "zone": "a"},
            "database_system_identifier": "7711293700321408251", "pending_restart": true,
            "patroni": {"version": "4.1.5", "scope": "demo", "name": "pg-0"}}
            """
        let report = try #require(member(text))
        #expect(report.role == .primary && report.describesWritablePrimary && report.holdsLock)
        #expect(report.timeline == 3)
        #expect(report.systemIdentifier == "7711293700321408251")
        #expect(report.tags.isNoLoadBalance)
        #expect(report.tags.share("weight") == 0.5)
        #expect(report.tags["zone"] == "a")
        #expect(report.serverVersion == 150020)
        #expect(report.isRestartPending)
        #expect(report.scope == "demo" && report.patroniVersion == "4.1.5")
    }

    @Test func `a master of Patroni 3_0_2 is read`() throws {
        let text = """
            {"state": "running", "role": "master", "server_version": 150020,
            "xlog": {"location": 67143784}, "timeline": 1, "dcs_last_seen": 1767225600,
            "database_system_identifier": "7", "patroni": {"version": "3.0.2", "scope": "demo"}}
            """
        let report = try #require(member(text))
        #expect(report.role == .primary && report.describesWritablePrimary)
        #expect(report.replicationState == nil)
    }

    @Test func `failsafe, pause and a server that cannot be asked are read`() throws {
        let failsafe = try #require(
            member(
                #"{"state":"running","role":"primary","timeline":1,"failsafe_mode_is_active":true,"cluster_unlocked":true}"#,
                status: 503))
        #expect(failsafe.describesWritablePrimary && !failsafe.holdsLock)
        let paused = try #require(
            member(#"{"state":"running","role":"primary","timeline":1,"pause":true}"#, status: 503))
        #expect(paused.describesWritablePrimary && paused.isPaused)
        let unknown = try #require(member(#"{"state":"unknown","role":"promoted"}"#))
        #expect(!unknown.describesWritablePrimary)
        #expect(unknown.role == .other("promoted") && unknown.timeline == nil)
    }

    @Test(arguments: ["", "[]", "{}", "null", "{\"state\": 1}", "<html>", "{\"state\": \"running\""])
    func `what is not Patroni's is no report`(text: String) {
        #expect(member(text) == nil)
    }

    @Test func `a cluster is read with lags of either type, and members that are not ready left out`()
        throws
    {
        let text = """
            {"members": [
            {"name": "a", "role": "leader", "state": "running", "host": "10.0.0.1", "port": 5411,
             "api_url": "http://10.0.0.1:8008/patroni", "timeline": 1},
            {"name": "b", "role": "replica", "state": "streaming", "host": "b.pod", "port": "5432",
             "api_url": "https://b.pod:8008/patroni", "lag": 0, "tags": {"noloadbalance": true}},
            {"name": "c", "role": "replica", "state": "starting", "host": "fd00::1", "port": 5432,
             "api_url": "http://[fd00::1]:8008/patroni", "lag": "unknown"},
            {"name": "d", "role": "replica", "state": "creating replica"},
            {"name": "e", "host": "e", "port": 70000, "api_url": "http://e:8008/patroni"},
            {"name": "f", "host": "f", "port": 5432, "api_url": "ftp://f/"}
            ], "scope": "demo", "scheduled_switchover": {"at": "2030-01-01T00:00:00+00:00"}}
            """
        let report = try #require(PatroniAnswer.cluster(body: Array(text.utf8)))
        #expect(report.scope == "demo")
        #expect(report.members.map(\.name) == ["a", "b", "c"])
        #expect(report.members.map(\.port) == [5411, 5432, 5432])
        #expect(
            report.members.map(\.restURL) == [
                "http://10.0.0.1:8008", "https://b.pod:8008", "http://[fd00::1]:8008",
            ])
        #expect(report.members[1].tags.isNoLoadBalance)
    }

    @Test func `nothing that can be said makes the reader fall over`() {
        var generator = SplitMix64(seed: 3)
        let pieces = [
            "{", "}", "[", "]", "\"", ":", ",", "\"state\"", "\"role\"", "\"members\"", "1e999",
            "-", "\\u12", "null", "99999999999999999999", "\u{fffd}", " ",
        ]
        var reports = 0
        for _ in 0..<3000 {
            let count = Int(generator.next() % 12)
            let text = (0..<count).map { _ in pieces[Int(generator.next() % UInt64(pieces.count))] }
                .joined()
            if member(text) != nil { reports += 1 }
            if PatroniAnswer.cluster(body: Array(text.utf8)) != nil { reports += 1 }
        }
        #expect(reports < 3000)
    }
}
