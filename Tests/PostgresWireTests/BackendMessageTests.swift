// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

struct DataRowTests {
    @Test func `a row has values and nulls, each with its length`() throws {
        let body: [UInt8] = [0, 4, 0, 0, 0, 1, 0x61, 255, 255, 255, 255, 0, 0, 0, 0]
            + [0, 0, 0, 2, 0xc3, 0xa9]
        #expect(try DataRow.parse(body: body.rawSpan) == ["a", nil, "", "é"])
        #expect(try DataRow.parse(body: [0, 0].rawSpan) == [])
        #expect(try DataRow.parse(body: [255, 255].rawSpan) == [])
    }

    @Test func `a row that is cut short is refused at every byte`() {
        let whole: [UInt8] = [0, 3, 0, 0, 0, 1, 0x61, 255, 255, 255, 255, 0, 0, 0, 1, 0x62]
        for count in 0..<whole.count {
            let refused = fault { _ = try DataRow.parse(body: Array(whole[..<count]).rawSpan) }
            #expect(refused == .truncated, "\(count) bytes")
        }
    }

    @Test func `a value that claims more than there is, is refused`() {
        for length in [[0, 0, 0, 2], [0x7f, 255, 255, 255]] as [[UInt8]] {
            let body: [UInt8] = [0, 1] + length + [0x61]
            #expect(fault { _ = try DataRow.parse(body: body.rawSpan) } == .truncated)
        }
    }

    @Test(arguments: ["", "x", "é\u{1f600}", String(repeating: "long ", count: 10_000)])
    func `one value that was written is read as the same`(value: String) throws {
        let message = try #require(message { DataRow.write(value, to: &$0) })
        #expect(message.kind == BackendKind.dataRow)
        #expect(try DataRow.parse(body: message.body.rawSpan) == [value])
    }
}

struct RowDescriptionTests {
    @Test func `one column is described as text, as SHOW has it`() throws {
        let message = try #require(message { RowDescription.writeText(column: "é", to: &$0) })
        #expect(message.kind == BackendKind.rowDescription)
        #expect(
            message.body == [0, 1, 0xc3, 0xa9, 0]  // one column, its name
                + [0, 0, 0, 0, 0, 0]  // of no table, no attribute of one
                + [0, 0, 0, 25, 255, 255]  // text, of any length
                + [255, 255, 255, 255, 0, 0])  // no modifier, text format
    }
}

struct BackendKeyDataTests {
    /// Protocol 3.0 has four bytes; 3.2 has up to 256.
    @Test(arguments: [4, 5, 32, 255, 256])
    func `a key is a process and a secret of the lengths of 3_0 and 3_2`(count: Int) throws {
        let secret = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let body = [0xff, 0xff, 0xff, 0xfe] + secret
        let key = try BackendKeyData(body: body.rawSpan)
        #expect(key.processID == 0xffff_fffe && key.secret == secret)
        let message = try #require(message { key.write(to: &$0) })
        #expect(message.kind == BackendKind.backendKeyData && message.body == body)
    }

    @Test(arguments: [0, 1, 3, 257, 1_000])
    func `a secret of another length is refused`(count: Int) {
        let body = [UInt8](repeating: 1, count: 4 + count)
        #expect(fault { _ = try BackendKeyData(body: body.rawSpan) } == .invalid)
    }

    @Test(arguments: 0..<4)
    func `a key without a whole process is truncated`(count: Int) {
        let body = [UInt8](repeating: 1, count: count)
        #expect(fault { _ = try BackendKeyData(body: body.rawSpan) } == .truncated)
    }

    @Test(arguments: [4, 256])
    func `the cancel request of a key is read as naming just this session`(count: Int) throws {
        let secret = (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ 1) }
        let packet = BackendKeyData(processID: 0x0102_0304, secret: secret).cancelRequest()
        #expect(try StartupPacket.length(of: packet.rawSpan) == packet.count)
        #expect(
            try StartupPacket(body: Array(packet[4...]).rawSpan)
                == .cancelRequest(processID: 0x0102_0304, secret: secret))
    }
}

struct ParameterStatusTests {
    @Test(arguments: [("TimeZone", "UTC"), ("application_name", ""), ("", "é")])
    func `a setting that was written is read as the same`(name: String, value: String) throws {
        let message = try #require(
            message { ParameterStatus.write(name: name, value: value, to: &$0) })
        #expect(message.kind == BackendKind.parameterStatus)
        #expect(message.body == terminated(name, value))
        let read = try ParameterStatus.parse(body: message.body.rawSpan)
        #expect(read.name == name && read.value == value)
    }

    @Test(arguments: [
        ([] as [UInt8], WireError.unterminated), (terminated("a"), .unterminated),
        (terminated("a") + [66], .unterminated), (terminated("a", "b") + [0], .trailing),
    ])
    func `one string, or more than two, is none`(body: [UInt8], expected: WireError) {
        #expect(fault { _ = try ParameterStatus.parse(body: body.rawSpan) } == expected)
    }
}

struct ReadyForQueryTests {
    @Test(arguments: [
        (TransactionStatus.idle, "I"), (.inTransaction, "T"), (.failed, "E"),
    ])
    func `the transaction is one of three`(status: TransactionStatus, letter: String) throws {
        let message = try #require(message { ReadyForQuery.write(status, to: &$0) })
        #expect(message.kind == BackendKind.readyForQuery)
        #expect(message.body == Array(letter.utf8))
        #expect(try ReadyForQuery.parse(body: message.body.rawSpan) == status)
    }

    @Test(arguments: ["", "i", "X", "\0", "II", "TE"])
    func `anything else is invalid`(body: String) {
        #expect(fault { _ = try ReadyForQuery.parse(body: Array(body.utf8).rawSpan) } == .invalid)
    }
}

struct CommandCompleteTests {
    @Test func `the tag is a string`() {
        #expect(
            written { CommandComplete.write("SET", to: &$0) }
                == [0x43, 0, 0, 0, 8, 0x53, 0x45, 0x54, 0])
    }
}

struct MessageWritingTests {
    @Test func `a message's length counts itself, its body, and nothing that waits before it`() {
        var queue = ByteQueue(pool: BytePool())
        queue.message(UInt8(ascii: "S"))
        queue.message(UInt8(ascii: "d")) { $0.append([1, 2, 3]) }
        queue.consume(3)
        queue.message(UInt8(ascii: "c")) { _ in }
        #expect(
            contents(queue) == [0, 4, 0x64, 0, 0, 0, 7, 1, 2, 3, 0x63, 0, 0, 0, 4])
    }

    @Test func `a length is right when its message moved to larger storage meanwhile`() throws {
        let large = [UInt8](repeating: 9, count: 3 * BytePool.blockSize)
        let message = try #require(
            message {
                $0.message(UInt8(ascii: "d")) { body in
                    body.append(byte: 1)
                    body.append(large)
                }
            })
        #expect(message.body == [1] + large)
    }
}
