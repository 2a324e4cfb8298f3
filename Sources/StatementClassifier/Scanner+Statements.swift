// SPDX-License-Identifier: Apache-2.0

/// Classification by the first word of a statement.
extension Scanner {
    /// Reads one statement up to its terminator, or stops at what it does not understand.
    mutating func statement() {
        if token.kind == .open { return scan() }
        switch token.keyword {
        case .select, .values, .table, .with: scan()
        case .insert, .update, .delete, .merge: write(.dataModification)
        case .set: set()
        case .reset: reset()
        case .show: show()
        case .discard: discard()
        case .begin, .start, .commit, .end, .rollback, .abort, .savepoint, .release:
            transactionCommand()
        case .prepare: prepare()
        case .execute: execute()
        case .deallocate: deallocate()
        case .declare: declare()
        case .fetch, .move, .close: cursorCommand()
        case .explain: explain()
        case .copy: copy()
        case .listen, .unlisten, .notify: notification()
        default: otherCommand()
        }
    }

    private mutating func otherCommand() {
        switch token.keyword {
        case .create: create()
        case .alter, .drop, .grant, .revoke, .comment, .security, .import, .reassign:
            result.changesSchema = true
            define(.schemaChange)
        case .truncate: define(.dataModification)
        case .vacuum, .analyze, .analyse, .cluster, .reindex, .checkpoint: define(.maintenance)
        case .refresh: write(.maintenance)
        case .lock: define(.tableLock)
        case .call: opaque(.procedureCall)
        case .do:
            result.changesSchema = true
            opaque(.anonymousBlock)
        case .load: opaque(.loadsLibrary)
        default:
            result.changesSchema = true
            opaque(token.kind == .word ? .unknownStatement : .unparsable)
        }
    }

    /// A statement that the primary runs; its calls are read for their effects.
    private mutating func write(_ reason: Reason) {
        result.refuse(reason)
        mode = .write
        scan()
    }

    private mutating func define(_ reason: Reason) {
        result.refuse(reason)
        mode = .definition
        advance()
        scan()
    }

    private mutating func opaque(_ reason: Reason) {
        result.effects.insert(.opaque)
        write(reason)
    }

    /// Reads a statement inside another; what may begin a query may stand at its beginning.
    private mutating func innerStatement() {
        previous = Token()
        second = Token()
        if token.kind == .open { return scan() }
        switch token.keyword {
        case .select, .values, .table, .with: scan()
        case .insert, .update, .delete, .merge: scan()
        default: malformed()
        }
    }
}

// MARK: - DDL

extension Scanner {
    private mutating func create() {
        result.refuse(.schemaChange)
        mode = .definition
        advance()
        if accept(.or) { _ = accept(.replace) }
        if token.keyword == .global || token.keyword == .local { advance() }
        var isTemporary = false
        if token.keyword == .temp || token.keyword == .temporary {
            result.effects.insert(.temporary)
            isTemporary = true
            advance()
        }
        // Temporary objects belong to one session, so the shared catalogue does not change.
        if !isTemporary { result.changesSchema = true }
        _ = accept(.unlogged)
        switch token.keyword {
        case .table, .materialized: definesRows = true
        case .rule: semicolonsInParentheses = true
        default: break
        }
        scan()
    }
}

// MARK: - Prepared statements and cursors

extension Scanner {
    private mutating func prepare() {
        advance()
        if token.keyword == .transaction {
            var ahead = lexer
            let next = ahead.next()
            // A statement may be called `transaction` as well.
            if next.keyword != .as, next.kind != .open { return prepareTransaction() }
        }
        result.effects.insert(.sqlPrepare)
        guard let name = acceptName() else { return malformed() }
        if token.kind == .open {
            mode = .definition
            scanParenthesis()
            mode = .query
        }
        guard accept(.as) else { return malformed() }
        innerStatement()
        remember(.prepare(name: name))
    }

    private mutating func execute() {
        advance()
        result.effects.insert(.sqlExecute)
        guard let name = acceptName() else { return malformed() }
        remember(.execute(name: name))
        // The parenthesis after the name is not a call of it.
        if token.kind == .open { previous = Token() }
        scan()
        // Last, so that it is the reason only where its parameters are harmless.
        result.refuse(.executesPrepared)
    }

    private mutating func deallocate() {
        advance()
        result.effects.insert(.sqlPrepare)
        if token.keyword == .prepare {
            advance()
            if token.isTerminator { return remember(.deallocate(name: previous.range)) }
        }
        if token.keyword == .all {
            advance()
            remember(.deallocateAll)
        } else if let name = acceptName() {
            remember(.deallocate(name: name))
        } else {
            malformed()
        }
    }

    private mutating func declare() {
        advance()
        result.effects.insert(.cursor)
        guard let name = acceptName() else { return malformed() }
        while token.keyword != .cursor {
            // BINARY, INSENSITIVE, ASENSITIVE, SCROLL, NO SCROLL.
            guard token.kind == .word, token.keyword != .none else { return malformed() }
            advance()
        }
        advance()
        var isHeld = false
        if token.keyword == .with || token.keyword == .without {
            isHeld = token.keyword == .with
            advance()
            guard accept(.hold) else { return malformed() }
        }
        if isHeld {
            result.refuse(.heldCursor)
            result.effects.insert(.holdCursor)
        }
        guard accept(.for) else { return malformed() }
        innerStatement()
        remember(.declareCursor(name: name, hold: isHeld))
    }

    /// These follow the server of their transaction, so by themselves they may run anywhere.
    private mutating func cursorCommand() {
        let isClose = token.keyword == .close
        result.effects.insert(.cursor)
        advance()
        mode = .definition
        if isClose {
            if token.keyword == .all {
                advance()
                remember(.closeAllCursors)
            } else if let name = acceptName() {
                remember(.closeCursor(name: name))
            } else {
                malformed()
            }
            return
        }
        guard !token.isTerminator else { return malformed() }
        remember(.fetchCursor)
        scan()
    }

    private mutating func notification() {
        let command = token.keyword
        advance()
        result.refuse(.notification)
        result.effects.insert(command == .notify ? .notify : .listen)
        if command == .unlisten, token.kind == .operation {
            advance()
            return remember(.unlistenAll)
        }
        guard let name = acceptName() else { return malformed() }
        if command == .notify {
            guard !token.isTerminator else { return }
            guard token.kind == .comma else { return malformed() }
            advance()
            if token.isString { advance() }
        } else {
            remember(command == .listen ? .listen(name: name) : .unlisten(name: name))
        }
    }

    /// Consumes an identifier that stands alone.
    mutating func acceptName() -> Range<Int>? {
        guard token.isName, token.kind != .word || token.meaning.category != .reserved else {
            return nil
        }
        let range = token.range
        advance()
        return range
    }

    /// Keeps the command; `run` forgets it when it is not the whole text.
    mutating func remember(_ command: Command) {
        result.command = command
        result.resets = max(result.resets, command.resets)
    }
}

// MARK: - EXPLAIN and COPY

extension Scanner {
    private mutating func explain() {
        advance()
        var runs = false
        if token.kind == .open {
            var ahead = lexer
            switch ahead.next().keyword {
            case .select, .values, .with, .table: break
            default: runs = explainOptions()
            }
        } else {
            if token.keyword == .analyze || token.keyword == .analyse {
                runs = true
                advance()
            }
            _ = accept(.verbose)
        }
        explained(runs: runs)
    }

    private mutating func explained(runs: Bool) {
        previous = Token()
        second = Token()
        switch token.keyword {
        case .insert, .update, .delete, .merge, .select, .values, .table, .with:
            mode = runs ? .query : .planned
            innerStatement()
        case .create, .refresh, .execute, .declare:
            // Their own rules apply, run or not; as commands of the session they do not count.
            statement()
            result.command = .none
        default:
            guard token.kind == .open else { return malformed() }
            mode = runs ? .query : .planned
            scan()
        }
    }

    /// Reads `(ANALYZE, BUFFERS off, …)`; true when the statement is run.
    private mutating func explainOptions() -> Bool {
        var runs = false
        advance()
        while token.kind != .close {
            if token.isTerminator { return runs }
            let isAnalyze = token.keyword == .analyze || token.keyword == .analyse
                || token.kind == .quoted && token.meaning.keyword == .analyze
            advance()
            if isAnalyze { runs = !isFalse(token) }
        }
        advance()
        return runs
    }

    private func isFalse(_ token: Token) -> Bool {
        if token.keyword == .off { return true }
        if token.kind == .number { return literalNumberIsZero(token) }
        let key = token.kind == .string ? literal(token) : token.key
        return key == Self.falseWord || key == Self.offWord
    }

    private func literalNumberIsZero(_ token: Token) -> Bool {
        token.end - token.start == 1 && lexer.byte(token.start) == UInt8(ascii: "0")
    }

    static let falseWord = WordKey("false".utf8)
    private static let offWord = WordKey("off".utf8)

    private mutating func copy() {
        advance()
        _ = accept(.binary)
        if token.kind == .open {
            previous = Token()
            second = Token()
            scanParenthesis()
        } else {
            guard token.isName else { return malformed() }
            mode = .planned
            while token.isName || token.kind == .dot {
                let endsName = token.keyword == .from || token.keyword == .to
                if endsName, previous.kind != .dot { break }
                if token.isName { name() }
                if token.kind == .dot, isTemporarySchema(previous) {
                    result.refuse(.temporaryObject)
                    result.effects.insert(.temporary)
                }
                advance()
            }
            mode = .definition
            if token.kind == .open { scanParenthesis() }
        }
        copyDirection()
    }

    private mutating func copyDirection() {
        if accept(.from) {
            result.refuse(.copyFrom)
            if copyToPipe() { remember(.copyFromStdin) }
        } else if accept(.to) {
            if copyToPipe() { remember(.copyToStdout) } else { result.refuse(.serverFile) }
        } else {
            return malformed()
        }
        guard !token.isTerminator else { return malformed() }
        mode = .definition
        advance()
        scan()
    }

    /// The grammar takes STDIN and STDOUT for the same in both directions.
    private func copyToPipe() -> Bool { token.keyword == .stdin || token.keyword == .stdout }
}
