// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Why a server refused what another one can do.
enum Refusal: Equatable {
    case none
    /// A standby cannot do this; the primary can.
    case cannotOnStandby
    /// The standby's recovery was in the way; another standby's may not be.
    case conflict
    /// What another session has just created may not have been replayed. Most often it is a
    /// mistake of the statement's, and the primary says the same.
    case notThereYet
    /// The result of a statement has other columns than when the server analysed it.
    case stalePlan

    /// For errors of a standby, but for `stalePlan`: on the primary the same codes mean something
    /// else.
    init(_ error: ErrorResponse, of unit: borrowing Unit) {
        switch error.sqlState {
        case .featureNotSupported where error.routine == "RevalidateCachedQuery": self = .stalePlan
        case .readOnlyTransaction, .featureNotSupported, .objectNotInPrerequisiteState:
            self = .cannotOnStandby
        case .serializationFailure, .deadlockDetected: self = .conflict
        case .undefinedTable, .undefinedColumn, .undefinedFunction, .undefinedObject,
            .invalidSchemaName, .invalidParameterValue:
            self = .notThereYet
        case .syntaxError: self = .none  // A syntax error is one everywhere.
        // A write that a standby only prepares must not fail there for anything.
        default: self = unit.onlyPrepares && unit.needs.destination == .primary ? .notThereYet : .none
        }
    }

    /// The server is going down or coming up, and did nothing of what it was asked.
    static func isShutdown(_ words: ErrorResponse?) -> Bool {
        guard let words else { return false }
        return words.sqlState == .adminShutdown || words.sqlState == .cannotConnectNow
    }
}
