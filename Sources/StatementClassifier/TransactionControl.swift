// SPDX-License-Identifier: Apache-2.0

/// The kind of transaction command that a statement is.
///
/// Reported only for what the grammar of PostgreSQL 14 to 18 accepts to the last word, because
/// martlet answers `BEGIN` itself and may not accept what the server would refuse.
package enum TransactionControl: Equatable, Sendable {
    case none
    case begin(TransactionModes)
    case commit
    case commitAndChain
    case rollback
    case rollbackAndChain
    case savepoint
    case releaseSavepoint
    case rollbackToSavepoint
    case prepareTransaction
    case commitPrepared
    case rollbackPrepared
    case setTransaction(TransactionModes)

    /// Whether a transaction block that has failed takes it.
    package var isAllowedInFailedTransaction: Bool {
        switch self {
        case .commit, .commitAndChain, .rollback, .rollbackAndChain, .rollbackToSavepoint,
            .prepareTransaction:
            true
        case .none, .begin, .savepoint, .releaseSavepoint, .commitPrepared, .rollbackPrepared,
            .setTransaction:
            false
        }
    }

    /// Whether it is about the transaction block that the session is in, or begins.
    package var isAboutBlock: Bool {
        switch self {
        case .none, .prepareTransaction, .commitPrepared, .rollbackPrepared: false
        default: true
        }
    }
}

package enum IsolationLevel: String, Equatable, Sendable {
    case readUncommitted = "read uncommitted"
    case readCommitted = "read committed"
    case repeatableRead = "repeatable read"
    case serializable
}

/// The modes that `BEGIN`, `START TRANSACTION` or `SET TRANSACTION` name; nil is "not named".
package struct TransactionModes: Equatable, Sendable {
    package var readOnly: Bool?
    package var isolation: IsolationLevel?
    package var deferrable: Bool?
    /// `START TRANSACTION`, whose command tag differs from that of `BEGIN`.
    package var isStartTransaction = false
    /// `SET TRANSACTION SNAPSHOT`.
    package var snapshot = false

    package init() {}
}
