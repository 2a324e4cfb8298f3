// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

private func packet(_ body: [UInt8]) throws(StartupFault) -> StartupPacket {
    try unsafe StartupPacket(body: body.span.bytes)
}

/// The body of a StartupMessage: version 3.`minor`, then these strings, each with its zero.
private func startup(_ strings: [String], minor: UInt8 = 0, end: [UInt8] = [0]) -> [UInt8] {
    [0, 3, 0, minor] + strings.flatMap { Array($0.utf8) + [0] } + end
}

private func message(_ strings: [String], minor: UInt8 = 0) throws -> StartupMessage {
    guard case .startup(let message) = try packet(startup(strings, minor: minor)) else {
        throw StartupFault.missingTerminator
    }
    return message
}

private func fault(_ body: [UInt8]) -> StartupFault? {
    do {
        _ = try packet(body)
        return nil
    } catch {
        return error
    }
}

private func bytes(_ append: (inout ByteQueue) -> Void) -> [UInt8] {
    var queue = ByteQueue(pool: BytePool())
    append(&queue)
    return unsafe queue.unread.withUnsafeBytes { unsafe Array($0) }
}

@Suite struct StartupPacketTests {
    @Test func `requests for encryption are recognised`() throws {
        #expect(try packet([0x04, 0xd2, 0x16, 0x2f]) == .sslRequest)
        #expect(try packet([0x04, 0xd2, 0x16, 0x30]) == .gssEncRequest)
    }

    @Test func `requests for encryption say nothing else`() {
        #expect(fault([0x04, 0xd2, 0x16, 0x2f, 0]) == .invalidLength(9))
        #expect(fault([0x04, 0xd2, 0x16, 0x30, 0, 0]) == .invalidLength(10))
    }

    @Test(arguments: [1, 4, 32, 256])
    func `a cancel request has a secret of any length up to 256`(count: Int) throws {
        let secret = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        #expect(
            try packet([0x04, 0xd2, 0x16, 0x2e, 0, 0, 1, 2] + secret)
                == .cancelRequest(processID: 258, secret: secret))
    }

    @Test(arguments: [0, 3, 4, 261])
    func `a cancel request without a secret, or too long, is refused`(count: Int) {
        let body = [0x04, 0xd2, 0x16, 0x2e] + [UInt8](repeating: 1, count: count)
        #expect(fault(body) == .invalidCancelRequest)
    }

    @Test func `a startup message says who and where`() throws {
        let message = try message([
            "user", "alice", "database", "shop", "application_name", "psql",
        ])
        #expect(message.user == "alice" && message.database == "shop")
        #expect(message.settings == [.init("application_name", "psql")])
        #expect(message.replication == .none && message.options == nil)
        #expect(!message.needsNegotiation && message.agreedMinorVersion == 0)
    }

    // Edge cases: 7
    @Test func `the database defaults to the user, and an empty one is none`() throws {
        #expect(try message(["user", "alice"]).database == "alice")
        #expect(try message(["user", "alice", "database", ""]).database == "alice")
    }

    // Edge cases: 5
    @Test func `of duplicates the last one counts, and settings keep their order`() throws {
        let message = try message([
            "user", "a", "user", "b", "work_mem", "1MB", "options", "-e", "Work_Mem", "2MB",
            "options", "-F",
        ])
        #expect(message.user == "b")
        #expect(message.options == Array("-F".utf8))
        #expect(message.settings == [.init("work_mem", "1MB"), .init("Work_Mem", "2MB")])
    }

    @Test func `nobody is no user`() {
        #expect(fault(startup([])) == .missingUser)
        #expect(fault(startup(["database", "shop"])) == .missingUser)
        #expect(fault(startup(["user", "", "database", "shop"])) == .missingUser)
    }

    // Edge cases: 5
    @Test(arguments: [
        startup(["user", "alice"], end: []), startup(["user", "alice"], end: [0, 0]),
        startup(["user", "alice"], end: [0, 1]), startup(["user"]), startup([], end: []),
        [0, 3, 0, 0, 0x75], startup(["user", "alice", "", "x"]),
    ])
    func `a packet ends with its terminator and nowhere else`(body: [UInt8]) {
        #expect(fault(body) == .missingTerminator)
    }

    @Test func `other major versions are refused in PostgreSQL's words`() {
        let old = fault([0, 2, 0, 0, 0])
        #expect(old == .unsupportedProtocol(major: 2, minor: 0))
        #expect(old?.sqlState == "0A000")
        #expect(old?.message == "unsupported frontend protocol 2.0: server supports 3.0 to 3.2")
        #expect(fault([0, 4, 0, 1, 0]) == .unsupportedProtocol(major: 4, minor: 1))
    }

    @Test func `newer minor versions and protocol options are negotiated`() throws {
        let newer = StartupPacket.startup(
            try StartupMessage(minorVersion: 9999, parameters: [.init("user", "a")]))
        guard case .startup(let read) = try packet(Array(bytes { newer.append(to: &$0) }[4...]))
        else { throw StartupFault.missingTerminator }
        #expect(read.needsNegotiation && read.agreedMinorVersion == 2)

        let message = try message(["user", "a", "_pq_.x", "1", "_pq_.y", ""], minor: 0)
        #expect(message.needsNegotiation && message.settings.isEmpty)
        #expect(
            bytes { message.appendNegotiation(to: &$0) }
                == [0x76, 0, 0, 0, 26, 0, 3, 0, 0, 0, 0, 0, 2]
                + Array("_pq_.x\0_pq_.y\0".utf8))
    }

    @Test func `version 3_2 needs no negotiation`() throws {
        let message = try message(["user", "a"], minor: 2)
        #expect(message.agreedMinorVersion == 2 && !message.needsNegotiation)
    }

    @Test(arguments: [
        (["true"], StartupMessage.Replication.physical), (["ON"], .physical), (["y"], .physical),
        (["1"], .physical), (["database"], .database), (["false"], .none), (["of"], .none),
        (["0"], .none), (["N"], .none), (["database", "true"], .database),
        (["database", "off"], .none), (["true", "database"], .database),
    ])
    func `replication is a boolean or a database`(
        values: [String], expected: StartupMessage.Replication
    ) throws {
        let pairs = values.flatMap { ["replication", $0] }
        let message = try message(["user", "a"] + pairs)
        #expect(message.replication == expected)
        #expect(message.database == (expected == .physical ? "" : "a"))
    }

    @Test(arguments: ["", "o", "maybe", "2", "truee", "Database"])
    func `replication is nothing else`(value: String) {
        #expect(fault(startup(["user", "a", "replication", value])) == .invalidReplication(value))
    }

    @Test func `names are cut as PostgreSQL cuts them, between characters`() throws {
        let long = String(repeating: "x", count: 62) + "é" + "tail"
        let message = try message(["user", long, "database", String(repeating: "d", count: 64)])
        #expect(message.user == String(repeating: "x", count: 62))
        #expect(message.database == String(repeating: "d", count: 63))
    }

    @Test func `names must be readable, values need not be`() throws {
        let latin: [UInt8] = [0xe9, 0]
        #expect(fault([0, 3, 0, 0] + Array("user\0".utf8) + latin + [0]) == .invalidEncoding)
        let named = startup(["user", "a"], end: []) + latin + Array("x\0\0".utf8)
        #expect(fault(named) == .invalidEncoding)
        let valued = startup(["user", "a", "application_name"], end: []) + latin + [0]
        guard case .startup(let message) = try packet(valued) else {
            throw StartupFault.missingTerminator
        }
        #expect(message.value(of: "application_name") == [0xe9])
    }

    @Test func `lengths are judged as soon as they are there`() throws {
        func length(_ bytes: [UInt8]) throws(StartupFault) -> Int? {
            try unsafe StartupPacket.length(of: bytes.span.bytes)
        }
        for count in 0..<4 { #expect(try length([UInt8](repeating: 0, count: count)) == nil) }
        #expect(try length([0, 0, 0, 8]) == 8)
        #expect(try length([0, 0, 0x27, 0x10, 7]) == 10_000)
        for bad in [[0, 0, 0, 0], [0, 0, 0, 7], [0, 0, 0x27, 0x11], [0xff, 0xff, 0xff, 0xff]] {
            #expect(throws: StartupFault.self) { try length(bad.map { UInt8($0) }) }
        }
        // What other protocols begin with: a TLS hello, an HTTP request.
        for other in [[0x16, 3, 1, 2], Array("GET ".utf8)] as [[UInt8]] {
            #expect(throws: StartupFault.self) { try length(other) }
        }
    }

    @Test func `a short body is refused`() {
        for count in 0..<4 {
            let refused = fault([UInt8](repeating: 0, count: count))
            #expect(refused == .invalidLength(UInt32(count) + 4))
        }
    }
}

/// SplitMix64, so that a property test that fails can be repeated from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Bytes other than zero, which end a string.
    mutating func text(_ length: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: length, using: &self)).map { _ in .random(in: 1...255, using: &self) }
    }
}

@Suite struct StartupPacketProperties {
    private func anyPacket(_ random: inout SeededGenerator) throws -> StartupPacket {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return .sslRequest
        case 1: return .gssEncRequest
        case 2:
            return .cancelRequest(
                processID: .random(in: 0 ... .max, using: &random), secret: random.text(1...256))
        default:
            let parameters = (0..<Int.random(in: 0...8, using: &random)).map { index in
                StartupMessage.Parameter("p\(index)é.x", random.text(0...40))
            }
            return .startup(
                try StartupMessage(
                    minorVersion: .random(in: 0 ... .max, using: &random),
                    parameters: parameters + [.init("user", "u")]))
        }
    }

    @Test func `every packet is read as it was written`() throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<2_000 {
            let written = try anyPacket(&random)
            let wire = bytes { written.append(to: &$0) }
            let length = try unsafe StartupPacket.length(of: wire.span.bytes)
            #expect(length == wire.count)
            #expect(try packet(Array(wire[4...])) == written)
        }
    }

    @Test func `every packet cut short or changed is read or refused, and never another kind`()
        throws
    {
        var random = SeededGenerator(seed: 12)
        for _ in 0..<2_000 {
            let written = try anyPacket(&random)
            var body = Array(bytes { written.append(to: &$0) }[4...])
            body.removeLast(Int.random(in: 0...min(3, body.count), using: &random))
            if !body.isEmpty {
                let at = Int.random(in: 0..<body.count, using: &random)
                body[at] = .random(in: 0...255, using: &random)
            }
            guard let read = try? packet(body) else { continue }
            // What was accepted means one thing only: written again it is the same.
            let again = bytes { read.append(to: &$0) }
            #expect(Array(again[4...]) == body)
        }
    }

    @Test func `any bytes are read or refused`() {
        var random = SeededGenerator(seed: 13)
        for round in 0..<4_000 {
            var body = random.text(0...64).map { round % 2 == 0 ? $0 : $0 & 3 }
            if round % 3 == 0 { body = [0, 3, 0, 0] + body }
            let refused = fault(body)
            if refused == nil { #expect(body.count >= 4) }
        }
    }
}
