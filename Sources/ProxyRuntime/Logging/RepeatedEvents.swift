// SPDX-License-Identifier: Apache-2.0

/// Events that come in crowds, told in two lines: the first at once, the others together.
///
/// When a server goes, each of its connections fails, and an operator wants to read that it went,
/// not eighty times that a connection did. The caller asks for the rest of a crowd when its time
/// is over; a crowd that goes on is told once in each such time.
struct RepeatedEvents {
    /// Crowds at a time; an event of one more is written like any other.
    static let limit = 256

    private struct Crowd {
        var count = 0
        var last: LogLine
    }

    private var crowds: [String: Crowd] = [:]

    /// What is to be done with a line.
    enum Verdict: Equatable {
        /// Write it; and where it began a crowd, ask for the rest of that later.
        case write(beginning: String?)
        /// It was counted.
        case counted
    }

    /// Takes note of a line.
    mutating func joins(_ line: LogLine) -> Verdict {
        let key = Self.key(of: line)
        guard crowds[key] != nil else {
            guard crowds.count < Self.limit else { return .write(beginning: nil) }
            crowds[key] = Crowd(last: line)
            return .write(beginning: key)
        }
        crowds[key]?.count += 1
        crowds[key]?.last = line
        return .counted
    }

    /// The line for all that joined since; nil, and the crowd is over, where nobody did.
    mutating func rest(of key: String) -> LogLine? {
        guard let crowd = crowds[key], crowd.count > 0 else {
            crowds[key] = nil
            return nil
        }
        crowds[key]?.count = 0
        var line = crowd.last
        // A single one is no crowd.
        if crowd.count > 1 { line.fields.append(LogLine.Field("times", "\(crowd.count)")) }
        return line
    }

    /// The lines for everybody who is still waiting to be told, in no particular order.
    mutating func everything() -> [LogLine] {
        crowds.keys.sorted().compactMap { rest(of: $0) }
    }

    /// All that is the same in two events of a crowd: everything but to whom, and over what, they
    /// happened.
    private static func key(of line: LogLine) -> String {
        let fields = line.fields.filter { !["client", "peer", "statement"].contains($0.key) }
        return fields.reduce(line.message) { "\($0)\u{0}\($1.key)\u{0}\($1.value)" }
    }
}
