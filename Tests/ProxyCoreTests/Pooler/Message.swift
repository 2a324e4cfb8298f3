// SPDX-License-Identifier: Apache-2.0

import PostgresWire

/// One message of the protocol, as the clients and servers of a test send it.
struct Message: Equatable {
    let kind: Character
    let body: [UInt8]

    init(_ kind: Character, _ body: [UInt8] = []) {
        self.kind = kind
        self.body = body
    }

    var bytes: [UInt8] {
        [kind.asciiValue ?? 0] + Self.int32(body.count + 4) + body
    }

    static func int16(_ value: Int) -> [UInt8] {
        [8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func int32(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func text(_ words: String...) -> [UInt8] { words.flatMap { Array($0.utf8) + [0] } }

    /// Takes the whole messages at the front of a stream.
    static func take(from stream: inout [UInt8]) -> [Message] {
        var messages: [Message] = []
        var offset = 0
        while let header = try? MessageHeader(in: stream.rawSpan, at: offset),
            offset + header.totalCount <= stream.count {
            let body = stream[(offset + MessageHeader.size)..<(offset + header.totalCount)]
            messages.append(Message(Character(Unicode.Scalar(header.kind)), Array(body)))
            offset += header.totalCount
        }
        stream.removeFirst(offset)
        return messages
    }
}

// MARK: What clients send

extension Message {
    static func query(_ text: String) -> Message { Message("Q", self.text(text)) }

    static func parse(_ text: String, as name: String = "") -> Message {
        Message("P", self.text(name, text) + int16(0))
    }

    static func bind(_ statement: String = "", to portal: String = "") -> Message {
        Message("B", text(portal, statement) + int16(0) + int16(0) + int16(0))
    }

    /// A Bind of one parameter of that many bytes.
    static func bind(_ statement: String = "", bytes count: Int) -> Message {
        let value = [UInt8](repeating: 0x78, count: count)
        return Message(
            "B", text("", statement) + int16(0) + int16(1) + int32(count) + value + int16(0))
    }

    static func describe(statement name: String = "") -> Message { Message("D", text("S\(name)")) }
    static func describe(portal name: String) -> Message { Message("D", text("P\(name)")) }
    static func close(statement name: String) -> Message { Message("C", text("S\(name)")) }

    static func execute(_ portal: String = "", rows: Int = 0) -> Message {
        Message("E", text(portal) + int32(rows))
    }

    static let sync = Message("S")
    static let flush = Message("H")
    static let terminate = Message("X")
    static let copyDone = Message("c")
    static func copyData(_ text: String) -> Message { Message("d", Array(text.utf8)) }
    static func copyFail(_ text: String) -> Message { Message("f", self.text(text)) }

    /// An unnamed statement, parsed, bound, described and executed.
    static func extended(_ text: String) -> [Message] {
        [.parse(text), .bind(), .describe(portal: ""), .execute()]
    }
}

// MARK: What servers send

extension Message {
    static func ready(_ status: Character = "I") -> Message {
        Message("Z", Array("\(status)".utf8))
    }

    static func complete(_ tag: String) -> Message { Message("C", text(tag)) }
    static let parseComplete = Message("1")
    static let bindComplete = Message("2")
    static let closeComplete = Message("3")
    static let noData = Message("n")
    static let parameters = Message("t", int16(0))
    static let portalSuspended = Message("s")
    static let copyIn = Message("G", [0] + int16(0))
    static let copyOut = Message("H", [0] + int16(0))

    static func row(_ values: [String]) -> Message {
        Message("D", int16(values.count) + values.flatMap { int32($0.utf8.count) + Array($0.utf8) })
    }

    static func columns(_ names: [String]) -> Message {
        let rest = int32(0) + int16(0) + int32(25) + int16(-1) + int32(-1) + int16(0)
        return Message("T", int16(names.count) + names.flatMap { text($0) + rest })
    }

    static func parameter(_ name: String, _ value: String) -> Message {
        Message("S", text(name, value))
    }

    static func error(
        _ sqlState: String, _ words: String, severity: String = "ERROR", routine: String? = nil
    ) -> Message {
        let fields = text("S\(severity)", "V\(severity)", "C\(sqlState)", "M\(words)")
        return Message("E", fields + (routine.map { text("R\($0)") } ?? []) + [0])
    }
}

// MARK: Reading them

extension Message {
    /// The zero-terminated strings at the front of the body, without the first `skipping` bytes.
    func strings(skipping count: Int = 0) -> [String] {
        body.dropFirst(count).split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// The fields of an ErrorResponse or a NoticeResponse, by their codes.
    var fields: [Character: String] {
        Dictionary(
            strings().compactMap { text in text.first.map { ($0, String(text.dropFirst())) } },
            uniquingKeysWith: { first, _ in first })
    }

    var sqlState: String? { kind == "E" ? fields["C"] : nil }

    /// The columns of a DataRow.
    var values: [String] {
        guard let row = try? DataRow.parse(body: body.rawSpan) else { return [] }
        return row.map { $0 ?? "NULL" }
    }
}

extension [Message] {
    var bytes: [UInt8] { flatMap(\.bytes) }

    /// The types alone: `TDCZ`.
    var kinds: String { String(map(\.kind)) }

    /// The SQLSTATEs of the errors among them.
    var errors: [String] { compactMap(\.sqlState) }

    /// What the errors among them say.
    var words: [String] { compactMap { $0.kind == "E" ? $0.fields["M"] : nil } }

    /// The first columns of the rows among them.
    var rows: [String] { filter { $0.kind == "D" }.compactMap(\.values.first) }
}
