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
    private let words: WordView<WordMeaning>
    private(set) var position = 0
    private(set) var hint: Destination?
    private var sawToken = false

    @_lifetime(copy text, copy words)
    init(_ text: Span<UInt8>, plainStringsEscape: Bool, words: WordView<WordMeaning>) {
        self.text = text
        self.plainStringsEscape = plainStringsEscape
        self.words = words
    }

    /// The byte at an index, or zero after the end; PostgreSQL's text ends at a zero as well.
    @inline(__always)
    func byte(_ index: Int) -> UInt8 { index < text.count ? text[index] : 0 }

    /// Whether the next thing after spaces is an opening parenthesis.
    func parenthesisFollows() -> Bool {
        var index = position
        while Self.isSpace(byte(index)) { index += 1 }
        return byte(index) == UInt8(ascii: "(")
    }

    @inline(__always)
    mutating func next() -> Token {
        guard skipSpaceAndComments() else { return Token(.invalid, from: position, to: position) }
        sawToken = true
        let start = position
        guard start < text.count else { return Token(.end, from: start, to: start) }
        let first = text[start]
        if Self.startsName(first), byte(start + 1) != UInt8(ascii: "'"),
            byte(start + 1) != UInt8(ascii: "&")
        {
            return word(start)
        }
        if first == UInt8(ascii: "\"") { return quotedName(start) }
        if Self.isOperator(first) { return operation(start) }
        let kind = scan(first)
        // `a&b` and `a'b'` begin as prefixed strings do.
        return kind == .word ? word(start) : Token(kind, from: start, to: position)
    }

    private mutating func scan(_ first: UInt8) -> Token.Kind {
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return number()
        case UInt8(ascii: "'"): return string(escapes: plainStringsEscape, plain: true)
        case UInt8(ascii: "$"): return dollar()
        case UInt8(ascii: "("): return single(.open)
        case UInt8(ascii: ")"): return single(.close)
        case UInt8(ascii: ","): return single(.comma)
        case UInt8(ascii: ";"): return single(.semicolon)
        case UInt8(ascii: "["), UInt8(ascii: "]"): return single(.other)
        case UInt8(ascii: "."): return Self.isDigit(byte(position + 1)) ? number() : single(.dot)
        case UInt8(ascii: ":"):
            let isCast = byte(position + 1) == first
            position += isCast || byte(position + 1) == UInt8(ascii: "=") ? 2 : 1
            return isCast ? .cast : .other
        default: return Self.startsName(first) ? prefixedString(first) : single(.invalid)
        }
    }

    @inline(__always)
    private mutating func single(_ kind: Token.Kind) -> Token.Kind {
        position += 1
        return kind
    }
}

extension Token {
    @inline(__always)
    fileprivate init(_ kind: Kind, from start: Int, to end: Int) {
        self.init(kind: kind, start: start, end: end, key: WordKey(), meaning: WordMeaning())
    }
}

// MARK: - Names

extension Lexer {
    @inline(__always)
    private mutating func word(_ start: Int) -> Token {
        let key = wordKey(start)
        // Names are cut at 63 bytes; what is longer may mean another name than it shows.
        let kind: Token.Kind = position - start > 63 ? .invalid : .word
        return Token(
            kind: kind, start: start, end: position, key: key, meaning: words.find(key))
    }

    /// Reads a word's key, in one loop for each part, so that no byte checks its part.
    @inline(__always)
    private mutating func wordKey(_ start: Int) -> WordKey {
        var key = WordKey()
        var index = start
        var limit = min(start + 8, text.count)
        while index < limit, let letter = Self.nameByte(text[index]) {
            key.low = key.low << 8 | UInt64(letter)
            index += 1
        }
        if index == limit {
            limit = min(start + 16, text.count)
            while index < limit, let letter = Self.nameByte(text[index]) {
                key.high = key.high << 8 | UInt64(letter)
                index += 1
            }
            if index == limit {
                while index < text.count, let letter = Self.nameByte(text[index]) {
                    key.append(letter, at: index - start)
                    index += 1
                }
            }
        }
        position = index
        return key
    }

    /// The folded byte if it continues a name.
    @inline(__always)
    private static func nameByte(_ byte: UInt8) -> UInt8? {
        let folded = byte | 0x20
        if folded &- UInt8(ascii: "a") < 26 { return folded }
        return continuesName(byte) ? byte : nil
    }

    private mutating func quotedName(_ start: Int) -> Token {
        var index = start + 1
        var length = 0
        var key = WordKey()
        var kind = Token.Kind.quoted
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "\"") {
                index += 1
                guard self.byte(index) == byte else {
                    position = index
                    if length > 63 || length == 0 { kind = .invalid }
                    return Token(
                        kind: kind, start: start, end: index, key: key, meaning: words.find(key))
                }
            }
            if byte == 0 { break }
            let folded = WordKey.fold(byte)
            if folded != byte { kind = .quotedCased }
            key.append(folded, at: length)
            length += 1
            index += 1
        }
        position = text.count
        return Token(.invalid, from: start, to: position)
    }

    /// A name follows after all when the letter is none that makes a string special.
    private mutating func prefixedString(_ first: UInt8) -> Token.Kind {
        let letter = WordKey.fold(first)
        if byte(position + 1) == UInt8(ascii: "&") {
            let third = byte(position + 2)
            guard letter == UInt8(ascii: "u") else { return .word }
            // A name spelt in escapes could be any name.
            if third == UInt8(ascii: "\"") { return single(.invalid) }
            guard third == UInt8(ascii: "'") else { return .word }
            position += 2
            return string(escapes: false, plain: false)
        }
        switch letter {
        case UInt8(ascii: "e"):
            position += 1
            return string(escapes: true, plain: false)
        case UInt8(ascii: "b"), UInt8(ascii: "x"):
            position += 1
            return string(escapes: false, plain: false) == .invalid ? .invalid : .bitString
        case UInt8(ascii: "n"):
            position += 1
            return string(escapes: plainStringsEscape, plain: true)
        default: return .word
        }
    }
}

// MARK: - Constants

extension Lexer {
    private mutating func number() -> Token.Kind {
        if text[position] == UInt8(ascii: "0"), Self.isRadix(byte(position + 1)) {
            // 0x1F is a number from PostgreSQL 16 on, and before it 0 with the name x1F.
            position += 2
            while Self.isHexadecimal(byte(position)) || byte(position) == UInt8(ascii: "_") {
                position += 1
            }
            return .number
        }
        digits()
        if byte(position) == UInt8(ascii: ".") && byte(position + 1) != UInt8(ascii: ".") {
            position += 1
            digits()
        }
        guard WordKey.fold(byte(position)) == UInt8(ascii: "e") else { return .number }
        let sign = byte(position + 1)
        let skip = sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") ? 2 : 1
        if Self.isDigit(byte(position + skip)) {
            position += skip
            digits()
        }
        return .number
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
                } else if continues() {
                    sawEscape = true
                } else {
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

    private mutating func dollar() -> Token.Kind {
        if Self.isDigit(byte(position + 1)) {
            position += 1
            while Self.isDigit(byte(position)) { position += 1 }
            return .parameter
        }
        var tagEnd = position + 1
        if Self.startsName(byte(tagEnd)) {
            while Self.continuesName(byte(tagEnd)), byte(tagEnd) != UInt8(ascii: "$") {
                tagEnd += 1
            }
        }
        guard byte(tagEnd) == UInt8(ascii: "$") else { return single(.invalid) }
        let length = tagEnd + 1 - position
        var index = tagEnd + 1
        while index + length <= text.count {
            if text[index] == UInt8(ascii: "$"), matches(position, index, length) {
                position = index + length
                return .string
            }
            index += 1
        }
        position = text.count
        return .invalid
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
    private mutating func operation(_ start: Int) -> Token {
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
        var key = WordKey()
        for index in start..<position { key.append(text[index], at: index - start) }
        return Token(
            kind: .operation, start: start, end: position, key: key, meaning: WordMeaning())
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
        var length = 0
        for index in start..<max(start, end) where !Self.isSpace(text[index]) {
            key.append(WordKey.fold(text[index]), at: length)
            length += 1
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
