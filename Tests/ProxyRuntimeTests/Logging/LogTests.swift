// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging
import ProxyCore
import ProxyRuntime
import Testing

@Suite(.timeLimit(.minutes(1))) struct LogTests {
    /// A log that writes into a pipe, and the end to read from.
    private static func piped(_ rules: LogRules = LogRules(), limit: Int = 1 << 20) -> (Log, Pipe) {
        let pipe = Pipe()
        return (Log(rules, descriptor: pipe.input, limit: limit), pipe)
    }

    @Test func `a logger writes its lines, in order, from its level on`() {
        let (log, pipe) = Self.piped()
        var logger = log.logger()
        logger[metadataKey: "component"] = "probe"
        logger.debug("unseen")
        logger.info("first", metadata: ["node": "pg1"])
        logger.warning("second", metadata: ["component": "own"])
        log.flush()
        let lines = pipe.readAll().split(separator: "\n").map { $0.split(separator: "Z ")[1] }
        #expect(
            lines == ["info     first component=probe node=pg1", "warning  second component=own"])
    }

    @Test func `a reload changes level and format of loggers that are there already`() {
        let (log, pipe) = Self.piped()
        let logger = log.logger()
        log.rules.level = .debug
        log.rules.format = .json
        logger.debug("seen")
        log.flush()
        let text = pipe.readAll()
        #expect(text.hasPrefix("{\"time\":"))
        #expect(text.hasSuffix("\"level\":\"debug\",\"message\":\"seen\"}\n"))
    }

    @Test func `a line below the level is not written, unless its logger has a level of its own`() {
        let (log, pipe) = Self.piped()
        log.write(LogLine(time: 0, level: .debug, message: "unseen"))
        var chatty = log.logger()
        chatty.logLevel = .trace
        chatty.trace("seen")
        log.flush()
        #expect(pipe.readAll().hasSuffix("Z trace    seen\n"))
    }

    @Test func `a crowd of events is two lines, and who debugs reads every one`() {
        let event = ProxyCore.LogEvent.serverFailed(NodeID(0), reason: "57P01: going down")
        for (level, expected) in [(Logger.Level.info, 2), (.debug, 80)] {
            let (log, pipe) = Self.piped()
            log.rules.level = level
            for _ in 0..<80 { log.write(LogLine(event, time: 0) { _ in "pg1" }) }
            log.flush()
            let lines = pipe.readAll().split(separator: "\n")
            #expect(lines.count == expected)
            #expect(lines.last?.hasSuffix(" times=79") == (level == .info))
        }
    }

    @Test func `the rest of a crowd is told when its time is over, without anybody asking`() async {
        let pipe = Pipe()
        let log = Log(descriptor: pipe.input, crowdMilliseconds: 1)
        let seen = pipe.follow()
        while !seen().contains(" times=") && !Task.isCancelled {
            log.write(LogLine(time: 0, level: .warning, message: "again"))
            await Task.yield()
        }
        log.flush()
        pipe.closeInput()
        let lines = seen().split(separator: "\n")
        #expect(lines.first?.hasSuffix("warning  again") == true, "the first is told at once")
        #expect(lines.contains { $0.contains("again") && $0.contains(" times=") })
    }

    @Test func `secrets are not written, wherever they are`() {
        let (log, pipe) = Self.piped()
        log.logger().info(
            "asked postgresql://app:hunter2@host/db and password='hunter2 x' user=a",
            metadata: [
                "password": "hunter2", "service_password": "hunter2", "clientSecret": "hunter2",
                "statement": "select 'hunter2'", "url": "http://hunter:hunter2@h:8008/x?a=b@c",
                "reason": "verifier SCRAM-SHA-256$4096:hunter2$hunter2:hunter2 is bad",
                "plain": "http://host:8008/a@b",
            ])
        log.flush()
        let text = pipe.readAll()
        #expect(!text.contains("hunter2"))
        #expect(!text.contains("statement="))
        #expect(text.contains("asked postgresql://app:[redacted]@host/db"))
        #expect(text.contains("url=\"http://hunter:[redacted]@h:8008/x?a=b@c\""))
        #expect(text.contains("SCRAM-SHA-256$[redacted] is bad"))
        #expect(text.contains("plain=http://host:8008/a@b"))
    }

    @Test func `a statement is written where the operator asked for it`() {
        var rules = LogRules()
        rules.statements = true
        let (log, pipe) = Self.piped(rules)
        log.logger().info("ran", metadata: ["statement": "select 1"])
        log.flush()
        #expect(pipe.readAll().hasSuffix("ran statement=\"select 1\"\n"))
    }

    @Test func `nobody reading costs lines, not time, and the log says how many`() {
        let (log, pipe) = Self.piped(limit: 4096)
        let logger = log.logger()
        let filler = String(repeating: "x", count: 1000)
        // More than the pipe and the queue hold together.
        for _ in 0..<1000 { logger.info("\(filler)") }
        let lost = log.droppedLines
        #expect(lost > 800)
        let reader = pipe.readInBackground()
        log.flush(milliseconds: 20_000)
        logger.info("after")
        log.flush(milliseconds: 20_000)
        pipe.closeInput()
        let lines = reader().split(separator: "\n")
        #expect(lines.count { $0.hasSuffix(filler) } == 1000 - lost)
        // Said in one line or in several, as the writer found time; nothing is left out.
        let notes = lines.filter { $0.contains("warning  log lines dropped count=") }
        #expect(notes.compactMap { Int($0.split(separator: "=")[1]) }.reduce(0, +) == lost)
        #expect(lines.contains { $0.hasSuffix(" after") })
    }
}
