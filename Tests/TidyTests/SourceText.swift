// SPDX-License-Identifier: Apache-2.0

/// A Swift file split into tokens, so that a rule looks at code and not at strings or comments.
///
/// Not a parser: identifiers, numbers and attributes are one token each, every other character is a
/// token of its own, and a string is one empty token around the code that it interpolates.
struct SourceText {
    struct Token: Equatable {
        var text: String
        var line: Int
        /// Nothing stands between it and the token before.
        var isAdjacent: Bool
    }

    let lines: [Substring]
    private(set) var tokens: [Token] = []

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var lexer = Lexer(Array(text.utf8))
        lexer.lexCode(untilParenthesis: false)
        tokens = lexer.tokens
    }

    /// Lines of the file, without the empty one after its last newline.
    var lineCount: Int { lines.last?.isEmpty == true ? lines.count - 1 : lines.count }

    /// The text of a line, counted from 1.
    func line(_ number: Int) -> Substring {
        lines.indices.contains(number - 1) ? lines[number - 1] : ""
    }

    /// Whether these tokens stand here, one after the other.
    func matches(_ pattern: [String], at index: Int) -> Bool {
        index >= 0 && index + pattern.count <= tokens.count
            && pattern.indices.allSatisfy { tokens[index + $0].text == pattern[$0] }
    }

    /// Every place where these tokens stand, one after the other.
    func places(of pattern: [String]) -> [Token] {
        tokens.indices.filter { matches(pattern, at: $0) }.map { tokens[$0] }
    }
}

private struct Lexer {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var wasSpace = true
    private(set) var tokens: [SourceText.Token] = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private func peek(_ offset: Int = 0) -> UInt8? {
        position + offset < bytes.count ? bytes[position + offset] : nil
    }

    private func stands(_ text: StaticString) -> Bool {
        let wanted = Array("\(text)".utf8)
        return bytes[position...].starts(with: wanted)
    }

    private mutating func step() {
        if bytes[position] == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    private mutating func emit(_ text: String, at line: Int) {
        tokens.append(SourceText.Token(text: text, line: line, isAdjacent: !wasSpace))
        wasSpace = false
    }

    /// Code up to the end, or to the parenthesis that ends an interpolation.
    mutating func lexCode(untilParenthesis: Bool) {
        var depth = 0
        while let byte = peek() {
            if Self.isSpace(byte) {
                step()
                wasSpace = true
            } else if stands("//") {
                while let next = peek(), next != UInt8(ascii: "\n") { step() }
                wasSpace = true
            } else if stands("/*") {
                skipBlockComment()
            } else if byte == UInt8(ascii: "\"") {
                lexString(hashes: 0)
            } else if byte == UInt8(ascii: "#"), let hashes = rawStringHashes() {
                position += hashes
                lexString(hashes: hashes)
            } else if byte == UInt8(ascii: "`") {
                lexQuotedName()
            } else if Self.isWord(byte) || byte == UInt8(ascii: "@") || byte == UInt8(ascii: "#") {
                lexWord()
            } else {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if untilParenthesis && depth == 0 { return step() }
                    depth -= 1
                }
                emit(String(UnicodeScalar(byte)), at: line)
                step()
            }
        }
    }

    private mutating func lexWord() {
        let start = position
        let line = line
        step()
        while let byte = peek(), Self.isWord(byte) { step() }
        emit(String(decoding: bytes[start..<position], as: UTF8.self), at: line)
    }

    private mutating func lexQuotedName() {
        emit("`name`", at: line)
        step()
        while let byte = peek(), byte != UInt8(ascii: "`") { step() }
        if peek() != nil { step() }
    }

    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            if stands("/*") {
                depth += 1
                position += 2
            } else if stands("*/") {
                depth -= 1
                position += 2
            } else {
                step()
            }
        } while depth > 0 && position < bytes.count
        wasSpace = true
    }

    /// How many `#` begin a raw string here.
    private func rawStringHashes() -> Int? {
        var count = 0
        while peek(count) == UInt8(ascii: "#") { count += 1 }
        return peek(count) == UInt8(ascii: "\"") ? count : nil
    }

    private mutating func lexString(hashes: Int) {
        emit("\"\"", at: line)
        let isMultiline = stands("\"\"\"")
        position += isMultiline ? 3 : 1
        let quotes = isMultiline ? 3 : 1
        while let byte = peek() {
            if byte == UInt8(ascii: "\\"), followed(by: UInt8(ascii: "#"), hashes, from: 1) {
                position += 1 + hashes
                if peek() == UInt8(ascii: "(") {
                    position += 1
                    lexCode(untilParenthesis: true)
                } else if peek() != nil {
                    step()
                }
            } else if followed(by: UInt8(ascii: "\""), quotes, from: 0),
                followed(by: UInt8(ascii: "#"), hashes, from: quotes)
            {
                position += quotes + hashes
                wasSpace = false
                return
            } else {
                step()
            }
        }
    }

    private func followed(by byte: UInt8, _ count: Int, from offset: Int) -> Bool {
        (0..<count).allSatisfy { peek(offset + $0) == byte }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (9...13).contains(byte)
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f, 0x24, 0x80...: true
        default: false
        }
    }
}
