// SPDX-License-Identifier: Apache-2.0

/// Transaction commands, by the grammar and to the last word (see `TransactionControl`).
extension Scanner {
    mutating func transactionCommand() {
        result.containsTransactionControl = true
        let command = token.keyword
        advance()
        let control: TransactionControl?
        switch command {
        case .begin: control = begin(isStart: false)
        case .start: control = accept(.transaction) ? begin(isStart: true, named: true) : nil
        case .commit, .end: control = commit(mayBePrepared: command == .commit)
        case .rollback, .abort: control = rollback(isAbort: command == .abort)
        case .savepoint: control = acceptName() == nil ? nil : .savepoint
        default:
            // `RELEASE savepoint` releases one of that name.
            if token.keyword == .savepoint { advance() }
            let isNamed = acceptName() != nil || previous.keyword == .savepoint
            control = isNamed ? .releaseSavepoint : nil
        }
        finish(control)
    }

    private mutating func finish(_ control: TransactionControl?) {
        guard let control, token.isTerminator else { return malformed() }
        result.control = control
    }

    mutating func prepareTransaction() {
        result.containsTransactionControl = true
        result.refuse(.twoPhase)
        advance()
        finish(acceptIdentifierString() ? .prepareTransaction : nil)
    }

    private mutating func acceptIdentifierString() -> Bool {
        guard token.isString else { return false }
        advance()
        return true
    }

    private mutating func begin(isStart: Bool, named: Bool = false) -> TransactionControl? {
        if !named, !accept(.work) { _ = accept(.transaction) }
        guard var modes = transactionModes(mayBeEmpty: true) else { return nil }
        modes.isStartTransaction = isStart
        if modes.isolation == .serializable {
            result.refuse(.serializable)
        } else if modes.readOnly != true {
            result.refuse(.transactionMayWrite)
        }
        return .begin(modes)
    }

    private mutating func commit(mayBePrepared: Bool) -> TransactionControl? {
        if mayBePrepared, accept(.prepared) {
            result.refuse(.twoPhase)
            return acceptIdentifierString() ? .commitPrepared : nil
        }
        if !accept(.work) { _ = accept(.transaction) }
        return chain().map { $0 ? .commitAndChain : .commit }
    }

    private mutating func rollback(isAbort: Bool) -> TransactionControl? {
        if !isAbort, accept(.prepared) {
            result.refuse(.twoPhase)
            return acceptIdentifierString() ? .rollbackPrepared : nil
        }
        if !accept(.work) { _ = accept(.transaction) }
        if !isAbort, accept(.to) {
            if token.keyword == .savepoint { advance() }
            let isNamed = acceptName() != nil || previous.keyword == .savepoint
            return isNamed ? .rollbackToSavepoint : nil
        }
        return chain().map { $0 ? .rollbackAndChain : .rollback }
    }

    /// `[AND [NO] CHAIN]`; nil when it is neither that nor nothing.
    private mutating func chain() -> Bool? {
        guard accept(.and) else { return false }
        let isRefused = accept(.no)
        return accept(.chain) ? !isRefused : nil
    }

    /// Modes with optional commas between them; nil when the grammar has no such list.
    mutating func transactionModes(mayBeEmpty: Bool) -> TransactionModes? {
        var modes = TransactionModes()
        if token.isTerminator { return mayBeEmpty ? modes : nil }
        while true {
            guard transactionMode(&modes) else { return nil }
            if token.isTerminator { return modes }
            if token.kind == .comma { advance() }
        }
    }

    private mutating func transactionMode(_ modes: inout TransactionModes) -> Bool {
        switch token.keyword {
        case .isolation:
            advance()
            guard accept(.level), let level = isolationLevel() else { return false }
            modes.isolation = level
        case .read:
            advance()
            guard token.keyword == .only || token.keyword == .write else { return false }
            modes.readOnly = token.keyword == .only
            advance()
        case .not:
            advance()
            guard accept(.deferrable) else { return false }
            modes.deferrable = false
        case .deferrable:
            advance()
            modes.deferrable = true
        default: return false
        }
        return true
    }

    private mutating func isolationLevel() -> IsolationLevel? {
        if accept(.serializable) { return .serializable }
        if accept(.repeatable) { return accept(.read) ? .repeatableRead : nil }
        guard accept(.read) else { return nil }
        if accept(.committed) { return .readCommitted }
        return accept(.uncommitted) ? .readUncommitted : nil
    }

    /// `SET TRANSACTION …`; the current token is the first after `TRANSACTION`.
    mutating func setTransaction() {
        result.containsTransactionControl = true
        result.effects.insert(.localSettings)
        if accept(.snapshot) {
            result.refuse(.snapshot)
            var modes = TransactionModes()
            modes.snapshot = true
            return finish(acceptIdentifierString() ? .setTransaction(modes) : nil)
        }
        guard let modes = transactionModes(mayBeEmpty: false) else { return malformed() }
        refuseWriting(modes)
        finish(.setTransaction(modes))
    }

    /// `SET SESSION CHARACTERISTICS AS TRANSACTION …`, from `AS` on.
    mutating func setCharacteristics() {
        result.effects.insert(.settings)
        guard accept(.as), accept(.transaction),
            let modes = transactionModes(mayBeEmpty: false)
        else { return malformed() }
        if modes.isolation == .serializable { result.refuse(.serializable) }
        remember(.setCharacteristics(modes))
    }

    private mutating func refuseWriting(_ modes: TransactionModes) {
        if modes.isolation == .serializable { result.refuse(.serializable) }
        if modes.readOnly == false { result.refuse(.readWriteTransaction) }
    }
}
