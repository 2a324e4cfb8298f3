// SPDX-License-Identifier: Apache-2.0

/// ErrorResponse and NoticeResponse: fields, each with a one-byte code.
///
/// Manual: "Error and Notice Message Fields".
package struct ErrorResponse: Equatable, Sendable {
    package enum Severity: String, Sendable {
        case error = "ERROR"
        case fatal = "FATAL"
        case panic = "PANIC"
        case warning = "WARNING"
        case notice = "NOTICE"
    }

    /// The severity of field V, which is never translated; servers before 9.6 send only S.
    package var severity: Severity
    /// An internal error where the server sent none.
    package var sqlState: SQLState
    package var message: String
    package var detail: String?
    package var hint: String?
    /// The routine in the server's source that reported it.
    package var routine: String?

    package init(
        _ severity: Severity = .error, _ sqlState: SQLState, _ message: String,
        detail: String? = nil, hint: String? = nil
    ) {
        self.severity = severity
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
    }

    package init(body: RawSpan) throws(WireError) {
        self.init(.error, .internalError, "")
        var reader = WireReader(body)
        while true {
            let code = try reader.byte()
            if code == 0 { break }
            let value = body.text(try reader.terminated())
            switch code {
            case UInt8(ascii: "S"): severity = Severity(rawValue: value) ?? severity
            case UInt8(ascii: "V"): severity = Severity(rawValue: value) ?? severity
            case UInt8(ascii: "C"): sqlState = value.utf8.count == 5 ? SQLState(value) : sqlState
            case UInt8(ascii: "M"): message = value
            case UInt8(ascii: "D"): detail = value
            case UInt8(ascii: "H"): hint = value
            case UInt8(ascii: "R"): routine = value
            default: break
            }
        }
    }

    package var endsConnection: Bool { severity == .fatal || severity == .panic }

    package func write(to queue: inout ByteQueue) {
        let isNotice = severity == .warning || severity == .notice
        queue.message(isNotice ? BackendKind.noticeResponse : BackendKind.errorResponse) { body in
            func field(_ code: Character, _ value: String?) {
                guard let value, let ascii = code.asciiValue else { return }
                body.append(byte: ascii)
                body.append(terminated: value)
            }
            field("S", severity.rawValue)
            field("V", severity.rawValue)
            field("C", sqlState.code)
            field("M", message)
            field("D", detail)
            field("H", hint)
            field("R", routine)
            body.append(byte: 0)
        }
    }
}
