// SPDX-License-Identifier: Apache-2.0

/// Walks over the tokens of a text once and gathers what they need.
///
/// It looks back and never ahead: whether `name (` is a call is decided at the parenthesis, from
/// the three tokens before it. Statement heads live in `Scanner+Statements`, the session commands
/// in `Scanner+Settings`, transaction commands in `Scanner+Transactions`.
struct Scanner: ~Escapable {
    /// How to interpret the tokens of the current statement.
    enum Mode {
        /// A query: what it does beyond reading sends it to the primary.
        case query
        /// Runs on the primary anyway; only its effects on the session are of interest.
        case write
        /// `EXPLAIN` without `ANALYZE`: planned and not run, so calls and locks do not matter.
        case planned
        /// DDL, options and lists: names of functions are not calls.
        case definition
    }

    var lexer: Lexer
    /// The catalogue's facts about functions, relations and types.
    private let names: WordView<NameFacts>
    /// The operator's facts about them.
    let overrides: WordView<NameFacts>
    let operators: WordView<Bool>
    var result = Classification()
    var mode = Mode.query

    var token = Token()
    var previous = Token()
    var second = Token()
    var third = Token()
    /// Tokens of the current statement before `token`.
    var index = 0

    var depth = 0
    /// Bit d: a `WITH` list is open at depth d, so that `, name (…)` declares and does not call.
    var withLists: UInt64 = 0
    /// Bit d: an expression may follow the `)` that closes depth d (see `Token.Kind`).
    var expressionFollows: UInt64 = 0
    /// `BEGIN ATOMIC` and the `CASE`s in it that are open; semicolons in there end nothing.
    var atomicBlocks = 0
    /// `CREATE TABLE` and `CREATE MATERIALIZED VIEW`, whose query after `AS` is run.
    var definesRows = false
    /// `CREATE RULE … DO (a; b)`.
    var semicolonsInParentheses = false

    @_lifetime(copy lexer, copy names, copy overrides, copy operators)
    init(
        _ lexer: consuming Lexer, names: WordView<NameFacts>, overrides: WordView<NameFacts>,
        operators: WordView<Bool>
    ) {
        self.lexer = lexer
        self.names = names
        self.overrides = overrides
        self.operators = operators
    }

    /// What is known of a name, by the catalogue and by the operator.
    @inline(__always)
    func facts(of key: WordKey) -> NameFacts {
        let known = names.find(key)
        return overrides.isEmpty ? known : known.union(overrides.find(key))
    }

    mutating func run() {
        token = lexer.next()
        while token.kind != .end {
            if token.kind == .semicolon {
                token = lexer.next()
                continue
            }
            beginStatement()
            statement()
            // A handler that stopped early met something that it does not know.
            if !(token.isTerminator && depth == 0) {
                malformed()
                scan()
            }
        }
        result.hint = lexer.hint
        if result.statementCount != 1 {
            result.control = .none
            result.command = .none
        }
    }

    private mutating func beginStatement() {
        result.statementCount += 1
        previous = Token()
        second = Token()
        third = Token()
        index = 0
        mode = .query
        depth = 0
        withLists = 0
        expressionFollows = 0
        atomicBlocks = 0
        definesRows = false
        semicolonsInParentheses = false
    }

    @inline(__always)
    mutating func advance() {
        third = second
        second = previous
        previous = token
        token = lexer.next()
        index += 1
    }

    /// Consumes a keyword if it is the next token.
    mutating func accept(_ keyword: Keyword) -> Bool {
        guard token.keyword == keyword else { return false }
        advance()
        return true
    }

    /// The rest is not what the grammar has there: a newer version, or an error.
    mutating func malformed() {
        result.refuse(.unparsable)
        result.effects.insert(.opaque)
        result.control = .none
        result.command = .none
    }
}

// MARK: - The scan

extension Scanner {
    /// Looks at everything up to the end of the statement.
    mutating func scan() {
        while !(token.isTerminator && endsStatement()) {
            look()
            advance()
        }
    }

    /// Looks at one parenthesis with all that is in it; the current token opens it.
    mutating func scanParenthesis() {
        let outside = depth
        repeat {
            if token.isTerminator, endsStatement() { return }
            look()
            advance()
        } while depth > outside
    }

    private mutating func endsStatement() -> Bool {
        if token.kind == .end {
            if depth > 0 || atomicBlocks > 0 { malformed() }
            depth = 0
            return true
        }
        if atomicBlocks > 0 || (depth > 0 && semicolonsInParentheses) { return false }
        if depth > 0 { malformed() }
        depth = 0
        return true
    }

    private mutating func look() {
        switch token.kind {
        case .word: word()
        case .quoted, .quotedCased: name()
        case .string, .escapedString: string()
        case .open: open()
        case .close: close()
        case .dot:
            if previous.isName, isTemporarySchema(previous) {
                result.refuse(.temporaryObject)
                if mode != .planned { result.effects.insert(.temporary) }
            }
        case .operation:
            if mode != .planned, operators.find(token.key) { result.refuse(.volatileOperator) }
        case .invalid: malformed()
        default: break
        }
    }

    /// `pg_temp`, or the `pg_temp_7` of a session.
    func isTemporarySchema(_ token: Token) -> Bool {
        token.meaning.keyword == .pgTemp
            || token.key.low == Self.temporaryPrefix && token.end - token.start > 8
    }

    /// `pg_temp_` as the first eight bytes of a key; a literal, since it is compared so often.
    private static let temporaryPrefix: UInt64 = 0x70_67_5F_74_65_6D_70_5F
    /// `pg_stat_`.
    private static let statisticsPrefix: UInt64 = 0x70_67_5F_73_74_61_74_5F
    /// `pg_stati`, of `pg_statio_…` and `pg_statistic`.
    private static let blockStatisticsPrefix: UInt64 = 0x70_67_5F_73_74_61_74_69

    private mutating func word() {
        let keyword = token.meaning.keyword
        // `t.update` and `AS update` are names whatever the word.
        if keyword != .none, previous.kind != .dot, previous.keyword != .as {
            self.keyword(keyword)
        }
        if token.meaning.category != .reserved { name() }
    }

    private mutating func keyword(_ keyword: Keyword) {
        switch keyword {
        case .into:
            // After a column of that name (`SELECT insert INTO x`) it is the INTO of the query.
            let isTarget = (previous.keyword == .insert || previous.keyword == .merge)
                && (startsQuery(second) || second.kind == .close)
            guard !isTarget, mode == .query || mode == .planned else { return }
            result.refuse(.selectInto)
            result.changesSchema = mode == .query
        case .temp, .temporary:
            guard previous.keyword == .into || second.keyword == .into, mode != .planned else {
                return
            }
            result.effects.insert(.temporary)
        case .update, .share, .no, .key:
            if previous.keyword == .for, mode != .planned { result.refuse(.lockingClause) }
            if keyword == .update { modification() }
        case .insert, .delete, .merge: modification()
        case .with: if startsQuery(previous) { withLists |= bit(depth) }
        case .select, .values: withLists &= ~bit(depth)
        case .begin, .case, .end, .atomic: atomic(keyword)
        case .as: if mode == .definition, depth == 0, definesRows { mode = .write }
        default: break
        }
    }

    /// `INSERT` and the like where a statement can begin, so that columns may have such names.
    private mutating func modification() {
        guard startsQuery(previous) || previous.kind == .close else { return }
        withLists &= ~bit(depth)
        guard mode == .query else { return }
        result.refuse(.dataModification)
        mode = .write
    }

    private func startsQuery(_ token: Token) -> Bool {
        token.kind == .start || token.kind == .open
    }

    /// `CREATE FUNCTION … BEGIN ATOMIC …; … END` (manual 38.5) holds whole statements.
    private mutating func atomic(_ keyword: Keyword) {
        guard mode == .definition else { return }
        switch keyword {
        case .atomic: if previous.keyword == .begin { atomicBlocks = 1 }
        case .case: if atomicBlocks > 0 { atomicBlocks += 1 }
        case .end: if atomicBlocks > 0 { atomicBlocks -= 1 }
        default: break
        }
    }

    @inline(__always)
    func bit(_ depth: Int) -> UInt64 { 1 << UInt64(depth & 63) }

    private mutating func string() {
        // `current_setting('transaction_read_only')`, `pg_settings WHERE name = '…'`.
        let length = token.end - token.start
        if length > 15, length < 33, asksForPrimary(literal(token)) {
            result.refuse(.asksForPrimary)
        }
    }

    /// The key of the bytes between the quotes of a string, whatever its prefix.
    func literal(_ token: Token) -> WordKey {
        var key = WordKey()
        let quote = UInt8(ascii: "'")
        var start = token.start
        while start < token.end, lexer.byte(start) != quote { start += 1 }
        start += 1
        for index in start..<max(token.end - 1, start) {
            key.append(WordKey.fold(lexer.byte(index)), at: index - start)
        }
        return key
    }

    /// The settings by which drivers tell a primary from a standby.
    func asksForPrimary(_ key: WordKey) -> Bool {
        key == Self.readOnlySetting || key == Self.standbySetting || key == Self.defaultSetting
    }

    private static let readOnlySetting = WordKey("transaction_read_only".utf8)
    private static let standbySetting = WordKey("in_hot_standby".utf8)
    private static let defaultSetting = WordKey("default_transaction_read_only".utf8)
}

// MARK: - Parentheses and names

extension Scanner {
    private mutating func open() {
        // A prefixed string or a name may stand before it; only names can be called.
        if previous.isName, mode == .query || mode == .write { call() }
        depth += 1
        if depth >= 64 { malformed() }
        let follows = previous.keyword == .operator
            || (previous.keyword == .on && second.keyword == .distinct)
        withLists &= ~bit(depth)
        expressionFollows &= ~bit(depth)
        if follows { expressionFollows |= bit(depth) }
    }

    private mutating func close() {
        if depth == 0 { return malformed() }
        if expressionFollows & bit(depth) != 0 { token.kind = .closeBeforeExpression }
        withLists &= ~bit(depth)
        depth -= 1
    }

    /// Looks a name up as a relation, a type, or a function in attribute notation (`row.f`).
    mutating func name() {
        guard mode != .definition else { return }
        if isNodeRelation(token) { result.refuse(.nodeAnswer) }
        if previous.kind == .dot, isVolatileAttribute() { result.refuse(.volatileFunction) }
        let isQualified = previous.kind == .dot && second.isName
        let key = isQualified ? WordKey(qualifier: second.key, name: token.key) : token.key
        let facts = facts(of: key)
        if facts.isDisjoint(with: .anyRelation) { return }
        if facts.contains(.primaryRelation) {
            result.refuse(.configured)
        } else {
            result.refuse(facts.contains(.unloggedRelation) ? .unloggedRelation : .unsafeRelation)
        }
    }

    /// `pg_stat_…` and `pg_statio_…` by their prefix, those of extensions included.
    private func isNodeRelation(_ token: Token) -> Bool {
        if token.meaning.isNodeRelation { return true }
        if token.key.low == Self.statisticsPrefix { return token.end - token.start > 8 }
        guard token.key.low == Self.blockStatisticsPrefix else { return false }
        let offset = token.kind == .word ? 8 : 9
        return WordKey.fold(lexer.byte(token.start + offset)) == UInt8(ascii: "o")
    }

    /// `row.f` calls `f(row)` when the row has no such column (manual 8.16.5).
    private func isVolatileAttribute() -> Bool {
        guard mode == .query else { return false }
        let facts = facts(of: token.key)
        return facts.contains(.volatileFunction) && !facts.contains(.readFunction)
            && !lexer.parenthesisFollows()
    }
}
