// SPDX-License-Identifier: Apache-2.0

/// Splits SQL into tokens by the rules of PostgreSQL's `scan.l`, in one pass and without copying.
///
/// What decides over safety is where strings, quoted names and comments end: a lexer that loses
/// its place reads data as SQL, or hides SQL in data. So every rule about ends is PostgreSQL's
/// (nested comments, dollar quotes, continued `E''` strings), and what is not in the rules is
/// `.invalid`, which sends the text to the primary.
struct Lexer: ~Escapable {
    let text: Span<UInt8>
    /// `standard_conforming_strings` is off, so that a backslash escapes in plain strings too.
    let plainStringsEscape: Bool
    private let words: WordTable<WordMeaning>
    private(set) var position = 0
    private(set) var hint: RouteHint?
    private var sawToken = false

    @_lifetime(copy text)
    init(_ text: Span<UInt8>, plainStringsEscape: Bool, words: WordTable<WordMeaning>) {
        self.text = text
        self.plainStringsEscape = plainStringsEscape
        self.words = words
    }

    /// The byte at an index, or zero behind the end; PostgreSQL's text ends at a zero as well.
    @inline(__always)
    func byte(_ index: Int) -> UInt8 { index < text.count ? text[index] : 0 }

    /// Whether the next thing after spaces is an opening parenthesis.
    func parenthesisFollows() -> Bool {
        var index = position
        while Self.isSpace(byte(index)) { index += 1 }
        return byte(index) == UInt8(ascii: "(")
    }

    mutating func next() -> Token {
        var token = Token()
        guard skipSpaceAndComments() else {
            (token.kind, token.start, token.end) = (.invalid, position, position)
            return token
        }
        sawToken = true
        token.start = position
        if position >= text.count {
            token.kind = .end
        } else {
            scan(&token)
        }
        token.end = position
        return token
    }

    private mutating func scan(_ token: inout Token) {
        let first = text[position]
        if Self.startsName(first) { return nameOrPrefixedString(first, &token) }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): number(&token)
        case UInt8(ascii: "'"):
            token.kind = string(escapes: plainStringsEscape, plain: true)
        case UInt8(ascii: "\""): quotedName(&token)
        case UInt8(ascii: "$"): dollar(&token)
        case UInt8(ascii: "("): single(.open, &token)
        case UInt8(ascii: ")"): single(.close, &token)
        case UInt8(ascii: ","): single(.comma, &token)
        case UInt8(ascii: ";"): single(.semicolon, &token)
        case UInt8(ascii: "["), UInt8(ascii: "]"): single(.other, &token)
        case UInt8(ascii: "."):
            if Self.isDigit(byte(position + 1)) { number(&token) } else { single(.dot, &token) }
        case UInt8(ascii: ":"):
            let isCast = byte(position + 1) == first
            position += isCast || byte(position + 1) == UInt8(ascii: "=") ? 2 : 1
            token.kind = isCast ? .cast : .other
        default:
            if Self.isOperator(first) { operation(&token) } else { single(.invalid, &token) }
        }
    }

    @inline(__always)
    private mutating func single(_ kind: Token.Kind, _ token: inout Token) {
        position += 1
        token.kind = kind
    }
}

// MARK: - Names

extension Lexer {
    private mutating func nameOrPrefixedString(_ first: UInt8, _ token: inout Token) {
        let second = byte(position + 1)
        if second == UInt8(ascii: "'") {
            switch WordKey.fold(first) {
            case UInt8(ascii: "e"):
                position += 1
                token.kind = string(escapes: true, plain: false)
                return
            case UInt8(ascii: "b"), UInt8(ascii: "x"):
                position += 1
                token.kind = string(escapes: false, plain: false) == .invalid
                    ? .invalid : .bitString
                return
            case UInt8(ascii: "n"):
                position += 1
                token.kind = string(escapes: plainStringsEscape, plain: true)
                return
            default: break
            }
        } else if second == UInt8(ascii: "&"), WordKey.fold(first) == UInt8(ascii: "u") {
            let third = byte(position + 2)
            if third == UInt8(ascii: "'") {
                position += 2
                token.kind = string(escapes: false, plain: false)
                return
            }
            // A name spelt in escapes could be any name.
            if third == UInt8(ascii: "\"") { return single(.invalid, &token) }
        }
        word(&token)
    }

    private mutating func word(_ token: inout Token) {
        var index = position
        var key = WordKey()
        while index < text.count {
            let byte = text[index]
            guard Self.continuesName(byte) else { break }
            key.append(WordKey.fold(byte))
            index += 1
        }
        token.kind = .word
        // Names are cut at 63 bytes; what is longer may mean another name than it shows.
        if index - position > 63 { token.kind = .invalid }
        position = index
        token.key = key
        token.meaning = words.find(key)
    }

    private mutating func quotedName(_ token: inout Token) {
        var index = position + 1
        var key = WordKey()
        token.kind = .quoted
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "\"") {
                index += 1
                guard self.byte(index) == byte else {
                    if index - position > 65 || index - position == 2 { token.kind = .invalid }
                    position = index
                    token.key = key
                    token.meaning = words.find(key)
                    return
                }
            }
            if byte == 0 { break }
            let folded = WordKey.fold(byte)
            if folded != byte { token.kind = .quotedCased }
            key.append(folded)
            index += 1
        }
        position = text.count
        token.kind = .invalid
    }
}

// MARK: - Constants

extension Lexer {
    private mutating func number(_ token: inout Token) {
        token.kind = .number
        if text[position] == UInt8(ascii: "0"), Self.isRadix(byte(position + 1)) {
            // 0x1F is a number from PostgreSQL 16 on, and before it 0 with the name x1F.
            position += 2
            while Self.isHexadecimal(byte(position)) || byte(position) == UInt8(ascii: "_") {
                position += 1
            }
            return
        }
        digits()
        if byte(position) == UInt8(ascii: ".") && byte(position + 1) != UInt8(ascii: ".") {
            position += 1
            digits()
        }
        guard WordKey.fold(byte(position)) == UInt8(ascii: "e") else { return }
        let sign = byte(position + 1)
        let skip = sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") ? 2 : 1
        if Self.isDigit(byte(position + skip)) {
            position += skip
            digits()
        }
    }

    private mutating func digits() {
        while true {
            let byte = byte(position)
            let isSeparator = byte == UInt8(ascii: "_") && Self.isDigit(self.byte(position + 1))
            guard Self.isDigit(byte) || isSeparator else { return }
            position += 1
        }
    }

    /// Reads a string from its opening quote on, with the parts that continue it on further lines.
    private mutating func string(escapes: Bool, plain: Bool) -> Token.Kind {
        var sawEscape = !plain
        position += 1
        while position < text.count {
            let byte = text[position]
            position += 1
            if byte == UInt8(ascii: "'") {
                if self.byte(position) == byte {
                    position += 1
                    sawEscape = true
                } else if !(escapes && continues()) {
                    return sawEscape ? .escapedString : .string
                }
            } else if byte == UInt8(ascii: "\\"), escapes {
                position += 1
                sawEscape = true
            } else if byte == 0 {
                break
            }
        }
        position = text.count
        return .invalid
    }

    /// After the closing quote of a string: steps into the part that continues it, if there is one.
    ///
    /// `E'a'` and `'b\''` on the next line are one string, and escapes go on in its second part.
    private mutating func continues() -> Bool {
        var index = position
        var sawNewline = false
        while true {
            let byte = byte(index)
            if Self.isSpace(byte) {
                sawNewline = sawNewline || byte == 10 || byte == 13
                index += 1
            } else if byte == UInt8(ascii: "-"), self.byte(index + 1) == byte {
                while index < text.count, text[index] != 10, text[index] != 13 { index += 1 }
            } else {
                guard byte == UInt8(ascii: "'"), sawNewline else { return false }
                position = index + 1
                return true
            }
        }
    }

    private mutating func dollar(_ token: inout Token) {
        if Self.isDigit(byte(position + 1)) {
            position += 1
            while Self.isDigit(byte(position)) { position += 1 }
            token.kind = .parameter
            return
        }
        var tagEnd = position + 1
        if Self.startsName(byte(tagEnd)) {
            while Self.continuesName(byte(tagEnd)), byte(tagEnd) != UInt8(ascii: "$") {
                tagEnd += 1
            }
        }
        guard byte(tagEnd) == UInt8(ascii: "$") else { return single(.invalid, &token) }
        let length = tagEnd + 1 - position
        var index = tagEnd + 1
        while index + length <= text.count {
            if text[index] == UInt8(ascii: "$"), matches(position, index, length) {
                position = index + length
                token.kind = .string
                return
            }
            index += 1
        }
        position = text.count
        token.kind = .invalid
    }

    private func matches(_ left: Int, _ right: Int, _ length: Int) -> Bool {
        for offset in 0..<length where text[left + offset] != text[right + offset] {
            return false
        }
        return true
    }
}

// MARK: - Operators, spaces and comments

extension Lexer {
    /// An operator ends where a comment begins, and may end in `+` or `-` only if it contains one
    /// of the characters that no SQL operator has (manual 4.1.3), so that `=-1` is `=` and `-1`.
    private mutating func operation(_ token: inout Token) {
        let start = position
        var mayEndInSign = false
        while position < text.count {
            let byte = text[position]
            guard Self.isOperator(byte), !commentStarts(at: position) else { break }
            switch byte {
            case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"),
                UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "="):
                break
            default: mayEndInSign = true
            }
            position += 1
        }
        while position - start > 1, !mayEndInSign {
            let last = text[position - 1]
            guard last == UInt8(ascii: "+") || last == UInt8(ascii: "-") else { break }
            position -= 1
        }
        for index in start..<position { token.key.append(text[index]) }
        token.kind = .operation
    }

    private func commentStarts(at index: Int) -> Bool {
        let (first, second) = (byte(index), byte(index + 1))
        return first == UInt8(ascii: "-") && second == first
            || first == UInt8(ascii: "/") && second == UInt8(ascii: "*")
    }

    /// False when a comment never ends.
    @inline(__always)
    private mutating func skipSpaceAndComments() -> Bool {
        while position < text.count {
            let byte = text[position]
            if Self.isSpace(byte) {
                position += 1
            } else if byte == UInt8(ascii: "-") || byte == UInt8(ascii: "/") {
                guard commentStarts(at: position) else { return true }
                guard skipComment() else { return false }
            } else {
                return true
            }
        }
        return true
    }

    private mutating func skipComment() -> Bool {
        let start = position
        if text[position] == UInt8(ascii: "-") {
            while position < text.count, text[position] != 10, text[position] != 13 {
                position += 1
            }
            return true
        }
        var depth = 0
        repeat {
            let (first, second) = (byte(position), byte(position + 1))
            if first == UInt8(ascii: "/"), second == UInt8(ascii: "*") {
                depth += 1
                position += 2
            } else if first == UInt8(ascii: "*"), second == UInt8(ascii: "/") {
                depth -= 1
                position += 2
            } else {
                position += 1
            }
        } while depth > 0 && position < text.count
        if depth == 0, !sawToken { readHint(start + 2, position - 2) }
        return depth == 0
    }

    /// Understands `martlet: primary` and `martlet: replica`, with spaces anywhere between.
    private mutating func readHint(_ start: Int, _ end: Int) {
        var key = WordKey()
        for index in start..<max(start, end) where !Self.isSpace(text[index]) {
            key.append(WordKey.fold(text[index]))
        }
        if key == Self.primaryHint { hint = .primary }
        if key == Self.replicaHint { hint = .replica }
    }

    private static let primaryHint = WordKey("martlet:primary".utf8)
    private static let replicaHint = WordKey("martlet:replica".utf8)
}

// MARK: - Characters

extension Lexer {
    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte &- 9 < 5 }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    @inline(__always)
    static func isHexadecimal(_ byte: UInt8) -> Bool {
        isDigit(byte) || WordKey.fold(byte) &- UInt8(ascii: "a") < 6
    }

    static func isRadix(_ byte: UInt8) -> Bool {
        let folded = WordKey.fold(byte)
        return folded == UInt8(ascii: "x") || folded == UInt8(ascii: "o")
            || folded == UInt8(ascii: "b")
    }

    /// Letters, underscores and every byte of a character beyond ASCII.
    @inline(__always)
    static func startsName(_ byte: UInt8) -> Bool {
        byte >= 128 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte == UInt8(ascii: "_")
    }

    @inline(__always)
    static func continuesName(_ byte: UInt8) -> Bool {
        startsName(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
    }

    static func isOperator(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"),
            UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "="), UInt8(ascii: "~"),
            UInt8(ascii: "!"), UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "%"),
            UInt8(ascii: "^"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "`"),
            UInt8(ascii: "?"):
            true
        default: false
        }
    }
}
