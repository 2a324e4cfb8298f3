// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// The errors that the pooler gives a client itself.
extension ErrorResponse {
    static let canceled = ErrorResponse(
        .error, .queryCanceled, "canceling statement due to user request")

    /// In the place of the server's words, which know of a user's request only.
    static func canceled(for subject: Unit.Overdue.Subject) -> ErrorResponse {
        ErrorResponse(
            .error, .queryCanceled, "canceling statement due to \(subject.rawValue) timeout",
            hint: "See clients.\(subject.rawValue)_timeout.")
    }

    static let transactionLost = ErrorResponse(
        .error, .serializationFailure, "the transaction was lost with the server that ran it",
        detail: "Nothing was committed.", hint: "Retry the transaction.")

    static let outcomeUnknown = ErrorResponse(
        .error, .transactionResolutionUnknown, "the server was lost before it confirmed the statement",
        detail: "Whether it was committed is not known; it was not sent again.",
        hint: "Check before you retry.")

    static let noUnnamedStatement = ErrorResponse(
        .error, .invalidSQLStatementName, "unnamed prepared statement does not exist")

    static func noStatement(_ name: RawSpan) -> ErrorResponse {
        guard name.byteCount > 0 else { return .noUnnamedStatement }
        let words = name.text(0..<name.byteCount)
        return ErrorResponse(
            .error, .invalidSQLStatementName, "prepared statement \"\(words)\" does not exist")
    }

    static func noSavepoint(_ name: [UInt8]) -> ErrorResponse {
        let words = String(decoding: name, as: UTF8.self)
        return ErrorResponse(.error, .invalidSavepointSpecification, "savepoint \"\(words)\" does not exist")
    }

    static func noPortal(_ name: RawSpan) -> ErrorResponse {
        let words = name.text(0..<name.byteCount)
        return ErrorResponse(.error, .invalidCursorName, "portal \"\(words)\" does not exist")
    }
    static let abortedTransaction = ErrorResponse(
        .error, .inFailedTransaction,
        "current transaction is aborted, commands ignored until end of transaction block")

    /// As PostgreSQL says it; drivers know it by the routine.
    static var changedResult: ErrorResponse {
        var error = ErrorResponse(.error, .featureNotSupported, "cached plan must not change result type")
        error.routine = "RevalidateCachedQuery"
        return error
    }

    static func noServer(_ size: Int) -> ErrorResponse {
        ErrorResponse(
            .error, .tooManyConnections, "no server connection became free in time",
            detail: "All \(size) server connections of this database and user are in use.",
            hint: "Raise pools.size, or pools.wait_timeout.")
    }
}
