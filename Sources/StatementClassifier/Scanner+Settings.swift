// SPDX-License-Identifier: Apache-2.0

/// `SET`, `RESET`, `SHOW` and `DISCARD`.
extension Scanner {
    mutating func set() {
        advance()
        mode = .definition
        var isLocal = false
        if token.keyword == .local {
            isLocal = true
            advance()
        } else if token.keyword == .session {
            advance()
            if accept(.characteristics) { return setCharacteristics() }
            if token.keyword == .authorization { return setSpelled(from: previous.start, false) }
        }
        switch token.keyword {
        case .transaction:
            advance()
            setTransaction()
        case .constraints:
            result.refuse(.transactionMayWrite)
            result.effects.insert(.localSettings)
            scan()
        case .session:
            let start = token.start
            advance()
            if token.keyword != .authorization { return malformed() }
            setSpelled(from: start, isLocal)
        case .time, .names, .schema, .role, .xml: setWord(isLocal)
        default: setNamed(isLocal)
        }
    }

    /// Settings that have a spelling of their own, unless `TO` or `=` says that it is not that.
    private mutating func setWord(_ isLocal: Bool) {
        var ahead = lexer
        let next = ahead.next()
        if next.keyword == .to || next.kind == .operation || next.kind == .dot {
            return setNamed(isLocal)
        }
        let start = token.start
        switch token.keyword {
        case .time:
            advance()
            if token.keyword != .zone { return malformed() }
            setSpelled(from: start, isLocal)
        case .xml:
            result.effects.insert(isLocal ? .localSettings : .settings)
            scan()
        default: setSpelled(from: start, isLocal)
        }
    }

    /// Reads the value of `SET TIME ZONE x` and its like; the current token ends the name.
    private mutating func setSpelled(from start: Int, _ isLocal: Bool) {
        let word = token.keyword
        let name = start..<token.end
        result.effects.insert(isLocal ? .localSettings : .settings)
        if !isLocal, word == .role || word == .authorization { result.effects.insert(.role) }
        advance()
        if token.isTerminator {
            // `SET NAMES` alone means the default.
            return word == .names ? remember(.setDefault(name: name)) : malformed()
        }
        let isLocalZone = word == .zone && token.keyword == .local
        if token.keyword == .default || isLocalZone {
            advance()
            return remember(.setDefault(name: name))
        }
        let valueStart = token.start
        // `INTERVAL '+02:00' HOUR TO MINUTE` is a value too, and the last token tells its end.
        while !token.isTerminator, token.kind != .invalid { advance() }
        guard token.isTerminator else { return malformed() }
        remember(.set(name: name, value: valueStart..<previous.end, local: isLocal))
    }

    private mutating func setNamed(_ isLocal: Bool) {
        let key = token.key
        guard let name = settingName() else { return malformed() }
        result.effects.insert(isLocal ? .localSettings : .settings)
        if !isLocal, Self.isRole(key) { result.effects.insert(.role) }
        if Self.isTransactionSetting(key) { result.refuse(.transactionMayWrite) }
        guard accept(.to) || acceptEquals() else { return malformed() }
        if token.keyword == .default {
            advance()
            return remember(.setDefault(name: name))
        }
        let first = token
        guard let value = settingValues() else { return malformed() }
        if Self.isIsolation(key), literalOrKey(first) == Self.serializable {
            result.refuse(.serializable)
        }
        if isTemporaryFirst(first) {
            result.refuse(.temporaryObject)
            result.effects.insert(.temporary)
        }
        remember(.set(name: name, value: value, local: isLocal))
    }

    /// A `search_path` that begins with `pg_temp` makes every new table a temporary one.
    private func isTemporaryFirst(_ token: Token) -> Bool {
        literalOrKey(token) == Self.temporarySchema
    }

    private func literalOrKey(_ token: Token) -> WordKey {
        token.isString ? literal(token) : token.key
    }

    private mutating func acceptEquals() -> Bool {
        guard token.kind == .operation, token.end - token.start == 1,
            lexer.byte(token.start) == UInt8(ascii: "=")
        else { return false }
        advance()
        return true
    }

    /// `name` or `class.name`.
    private mutating func settingName() -> Range<Int>? {
        guard var range = acceptName() else { return nil }
        while token.kind == .dot {
            advance()
            guard token.isName else { return nil }
            range = range.lowerBound..<token.end
            advance()
        }
        return range
    }

    /// A list of strings, numbers and words; nil when it is none.
    private mutating func settingValues() -> Range<Int>? {
        let start = token.start
        while true {
            if token.kind == .operation { advance() }
            switch token.kind {
            case .string, .escapedString, .number, .word, .quoted, .quotedCased: advance()
            default: return nil
            }
            let end = previous.end
            guard token.kind == .comma else { return token.isTerminator ? start..<end : nil }
            advance()
        }
    }
}

// MARK: - RESET, SHOW, DISCARD

extension Scanner {
    mutating func reset() {
        advance()
        result.effects.insert(.settings)
        if token.keyword == .all {
            advance()
            return remember(.resetAll)
        }
        let key = token.key
        guard let name = spelledName() else { return malformed() }
        if Self.isRole(key) || lastWordIsAuthorization { result.effects.insert(.role) }
        if Self.isTransactionSetting(key) || previous.keyword == .level {
            result.refuse(.transactionMayWrite)
        }
        remember(.reset(name: name))
    }

    private var lastWordIsAuthorization: Bool { previous.keyword == .authorization }

    mutating func show() {
        advance()
        if token.keyword == .all {
            advance()
            // It shows `in_hot_standby` and `transaction_read_only` among the others.
            result.refuse(.asksForPrimary)
            return remember(.showAll)
        }
        let key = token.key
        guard let name = spelledName() else { return malformed() }
        if asksForPrimary(key) { result.refuse(.asksForPrimary) }
        remember(.show(name: name))
    }

    /// The name of a setting, in words or by itself.
    private mutating func spelledName() -> Range<Int>? {
        let start = token.start
        var ahead = lexer
        let next = ahead.next()
        switch (token.keyword, next.keyword) {
        case (.time, .zone), (.session, .authorization): advance()
        case (.transaction, .isolation):
            advance()
            advance()
            guard token.keyword == .level else { return nil }
        default: return settingName()
        }
        advance()
        return start..<previous.end
    }

    mutating func discard() {
        advance()
        result.effects.insert(.discard)
        switch token.keyword {
        case .all:
            result.effects.formUnion([.settings, .role])
            discarded(.discardAll)
        case .plans: discarded(.discardPlans)
        case .sequences: discarded(.discardSequences)
        case .temp, .temporary: discarded(.discardTemporary)
        default: malformed()
        }
    }

    private mutating func discarded(_ command: Command) {
        advance()
        remember(command)
    }

    static func isRole(_ key: WordKey) -> Bool { key == role || key == sessionAuthorization }

    static func isIsolation(_ key: WordKey) -> Bool {
        key == isolation || key == defaultIsolation
    }

    /// Settings of the running transaction, which `SET TRANSACTION` is the usual way to change.
    static func isTransactionSetting(_ key: WordKey) -> Bool {
        key == isolation || key == readOnly || key == deferrable
    }

    private static let role = WordKey("role".utf8)
    private static let sessionAuthorization = WordKey("session_authorization".utf8)
    private static let isolation = WordKey("transaction_isolation".utf8)
    private static let readOnly = WordKey("transaction_read_only".utf8)
    private static let deferrable = WordKey("transaction_deferrable".utf8)
    private static let defaultIsolation = WordKey("default_transaction_isolation".utf8)
    private static let serializable = WordKey("serializable".utf8)
    private static let temporarySchema = WordKey("pg_temp".utf8)
}
