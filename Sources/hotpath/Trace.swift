// SPDX-License-Identifier: Apache-2.0

/// What the client sends in each transaction.
enum Trace: String, CaseIterable {
    /// A simple `Query` in autocommit.
    case query
    /// `Parse` of the unnamed statement, `Bind`, `Execute` and `Sync`.
    case extended
    /// `Bind`, `Execute` and `Sync` of a statement that was parsed once.
    case prepared

    private static let text = "SELECT abalance FROM pgbench_accounts WHERE aid = "

    /// Sent once, after the login.
    var preparation: [UInt8] {
        self == .prepared
            ? Message.parse("P0", Self.text + "$1") + Message("S").bytes : []
    }

    /// One transaction.
    var transaction: [UInt8] {
        switch self {
        case .query: Message("Q", Message.string(Self.text + "4711;")).bytes
        case .extended: Message.parse("", Self.text + "$1") + Message.run("")
        case .prepared: Message.run("P0")
        }
    }
}

/// A message of the protocol, made by hand.
struct Message {
    let bytes: [UInt8]

    init(_ kind: Character, _ body: [UInt8] = []) {
        bytes = [kind.asciiValue ?? 0] + Self.int32(body.count + 4) + body
    }

    static func int32(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func int16(_ value: Int) -> [UInt8] {
        [8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func string(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    static func parse(_ name: String, _ text: String) -> [UInt8] {
        Message("P", string(name) + string(text) + int16(0)).bytes
    }

    /// `Bind` with one parameter, `Execute` and `Sync`.
    static func run(_ statement: String) -> [UInt8] {
        let value = Array("4711".utf8)
        let bind =
            string("") + string(statement) + int16(0) + int16(1) + int32(value.count) + value
            + int16(0)
        return Message("B", bind).bytes + Message("E", string("") + int32(0)).bytes
            + Message("S").bytes
    }

    static func startup(_ pairs: [String]) -> [UInt8] {
        let body = int32(196_608) + pairs.flatMap(string) + [0]
        return int32(body.count + 4) + body
    }
}
