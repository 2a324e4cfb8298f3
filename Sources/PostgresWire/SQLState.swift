// SPDX-License-Identifier: Apache-2.0

/// The five characters that say what kind of error it is.
///
/// Manual, appendix A: "PostgreSQL Error Codes", whose condition names these constants have.
package struct SQLState: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// As it is on the wire.
    package let code: String

    package init(_ code: String) { self.code = code }
    package init(stringLiteral code: String) { self.code = code }

    package var description: String { code }
}

extension SQLState {
    // Class 08: connection exception
    package static let connectionFailure = SQLState("08006")
    package static let transactionResolutionUnknown = SQLState("08007")
    package static let protocolViolation = SQLState("08P01")
    // Class 0A
    package static let featureNotSupported = SQLState("0A000")
    // Class 22: data exception
    package static let characterNotInRepertoire = SQLState("22021")
    package static let invalidParameterValue = SQLState("22023")
    // Class 25: invalid transaction state
    package static let readOnlyTransaction = SQLState("25006")
    package static let inFailedTransaction = SQLState("25P02")
    package static let idleInTransactionSessionTimeout = SQLState("25P03")
    package static let transactionTimeout = SQLState("25P04")
    // Class 26
    package static let invalidSQLStatementName = SQLState("26000")
    // Class 28: invalid authorization specification
    package static let invalidAuthorizationSpecification = SQLState("28000")
    package static let invalidPassword = SQLState("28P01")
    // Classes 34, 3B, 3D and 3F: names that there are not
    package static let invalidCursorName = SQLState("34000")
    package static let invalidSavepointSpecification = SQLState("3B001")
    package static let invalidCatalogName = SQLState("3D000")
    package static let invalidSchemaName = SQLState("3F000")
    // Class 40: transaction rollback
    package static let serializationFailure = SQLState("40001")
    package static let deadlockDetected = SQLState("40P01")
    // Class 42: syntax error or access rule violation
    package static let insufficientPrivilege = SQLState("42501")
    package static let syntaxError = SQLState("42601")
    package static let undefinedColumn = SQLState("42703")
    package static let undefinedObject = SQLState("42704")
    package static let undefinedFunction = SQLState("42883")
    package static let undefinedTable = SQLState("42P01")
    package static let duplicatePreparedStatement = SQLState("42P05")
    // Class 53: insufficient resources
    package static let tooManyConnections = SQLState("53300")
    package static let configurationLimitExceeded = SQLState("53400")
    // Class 54
    package static let programLimitExceeded = SQLState("54000")
    // Class 55
    package static let objectNotInPrerequisiteState = SQLState("55000")
    // Class 57: operator intervention
    package static let queryCanceled = SQLState("57014")
    package static let adminShutdown = SQLState("57P01")
    package static let crashShutdown = SQLState("57P02")
    package static let cannotConnectNow = SQLState("57P03")
    package static let databaseDropped = SQLState("57P04")
    package static let idleSessionTimeout = SQLState("57P05")
    // Class XX
    package static let internalError = SQLState("XX000")
}
