// SPDX-License-Identifier: Apache-2.0

/// One token of SQL, as a range of the text.
struct Token: Sendable {
    enum Kind: UInt8, Sendable {
        /// Before the first token of a statement.
        case start
        /// An identifier or keyword without quotes.
        case word
        /// A quoted identifier without upper-case letters.
        case quoted
        /// A quoted identifier that is not the folded form of itself.
        case quotedCased
        case string
        /// A string whose bytes are not its value: `E''`, `U&''`, or with backslash escapes.
        case escapedString
        case bitString
        case number
        case parameter
        case open
        case close
        /// A `)` that an expression may follow: that of `DISTINCT ON (…)` and `OPERATOR(…)`.
        case closeBeforeExpression
        case comma
        case semicolon
        case dot
        case cast
        case operation
        /// Brackets, colons and whatever else needs no attention.
        case other
        /// Cannot be part of SQL, or never ends.
        case invalid
        case end
    }

    var kind = Kind.start
    var meaning = WordMeaning()
    var start = 0
    var end = 0
    var key = WordKey()

    @inline(__always)
    var isName: Bool { kind == .word || kind == .quoted || kind == .quotedCased }

    @inline(__always)
    var isString: Bool { kind == .string || kind == .escapedString }

    /// The keyword that a word is; quoting makes a name of every keyword.
    @inline(__always)
    var keyword: Keyword { kind == .word ? meaning.keyword : .none }

    @inline(__always)
    var isTerminator: Bool { kind == .semicolon || kind == .end }

    var range: Range<Int> { start..<end }
}
