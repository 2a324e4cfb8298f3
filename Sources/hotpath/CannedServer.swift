// SPDX-License-Identifier: Apache-2.0

/// Replies to each kind of message as a PostgreSQL server that has one row would.
enum CannedServer {
    /// Replies to the startup packet of a trusted user.
    static func greeting(isStandby: Bool) -> [UInt8] {
        let parameters = [
            ("server_version", "17.0"), ("in_hot_standby", isStandby ? "on" : "off"),
            ("client_encoding", "UTF8"), ("standard_conforming_strings", "on"),
            ("application_name", ""),
        ]
        return Message("R", Message.int32(0)).bytes
            + parameters.flatMap {
                Message("S", Message.string($0.0) + Message.string($0.1)).bytes
            }
            + Message("K", Message.int32(1) + Message.int32(2)).bytes + ready
    }

    /// Replies to the messages that were sent at once.
    static func replies(to input: [UInt8]) -> [UInt8] {
        var rest = input[...]
        var replies: [UInt8] = []
        while rest.count >= 5, let kind = rest.first {
            let length = rest.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
            replies += reply(to: kind, rest.dropFirst(5).prefix(length - 4))
            rest = rest.dropFirst(length + 1)
        }
        return replies
    }

    private static func reply(to kind: UInt8, _ body: ArraySlice<UInt8>) -> [UInt8] {
        switch Character(UnicodeScalar(kind)) {
        case "Q": body.starts(with: "SELECT".utf8) ? columns + row + ready : done("SET") + ready
        case "P": Message("1").bytes
        case "B": Message("2").bytes
        case "C": Message("3").bytes
        case "E": row
        case "S": ready
        default: []
        }
    }

    private static let ready = Message("Z", Array("I".utf8)).bytes

    private static let columns: [UInt8] = {
        let column: [[UInt8]] = [
            Message.string("abalance"), Message.int32(16_384), Message.int16(3),
            Message.int32(23), Message.int16(4), Message.int32(-1), Message.int16(0),
        ]
        return Message("T", Message.int16(1) + column.joined()).bytes
    }()

    /// One row, and the tag of the command.
    private static let row =
        Message("D", Message.int16(1) + Message.int32(1) + Array("0".utf8)).bytes
        + done("SELECT 1")

    private static func done(_ tag: String) -> [UInt8] { Message("C", Message.string(tag)).bytes }
}
