// SPDX-License-Identifier: Apache-2.0

/// SQL text -> what it needs.
///
/// One pass of a hand-written lexer feeds a scanner that looks for what a hot standby refuses or
/// answers differently. It is not a parser: it does not know correct SQL, only what could do
/// harm, so it does not depend on the version of the grammar. Two rules keep it safe:
///
/// 1. what is not known counts as a write: statements, functions, characters, endless strings;
/// 2. every heuristic (is this `name (` a call or an alias?) errs towards the primary, and where
///    it could err the other way it covers only names that the catalogue does not have.
///
/// A mistake costs time and not correctness: the standby refuses, and martlet retries.
///
/// The refused alternative is the real grammar (libpg_query): 20 to 100 times slower, one grammar
/// version, and it knows neither volatility nor views. It is the oracle of the tests instead.
package struct StatementClassifier: Sendable {
    let words: WordTable<WordMeaning>
    let maximumLength: Int

    /// - Parameter maximumLength: longer texts are not looked at and go to the primary. A
    ///   megabyte costs about a millisecond, during which the shard does nothing else.
    package init(maximumLength: Int = 4 << 20) {
        words = WordMeaning.table
        self.maximumLength = maximumLength
    }

    /// Classifies a whole simple query, or the text of a `Parse`.
    ///
    /// - Parameters:
    ///   - catalogue: the snapshot of the session's database; without one, every function that is
    ///     not PostgreSQL's own counts as a write.
    ///   - overrides: what the operator says about names; it wins over the catalogue.
    ///   - standardConformingStrings: the session's setting; off makes `\'` part of a string.
    ///   - encodingIsSafe: false for client encodings in which a later byte of a character may be
    ///     an ASCII one (SJIS, BIG5, GBK, UHC, GB18030, JOHAB, SHIFT_JIS_2004); then everything
    ///     beyond ASCII goes to the primary.
    package func classify(
        _ text: Span<UInt8>, catalogue: Catalogue?, overrides: RoutingOverrides = .none,
        standardConformingStrings: Bool = true, encodingIsSafe: Bool = true
    ) -> Classification {
        if text.count > maximumLength { return .opaque(.tooLong) }
        if !encodingIsSafe, !Self.isASCII(text) { return .opaque(.unsafeEncoding) }
        let lexer = Lexer(
            text, plainStringsEscape: !standardConformingStrings, words: words.view)
        // Held here, because a span may not outlive the access to a property of a class.
        let names = catalogue?.names ?? Self.noNames
        let operators = catalogue?.operators ?? Self.noOperators
        let overriding = overrides.names
        var scanner = Scanner(
            lexer, names: names.view, overrides: overriding.view, operators: operators.view)
        scanner.run()
        return scanner.result
    }

    package func classify(
        _ text: RawSpan, catalogue: Catalogue?, overrides: RoutingOverrides = .none,
        standardConformingStrings: Bool = true, encodingIsSafe: Bool = true
    ) -> Classification {
        // A byte is valid at every bit pattern and alignment, so the view is always sound.
        let bytes = unsafe text._unsafeView(as: UInt8.self)
        return classify(
            bytes, catalogue: catalogue, overrides: overrides,
            standardConformingStrings: standardConformingStrings, encodingIsSafe: encodingIsSafe)
    }

    private static let noNames = WordTable.empty(absent: NameFacts())
    private static let noOperators = WordTable.empty(absent: false)

    private static func isASCII(_ text: Span<UInt8>) -> Bool {
        var all: UInt8 = 0
        for index in text.indices { all |= text[index] }
        return all < 128
    }
}

extension Classification {
    /// The classification of a text that was not examined.
    static func opaque(_ reason: Reason) -> Classification {
        var result = Classification()
        result.refuse(reason)
        result.effects = .opaque
        result.statementCount = 1
        // Nothing may be built on what was not seen: it may end a transaction or change the schema.
        result.containsTransactionControl = true
        result.changesSchema = true
        return result
    }
}
