// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

private func read(_ fields: String...) throws -> ErrorResponse { try read(fields) }

private func read(_ fields: [String]) throws -> ErrorResponse {
    try read(body: fields.flatMap { Array($0.utf8) + [0] } + [0])
}

private func read(body: [UInt8]) throws -> ErrorResponse { try ErrorResponse(body: body.rawSpan) }

struct ErrorResponseTests {
    @Test func `the fields of PostgreSQL's own are read`() throws {
        let error = try read(
            "SFEHLER", "VERROR", "C42P01", "MRelation »t« existiert nicht", "Dd", "Hh", "P15",
            "Fparse_relation.c", "L1449", "RparserOpenTable")
        #expect(error.severity == .error && error.sqlState == "42P01")
        #expect(error.message == "Relation »t« existiert nicht")
        #expect(error.detail == "d" && error.hint == "h" && error.routine == "parserOpenTable")
    }

    @Test func `unknown fields are skipped, wherever they stand`() throws {
        let error = try read("Zno such field", "SERROR", "C40001", "Wcontext", "Mwords", "?")
        #expect(error == ErrorResponse(.error, "40001", "words"))
    }

    @Test(arguments: [
        (["SERROR"], ErrorResponse.Severity.error), (["SFATAL"], .fatal), (["SPANIC"], .panic),
        (["SWARNING"], .warning), (["SNOTICE"], .notice),
        // Translated, and so said again in field V, which PostgreSQL sends second.
        (["SFATAL", "VFATAL"], .fatal), (["SSCHWERWIEGEND", "VFATAL"], .fatal),
        (["SWARNUNG", "VWARNING"], .warning), (["SFATAL", "VERROR"], .error),
        // What is nothing of these is an error.
        ([], .error), (["SFEHLER"], .error), (["SLOG", "VLOG"], .error), (["Sfatal"], .error),
    ])
    func `the severity is that of the untranslated field, if any`(
        fields: [String], severity: ErrorResponse.Severity
    ) throws {
        #expect(try read(fields + ["C57P01", "Mwords"]).severity == severity)
    }

    @Test func `fatal errors and panics end the connection, others do not`() {
        func ends(_ severity: ErrorResponse.Severity) -> Bool {
            ErrorResponse(severity, "57P01", "").endsConnection
        }
        #expect(ends(.fatal) && ends(.panic))
        #expect(!ends(.error) && !ends(.warning) && !ends(.notice))
    }

    @Test func `a code of another length counts as none`() throws {
        #expect(try read("Mwords").sqlState == "XX000")
        #expect(try read("C", "M").sqlState == "XX000")
        #expect(try read("C4200", "M").sqlState == "XX000")
        #expect(try read("C420011", "M").sqlState == "XX000")
        #expect(try read("C42001", "C1").sqlState == "42001")
    }

    @Test func `no fields at all are an error without words`() throws {
        #expect(try read() == ErrorResponse(.error, "XX000", ""))
    }

    @Test func `bytes that are not UTF-8 do not cost the rest`() throws {
        let body = Array("SERROR\0C22021\0M".utf8) + [0xe9, 0] + Array("Hh\0\0".utf8)
        let error = try read(body: body)
        #expect(error.message == "\u{fffd}" && error.hint == "h" && error.sqlState == "22021")
    }

    @Test func `fields that do not end, or that nothing ends, are refused`() {
        let whole = Array("SERROR\0C42601\0Mwords\0\0".utf8)
        #expect(fault { _ = try read(body: whole) } == nil)
        #expect(fault { _ = try read(body: []) } == .truncated)
        for count in 1..<whole.count {
            let refused = fault { _ = try read(body: Array(whole[..<count])) }
            let endsField = whole[count - 1] == 0
            #expect(refused == (endsField ? .truncated : .unterminated), "\(count) bytes")
        }
    }

    @Test(arguments: [
        ErrorResponse(.error, "42601", "syntax error"), ErrorResponse(.fatal, "57P01", "bye"),
        ErrorResponse(.panic, "XX001", ""), ErrorResponse(.notice, "00000", "é \u{1f600}"),
        ErrorResponse(.warning, "01000", "w", detail: "d", hint: ""),
        ErrorResponse(.error, "53300", "m", detail: nil, hint: "h\nh"),
    ])
    func `what was written is read as the same, under the type of its severity`(
        error: ErrorResponse
    ) throws {
        var error = error
        for routine in [nil, "exec_stmt"] {
            error.routine = routine
            let message = try #require(message { error.write(to: &$0) })
            let isNotice = error.severity == .notice || error.severity == .warning
            #expect(message.kind == UInt8(ascii: isNotice ? "N" : "E"))
            #expect(try read(body: message.body) == error)
        }
    }

    @Test func `both fields of severity are written, and none that is missing`() throws {
        let message = try #require(
            message { ErrorResponse(.fatal, "28000", "no").write(to: &$0) })
        #expect(message.body == Array("SFATAL\0VFATAL\0C28000\0Mno\0\0".utf8))
    }
}
