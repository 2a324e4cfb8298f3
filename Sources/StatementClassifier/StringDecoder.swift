// SPDX-License-Identifier: Apache-2.0

/// Turns one string token into its value (manual 4.1.2.1, 4.1.2.2, 4.1.2.4).
struct StringDecoder: ~Escapable {
    private let text: Span<UInt8>
    private let plainStringsEscape: Bool
    private var index = 0
    private var value: [UInt8] = []

    @_lifetime(copy text)
    init(_ text: Span<UInt8>, plainStringsEscape: Bool) {
        self.text = text
        self.plainStringsEscape = plainStringsEscape
    }

    /// Nil for `U&''` and bit strings, and for escapes that are not valid.
    mutating func decode() -> [UInt8]? {
        guard !text.isEmpty else { return nil }
        switch WordKey.fold(text[0]) {
        case UInt8(ascii: "$"): return dollarQuoted()
        case UInt8(ascii: "'"): return quoted(escapes: plainStringsEscape)
        case UInt8(ascii: "e"):
            index = 1
            return quoted(escapes: true)
        case UInt8(ascii: "n"):
            index = 1
            return quoted(escapes: plainStringsEscape)
        default: return nil
        }
    }

    private func byte(_ index: Int) -> UInt8 { index < text.count ? text[index] : 0 }

    private mutating func dollarQuoted() -> [UInt8] {
        var tag = 1
        while byte(tag) != UInt8(ascii: "$") { tag += 1 }
        for index in (tag + 1)..<(text.count - tag - 1) { value.append(text[index]) }
        return value
    }

    private mutating func quoted(escapes: Bool) -> [UInt8]? {
        var isInside = false
        while index < text.count {
            let byte = text[index]
            index += 1
            if byte == UInt8(ascii: "'") {
                if isInside, self.byte(index) == byte {
                    value.append(byte)
                    index += 1
                } else {
                    // Between two parts of a continued string there are only spaces and comments.
                    isInside.toggle()
                }
            } else if !isInside {
                if byte == UInt8(ascii: "-") { skipLine() }
            } else if escapes, byte == UInt8(ascii: "\\") {
                guard escape() else { return nil }
            } else {
                value.append(byte)
            }
        }
        return value
    }

    private mutating func skipLine() {
        while index < text.count, text[index] != 10, text[index] != 13 { index += 1 }
    }

    private mutating func escape() -> Bool {
        let byte = byte(index)
        index += 1
        switch byte {
        case UInt8(ascii: "b"): value.append(8)
        case UInt8(ascii: "f"): value.append(12)
        case UInt8(ascii: "n"): value.append(10)
        case UInt8(ascii: "r"): value.append(13)
        case UInt8(ascii: "t"): value.append(9)
        case UInt8(ascii: "v"): value.append(11)
        case UInt8(ascii: "x") where Lexer.isHexadecimal(self.byte(index)):
            value.append(UInt8(truncatingIfNeeded: digits(radix: 16, atMost: 2)))
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            index -= 1
            value.append(UInt8(truncatingIfNeeded: digits(radix: 8, atMost: 3)))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            let count = byte == UInt8(ascii: "u") ? 4 : 8
            let start = index
            let scalar = UnicodeScalar(UInt32(truncatingIfNeeded: digits(radix: 16, atMost: count)))
            guard index - start == count, let scalar else { return false }
            value += Array(String(scalar).utf8)
        default: value.append(byte)
        }
        return true
    }

    private mutating func digits(radix: Int, atMost count: Int) -> Int {
        var number = 0
        for _ in 0..<count {
            let byte = WordKey.fold(self.byte(index))
            guard Lexer.isHexadecimal(byte) else { break }
            let digit = Int(byte) - (Lexer.isDigit(byte) ? 48 : 87)
            guard digit < radix else { break }
            number = number * radix + digit
            index += 1
        }
        return number
    }
}
