// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import PostgresWire
import ProxyCore
import ProxyRuntime
import Testing

struct LogLineTests {
    /// 2024-02-29 23:59:59.987 UTC.
    private static let time: UInt64 = 1_709_251_199_987_654_321

    private static func line(
        _ message: String, _ fields: [(String, String)] = [], level: Logger.Level = .info
    ) -> LogLine {
        LogLine(
            time: time, level: level, message: message,
            fields: fields.map { LogLine.Field($0.0, $0.1) })
    }

    @Test func `a line of text has time, level, message and fields`() {
        let line = Self.line("client refused", [("user", "app"), ("reason", "no such role")])
        #expect(
            line.rendered(as: .text)
                == "2024-02-29T23:59:59.987Z info     client refused user=app "
                + "reason=\"no such role\"\n")
    }

    @Test(arguments: [
        (UInt64(0), "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
        (951_868_800, "2000-03-01T00:00:00.000Z"), (4_107_542_399, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000Z"), (1_735_689_599, "2024-12-31T23:59:59.000Z"),
    ])
    func `a time is the date of the Gregorian calendar`(seconds: UInt64, text: String) {
        let line = LogLine(time: seconds * 1_000_000_000, level: .info, message: "x")
        #expect(line.rendered(as: .text).hasPrefix(text + " "))
    }

    @Test func `no value can forge a line or a field`() {
        let evil = "x\n2024-01-01T00:00:00.000Z error you are hacked\r\u{85}\u{2028}user=root"
        for format in [LogLine.Format.text, .json] {
            let text = Self.line(evil, [("user", evil), ("peer", "a=b")]).rendered(as: format)
            #expect(text.split(whereSeparator: \.isNewline).count == 1)
            #expect(text.unicodeScalars.filter { $0.value < 0x20 }.count == 1)
        }
        let text = Self.line("x", [("a", "b c=d"), ("e", ""), ("f", "\"")]).rendered(as: .text)
        #expect(text.hasSuffix("x a=\"b c=d\" e=\"\" f=\"\\\"\"\n"))
    }

    @Test func `a line of JSON is one object that says the same`() throws {
        let text = Self.line("quote \" and \\", [("peer", "[::1]:5"), ("level", "fake")])
            .rendered(as: .json)
        let data = try #require(text.data(using: .utf8))
        let object = try JSONSerialization.jsonObject(with: data) as? [String: String]
        #expect(
            object == [
                "time": "2024-02-29T23:59:59.987Z", "level": "info", "message": "quote \" and \\",
                "peer": "[::1]:5",
            ])
    }

    @Test func `every event of the core has its words, level and fields`() {
        let client = ConnectionID(slot: 7, generation: 2)
        let cases: [(ProxyCore.LogEvent, Logger.Level, String)] = [
            (
                .clientLoggedIn(client, user: "app", database: "demo", peer: "10.0.0.9:5"), .debug,
                "client logged in client=7.2 user=app database=demo peer=10.0.0.9:5"
            ),
            (
                .clientLoggedIn(
                    client, user: "app", database: "demo", peer: "[::1]:5",
                    encryption: "TLSv1.3 TLS_AES_256_GCM_SHA384"), .debug,
                "client logged in client=7.2 user=app database=demo peer=[::1]:5 "
                    + "tls=\"TLSv1.3 TLS_AES_256_GCM_SHA384\""
            ),
            (
                .clientRefused(client, sqlState: "28P01", reason: "wrong password", peer: "p"),
                .notice, "client refused client=7.2 sqlstate=28P01 reason=\"wrong password\" peer=p"
            ),
            (
                .clientRefused(client, sqlState: "53300", reason: "full", peer: "p"), .warning,
                "client refused client=7.2 sqlstate=53300 reason=full peer=p"
            ),
            (.clientLeft(client, user: "app"), .debug, "client left client=7.2 user=app"),
            (
                .serverOpened(NodeID(1), database: "demo", user: "app"), .debug,
                "server connection opened node=pg1 database=demo user=app"
            ),
            (
                .serverFailed(NodeID(1), reason: "refused"), .warning,
                "server connection failed node=pg1 reason=refused"
            ),
            (
                .serverProtocolViolation(NodeID(1), reason: "type 0x01"), .error,
                "protocol violation by server, connection closed node=pg1 reason=\"type 0x01\""
            ),
            (
                .unitRetried(NodeID(1), sqlState: "40001", statement: "SELECT 1"), .info,
                "statement retried on another server connection node=pg1 sqlstate=40001 "
                    + "statement=\"SELECT 1\""
            ),
            (
                .pinned(client, reason: "listen"), .debug,
                "client pinned to its server connection client=7.2 reason=listen"
            ),
        ]
        for (event, level, words) in cases {
            let line = LogLine(event, time: Self.time) { "pg\($0.index)" }
            #expect(line.level == level)
            #expect(line.rendered(as: .text).hasSuffix(" \(words)\n"))
        }
    }
}
