// SPDX-License-Identifier: Apache-2.0

internal import CLibpq
internal import PostgresWire

/// libpq's asynchronous calls, with their pointers kept inside; finished when it is let go.
// Confined to the queue of the control connection that owns it.
@safe final class LibpqConnection {
    enum Poll {
        case reading, writing, done, failed
    }

    enum Flush {
        case done, more, failed
    }

    private let connection: OpaquePointer

    /// Begins to connect; nil when there is no memory for it.
    init?(_ parameters: [(String, String)]) {
        let connection = unsafe Self.withCStrings(parameters.map { $0.0 }) { keys in
            unsafe Self.withCStrings(parameters.map { $0.1 }) { values in
                unsafe PQconnectStartParams(keys, values, 0)
            }
        }
        guard let connection = unsafe connection else { return nil }
        unsafe self.connection = connection
        // Errors of the login have no other place for their SQLSTATE.
        _ = unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        _ = unsafe PQsetNoticeReceiver(connection, { _, _ in }, nil)
    }

    deinit { unsafe PQfinish(connection) }

    var socket: Int32 { unsafe PQsocket(connection) }

    var isBroken: Bool { unsafe PQstatus(connection) == CONNECTION_BAD }

    var errorMessage: String {
        guard let words = unsafe PQerrorMessage(connection) else { return "unknown error" }
        return Self.firstLine(unsafe String(cString: words))
    }

    /// Why connecting failed: the server said no, or it is not there.
    var connectFault: ControlFault {
        let message = errorMessage
        guard let sqlState = Self.sqlState(in: message) else { return .lost(message) }
        return .refused(sqlState: sqlState, message: message)
    }

    func poll() -> Poll {
        switch unsafe PQconnectPoll(connection) {
        case PGRES_POLLING_READING: .reading
        case PGRES_POLLING_WRITING: .writing
        case PGRES_POLLING_OK: .done
        default: .failed
        }
    }

    func becomeNonBlocking() { _ = unsafe PQsetnonblocking(connection, 1) }

    func send(_ text: String, _ parameters: [String?]) -> Bool {
        unsafe Self.withCStrings(parameters) { values in
            unsafe PQsendQueryParams(
                connection, text, Int32(parameters.count), nil, values, nil, nil, 0) == 1
        }
    }

    func flush() -> Flush {
        switch unsafe PQflush(connection) {
        case 0: .done
        case 1: .more
        default: .failed
        }
    }

    func consumeInput() -> Bool { unsafe PQconsumeInput(connection) == 1 }

    var isBusy: Bool { unsafe PQisBusy(connection) == 1 }

    /// Nil when the query is over.
    func nextResult() -> LibpqResult? {
        guard let result = unsafe PQgetResult(connection) else { return nil }
        return unsafe LibpqResult(result)
    }

    /// Five characters between the severity and the text: `FATAL:  57P03: the database ...`.
    static func sqlState(in message: String) -> SQLState? {
        let parts = message.split(separator: ":", omittingEmptySubsequences: false)
        for part in parts {
            let word = part.drop { $0 == " " }
            let isCode = word.utf8.count == 5 && word.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0)
            }
            // Between two colons, behind two blanks, and with a digit: no severity looks so.
            if isCode, part.hasPrefix("  "), word.utf8.contains(where: { $0 < 0x3a }) {
                return SQLState(String(word))
            }
        }
        return nil
    }

    private static func firstLine(_ text: String) -> String {
        let line = text.split(separator: "\n", omittingEmptySubsequences: true).first ?? ""
        return line.isEmpty ? "unknown error" : String(line)
    }

    /// Lends an array of C strings, ended by a null pointer.
    private static func withCStrings<R>(
        _ strings: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R
    ) -> R {
        var bytes: [CChar] = []
        var offsets: [Int?] = []
        for string in strings {
            offsets.append(string == nil ? nil : bytes.count)
            guard let string else { continue }
            bytes += string.utf8.map { CChar(bitPattern: $0) } + [0]
        }
        bytes.append(0)
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            let base = buffer.baseAddress
            var pointers = unsafe offsets.map { offset in
                unsafe offset.flatMap { unsafe base?.advanced(by: $0) }
            }
            unsafe pointers.append(nil)
            return unsafe pointers.withUnsafeBufferPointer { pointers in
                // It holds at least the null pointer at its end.
                unsafe body(pointers.baseAddress.unsafelyUnwrapped)
            }
        }
    }
}

/// One result of a query; cleared when it is let go.
@safe final class LibpqResult {
    private let result: OpaquePointer

    init(_ result: OpaquePointer) { unsafe self.result = result }

    deinit { unsafe PQclear(result) }

    /// Nil unless the server reported an error.
    var fault: ControlFault? {
        switch unsafe PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: return nil
        default: break
        }
        let sqlState = field(UInt8(ascii: "C")).map { SQLState($0) }
        let message = field(UInt8(ascii: "M"))
        guard let sqlState else { return .lost(message ?? "the connection was lost") }
        return .refused(sqlState: sqlState, message: message ?? "unknown error")
    }

    var rows: [[String?]] {
        let columns = unsafe PQnfields(result)
        let count = unsafe PQntuples(result)
        return (0..<count).map { row in
            (0..<columns).map { column in value(row, column) }
        }
    }

    private func value(_ row: Int32, _ column: Int32) -> String? {
        guard unsafe PQgetisnull(result, row, column) == 0,
            let text = unsafe PQgetvalue(result, row, column)
        else { return nil }
        return unsafe String(cString: text)
    }

    /// One field of an error, by its letter in the protocol (`PG_DIAG_...`).
    private func field(_ letter: UInt8) -> String? {
        guard let text = unsafe PQresultErrorField(result, Int32(letter)) else { return nil }
        return unsafe String(cString: text)
    }
}

/// What has come of a query so far.
struct QueryResult {
    private(set) var rows: [[String?]] = []
    private(set) var fault: ControlFault?

    mutating func take(_ result: LibpqResult) {
        if let fault = result.fault {
            self.fault = self.fault ?? fault
        } else {
            rows += result.rows
        }
    }
}
