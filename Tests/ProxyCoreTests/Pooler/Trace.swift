// SPDX-License-Identifier: Apache-2.0

/// Who said what to whom, a line a message, in the order in which martlet read or sent it.
///
///     app1 -> martlet        Query "SELECT 1"
///             martlet -> b1  Query "SELECT 1"
struct Trace {
    private(set) var lines: [String] = []
    /// Nothing is recorded before this is set.
    var isOn = false
    /// The beginnings of messages, by direction.
    private var partial: [String: [UInt8]] = [:]

    mutating func add(_ bytes: [UInt8], client name: String, fromPeer: Bool) {
        let head = fromPeer ? "\(name) -> martlet" : "\(name) <- martlet"
        add(bytes, Self.padded(head), isFrontend: fromPeer)
    }

    mutating func add(_ bytes: [UInt8], server name: String, fromPeer: Bool) {
        let head = fromPeer ? "martlet <- \(name)" : "martlet -> \(name)"
        add(bytes, Self.padded("        \(head)"), isFrontend: !fromPeer)
    }

    mutating func begin(server name: String) {
        note(Self.padded("        martlet -- \(name)") + "connected")
    }

    mutating func end(client name: String) { note(Self.padded("\(name) -- martlet") + "closed") }
    mutating func end(server name: String) {
        note(Self.padded("        martlet -- \(name)") + "closed")
    }

    mutating func note(_ line: String) { if isOn { lines.append(line) } }

    private mutating func add(_ bytes: [UInt8], _ head: String, isFrontend: Bool) {
        guard isOn else { return }
        var stream = partial[head, default: []] + bytes
        if isFrontend && stream.starts(with: [0, 0]) {
            // The only messages without a type byte.
            let names = [8: "SSLRequest", 16: "CancelRequest"]
            return note(head + (names[stream.count] ?? "StartupMessage"))
        }
        if stream == [UInt8(ascii: "N")] { return note(head + "N") }
        for message in Message.take(from: &stream) {
            note(head + (isFrontend ? message.asFrontend : message.asBackend))
        }
        partial[head] = stream
    }

    private static func padded(_ text: String) -> String {
        text + String(repeating: " ", count: max(24 - text.count, 1))
    }
}

extension Message {
    private static let frontendNames: [Character: String] = [
        "Q": "Query", "P": "Parse", "B": "Bind", "D": "Describe", "E": "Execute", "C": "Close",
        "S": "Sync", "H": "Flush", "X": "Terminate", "d": "CopyData", "c": "CopyDone",
        "f": "CopyFail", "F": "FunctionCall",
    ]

    private static let backendNames: [Character: String] = [
        "R": "Authentication", "S": "ParameterStatus", "K": "BackendKeyData",
        "Z": "ReadyForQuery", "E": "ErrorResponse", "N": "NoticeResponse", "1": "ParseComplete",
        "2": "BindComplete", "3": "CloseComplete", "t": "ParameterDescription",
        "T": "RowDescription", "n": "NoData", "D": "DataRow", "C": "CommandComplete",
        "I": "EmptyQueryResponse", "s": "PortalSuspended", "G": "CopyInResponse",
        "H": "CopyOutResponse", "d": "CopyData", "c": "CopyDone", "A": "NotificationResponse",
    ]

    /// As a client's message.
    var asFrontend: String { named(Self.frontendNames, Self.quoted(frontendWords)) }

    /// As a server's message.
    var asBackend: String { named(Self.backendNames, backendWords) }

    private func named(_ names: [Character: String], _ words: String) -> String {
        let name = names[kind] ?? "\(kind)"
        return words.isEmpty ? name : "\(name) \(words)"
    }

    private var frontendWords: [String] {
        switch kind {
        case "Q", "f", "E": Array(strings().prefix(1))
        case "P", "B": Array(strings().prefix(2))
        case "D", "C": Array(strings().prefix(1))
        case "d": [String(decoding: body, as: UTF8.self)]
        default: []
        }
    }

    private var backendWords: String {
        switch kind {
        case "E", "N":
            let fields = fields
            return "\(fields["S"] ?? "") \(fields["C"] ?? "") \(fields["M"] ?? "")"
        case "Z": return String(decoding: body, as: UTF8.self)
        case "C": return strings()[0]
        case "S": return Self.quoted(Array(strings().prefix(2)))
        case "D": return Self.quoted(values)
        case "d": return Self.quoted([String(decoding: body, as: UTF8.self)])
        default: return ""
        }
    }

    private static func quoted(_ words: [String]) -> String {
        words.map { word in
            let short = word.count > 200 ? "\(word.prefix(20))... (\(word.count) characters)" : word
            return "\"\(short.replacing("\n", with: "\\n"))\""
        }.joined(separator: " ")
    }
}
