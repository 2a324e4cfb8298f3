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

    // The order and sizes make 32 bytes without a gap, which are copied as two words of 16.
    var key = WordKey()
    private var first: UInt32 = 0
    private var last: UInt32 = 0
    var meaning = WordMeaning()
    var kind = Kind.start
    private var padding: (UInt8, UInt8, UInt8) = (0, 0, 0)

    init() {}

    @inline(__always)
    init(kind: Kind, start: Int, end: Int, key: WordKey, meaning: WordMeaning) {
        self.key = key
        first = UInt32(truncatingIfNeeded: start)
        last = UInt32(truncatingIfNeeded: end)
        self.meaning = meaning
        self.kind = kind
    }

    @inline(__always)
    var start: Int { Int(first) }
    @inline(__always)
    var end: Int { Int(last) }

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
