// SPDX-License-Identifier: Apache-2.0

/// Decodes the names and values that a `Command` points at.
///
/// Copies, so it is for the commands that a session keeps and not for every statement.
package enum SettingText {
    /// The name of the setting, folded and without quotes: `"Foo".bar` is `foo.bar`.
    ///
    /// Settings are compared without case, so quoted names are folded as well. The spellings
    /// without a name get the one that the server has for them: `TIME ZONE` is `timezone`.
    package static func name(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var lexer = lexer(text, range)
        var words: [[UInt8]] = []
        var sawDot = false
        while true {
            let token = lexer.next()
            if token.kind == .end || token.kind == .invalid { break }
            if token.kind == .dot {
                sawDot = true
            } else {
                words.append(identifier(text, token, shift: range.lowerBound, folded: true))
            }
        }
        if sawDot { return Array(words.joined(separator: [UInt8(ascii: ".")])) }
        let spelled = Array(words.joined(separator: [UInt8(ascii: " ")]))
        return spellings[spelled] ?? spelled
    }

    /// The value as `set_config` takes it, or nil when it is not simple (`INTERVAL '…'`).
    ///
    /// - Parameter name: decoded; some settings are lists of identifiers, whose elements the
    ///   server quotes again (`GUC_LIST_QUOTE`).
    package static func value(
        _ text: Span<UInt8>, _ range: Range<Int>, name: [UInt8],
        standardConformingStrings: Bool = true
    ) -> [UInt8]? {
        var lexer = lexer(text, range, standardConformingStrings: standardConformingStrings)
        let isQuotedList = quotedLists.contains(name)
        var value: [UInt8] = []
        var token = lexer.next()
        while true {
            guard var element = element(text, &token, &lexer, shift: range.lowerBound) else {
                return nil
            }
            if isQuotedList { element = quoted(element) }
            value += element
            if token.kind == .end { return value }
            guard token.kind == .comma else { return nil }
            value += [UInt8(ascii: ","), UInt8(ascii: " ")]
            token = lexer.next()
        }
    }

    /// The name of a prepared statement, cursor or channel; its case counts when it is quoted.
    package static func identifier(_ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var lexer = lexer(text, range)
        return identifier(text, lexer.next(), shift: range.lowerBound, folded: false)
    }

    /// The last name of a text of one statement: the savepoint of `ROLLBACK TO`.
    package static func lastIdentifier(_ text: Span<UInt8>) -> [UInt8] {
        var lexer = lexer(text, 0..<text.count)
        var name: [UInt8] = []
        while true {
            let token = lexer.next()
            if token.kind == .end || token.kind == .invalid { return name }
            guard token.kind != .semicolon else { continue }
            name = identifier(text, token, shift: 0, folded: false)
        }
    }

    /// The names that DEALLOCATE is given, in a text of several statements.
    package static func deallocated(_ text: Span<UInt8>) -> [[UInt8]] {
        var lexer = lexer(text, 0..<text.count)
        var names: [[UInt8]] = []
        var token = lexer.next()
        while token.kind != .end && token.kind != .invalid {
            let isDeallocate = isWord(token, "deallocate", in: text)
            token = lexer.next()
            guard isDeallocate else { continue }
            if isWord(token, "prepare", in: text) { token = lexer.next() }
            names.append(identifier(text, token, shift: 0, folded: false))
        }
        return names
    }

    /// The value of one string literal: `'it''s'`, `E'a\nb'`, `$$x$$`; nil for `U&''` and others.
    package static func string(
        _ text: Span<UInt8>, _ range: Range<Int>, standardConformingStrings: Bool = true
    ) -> [UInt8]? {
        var lexer = lexer(text, range, standardConformingStrings: standardConformingStrings)
        let token = lexer.next()
        guard token.isString else { return nil }
        return string(text, token, lexer, shift: range.lowerBound)
    }

    private static let spellings: [[UInt8]: [UInt8]] = {
        let pairs = [
            ("time zone", "timezone"), ("names", "client_encoding"), ("schema", "search_path"),
            ("session authorization", "session_authorization"),
            ("transaction isolation level", "transaction_isolation"),
        ]
        return Dictionary(
            uniqueKeysWithValues: pairs.map { (Array($0.0.utf8), Array($0.1.utf8)) })
    }()

    /// The settings of `variable_is_guc_list_quote` in PostgreSQL's dumputils.c.
    private static let quotedLists: [[UInt8]] = [
        "search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries",
        "shared_preload_libraries", "unix_socket_directories",
    ].map { Array($0.utf8) }
}

extension SettingText {
    /// Without a table of words, since keywords make no difference here.
    @_lifetime(copy text)
    private static func lexer(
        _ text: Span<UInt8>, _ range: Range<Int>, standardConformingStrings: Bool = true
    ) -> Lexer {
        Lexer(
            text.extracting(range), plainStringsEscape: !standardConformingStrings,
            words: WordView(Span(), absent: WordMeaning()))
    }

    /// Reads one element of a value list; leaves the token after it in `token`.
    private static func element(
        _ text: Span<UInt8>, _ token: inout Token, _ lexer: inout Lexer, shift: Int
    ) -> [UInt8]? {
        switch token.kind {
        case .string, .escapedString:
            let value = string(text, token, lexer, shift: shift)
            token = lexer.next()
            return value
        case .word, .quoted, .quotedCased:
            let name = identifier(text, token, shift: shift, folded: false)
            token = lexer.next()
            return name
        case .number, .operation:
            var bytes: [UInt8] = []
            if token.kind == .operation {
                let sign = text[shift + token.start]
                guard token.end - token.start == 1,
                    sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+")
                else { return nil }
                if sign == UInt8(ascii: "-") { bytes.append(sign) }
                token = lexer.next()
            }
            guard token.kind == .number else { return nil }
            for index in token.range { bytes.append(text[shift + index]) }
            token = lexer.next()
            return bytes
        default: return nil
        }
    }

    private static func isWord(_ token: Token, _ word: String, in text: Span<UInt8>) -> Bool {
        token.kind == .word
            && identifier(text, token, shift: 0, folded: false) == Array(word.utf8)
    }

    private static func identifier(
        _ text: Span<UInt8>, _ token: Token, shift: Int, folded: Bool
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        let isQuoted = token.kind != .word
        var index = token.start + (isQuoted ? 1 : 0)
        let end = token.end - (isQuoted ? 1 : 0)
        while index < end {
            let byte = text[shift + index]
            bytes.append(isQuoted && !folded ? byte : WordKey.fold(byte))
            // A quote inside is written twice.
            index += isQuoted && byte == UInt8(ascii: "\"") ? 2 : 1
        }
        return bytes
    }

    /// The value of a string token, the parts that continue it included.
    private static func string(
        _ text: Span<UInt8>, _ token: Token, _ lexer: borrowing Lexer, shift: Int
    ) -> [UInt8]? {
        var decoder = StringDecoder(
            text.extracting((shift + token.start)..<(shift + token.end)),
            plainStringsEscape: lexer.plainStringsEscape)
        return decoder.decode()
    }

    /// Quotes a name as `quote_identifier` does, unless it is a plain lower-case non-keyword.
    private static func quoted(_ name: [UInt8]) -> [UInt8] {
        let isPlain = !name.isEmpty && Lexer.startsName(name[0])
            && name.allSatisfy { Lexer.continuesName($0) && $0 < 128 && $0 != UInt8(ascii: "$") }
            && name.allSatisfy { WordKey.fold($0) == $0 }
        let category = WordMeaning.table.find(WordKey(name)).category
        if isPlain, category == .identifier || category == .unreserved { return name }
        var bytes = [UInt8(ascii: "\"")]
        for byte in name {
            bytes.append(byte)
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
        }
        bytes.append(UInt8(ascii: "\""))
        return bytes
    }
}
