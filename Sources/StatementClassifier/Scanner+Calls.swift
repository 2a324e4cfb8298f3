// SPDX-License-Identifier: Apache-2.0

/// Decides what `name (` is, and what the call of a function means.
extension Scanner {
    /// The current token is a parenthesis after a name.
    mutating func call() {
        // `AS name (columns)`, `CAST(x AS type(n))` and `x::type(n)` call nothing.
        if second.kind == .cast || second.keyword == .as { return }
        if second.kind == .dot, third.isName { return qualifiedCall() }
        let meaning = previous.meaning
        if previous.kind == .word, meaning.category == .reserved { return }
        let facts = facts(of: previous.key)
        if decides(facts) { return }
        if meaning.function != .unknown, previous.kind != .quotedCased {
            return builtin(meaning.function)
        }
        if previous.kind == .word, isConstruct(meaning) { return }
        if facts.contains(.safeFunction) || isDeclaredName { return }
        result.refuse(.unknownFunction)
    }

    private func isConstruct(_ meaning: WordMeaning) -> Bool {
        meaning.isConstruct || meaning.category == .columnName
            || meaning.category == .typeOrFunction
    }

    /// Applies what the catalogue and the configuration say; false when they say nothing.
    private mutating func decides(_ facts: NameFacts) -> Bool {
        if facts.contains(.writeFunction) {
            result.refuse(.configured)
        } else if facts.contains(.readFunction) {
            return true
        } else if facts.contains(.volatileFunction) {
            result.refuse(.volatileFunction)
        } else {
            return false
        }
        if facts.contains(.statefulFunction) { result.effects.insert(.opaque) }
        return true
    }

    private mutating func qualifiedCall() {
        let schema = third.meaning.keyword
        if schema == .pgCatalog {
            let function = previous.kind == .quotedCased ? .unknown : previous.meaning.function
            return function == .unknown ? result.refuse(.unknownFunction) : builtin(function)
        }
        // Its functions are stable helpers of its views.
        if schema == .informationSchema { return }
        var facts = facts(of: WordKey(qualifier: third.key, name: previous.key))
        let bare = overrides.find(previous.key)
        facts.formUnion(bare.intersection([.readFunction, .writeFunction]))
        if decides(facts) || facts.contains(.safeFunction) { return }
        result.refuse(.unknownFunction)
    }

    /// Whether the name before the parenthesis is being declared: `FROM t x(a, b)`, `WITH x(a) AS`.
    ///
    /// Asked only for names that neither PostgreSQL nor the catalogue has as functions, so that an
    /// answer too generous cannot hide a write of a known one.
    private var isDeclaredName: Bool {
        switch second.kind {
        case .word:
            switch second.meaning.keyword {
            case .none, .with, .recursive, .ordinality: true
            default: false
            }
        case .quoted, .quotedCased, .close: true
        case .comma: withLists & bit(depth) != 0
        default: false
        }
    }

    private mutating func builtin(_ function: FunctionClass) {
        switch function {
        case .unknown: result.refuse(.unknownFunction)
        case .reads: break
        case .dynamicQuery: result.refuse(.dynamicQuery)
        case .sequence: result.refuse(.sequence)
        case .sequenceMemory:
            result.refuse(.sequence)
            result.effects.insert(.sequenceState)
        case .sequencePosition: result.refuse(.sequence)
        case .advisorySession:
            result.refuse(.advisoryLock)
            result.effects.insert(.advisoryLock)
        case .advisoryTransaction: result.refuse(.advisoryLock)
        case .setConfig: setConfig()
        case .currentSetting:
            // A name that is not in the text could be that of a question for the primary.
            var ahead = lexer
            if ahead.next().kind != .string { result.refuse(.asksForPrimary) }
        case .notify:
            result.refuse(.notification)
            result.effects.insert(.notify)
        case .largeObject: result.refuse(.largeObject)
        case .serverControl: result.refuse(.serverControl)
        case .transactionIdentity: result.refuse(.transactionIdentity)
        case .snapshot: result.refuse(.snapshot)
        case .sessionState:
            result.refuse(.sessionFunction)
            result.effects.insert(.opaque)
        case .nodeAnswer: result.refuse(.nodeAnswer)
        case .asksForPrimary: result.refuse(.asksForPrimary)
        }
    }

    /// `set_config(name, value, is_local)`: its arguments tell which effects it has.
    private mutating func setConfig() {
        var ahead = lexer
        let name = ahead.next()
        guard name.isString, ahead.next().kind == .comma else {
            result.effects.formUnion([.settings, .localSettings, .role])
            return
        }
        let setting = literal(name)
        if Self.isRole(setting) { result.effects.insert(.role) }
        if Self.isIsolation(setting) { result.refuse(.serializable) }
        let value = ahead.next()
        let isPlainValue = value.isString || value.kind == .number || value.kind == .parameter
        guard isPlainValue, ahead.next().kind == .comma else {
            result.effects.formUnion([.settings, .localSettings])
            return
        }
        let local = ahead.next()
        guard let isLocal = truth(local), ahead.next().kind == .close else {
            result.effects.formUnion([.settings, .localSettings])
            return
        }
        result.effects.insert(isLocal ? .localSettings : .settings)
        let words = second.kind == .dot ? 4 : 2
        if index == words, value.isString, ahead.next().isTerminator {
            result.command = .setConfig(name: name.range, value: value.range, local: isLocal)
        }
    }

    private func truth(_ token: Token) -> Bool? {
        switch token.keyword {
        case .other where token.key == Self.trueWord: true
        case .other where token.key == Self.falseWord: false
        default: nil
        }
    }

    private static let trueWord = WordKey("true".utf8)
}
