// SPDX-License-Identifier: Apache-2.0

extension StatementClassifier {
    /// A hash of the statement without its constants, spaces and comments.
    ///
    /// `SELECT 1` and `select  2` have one shape, and so have `IN (1, 2)` and `IN (3)`. For
    /// remembering that a replica refused this shape; two texts with one hash are possible, and
    /// then the second runs on the primary as well.
    package func shapeHash(
        _ text: Span<UInt8>, standardConformingStrings: Bool = true
    ) -> UInt64 {
        let looked = min(text.count, maximumLength)
        var lexer = Lexer(
            text.extracting(..<looked), plainStringsEscape: !standardConformingStrings,
            words: words.view)
        var hash: UInt64 = 0
        var previous = Token.Kind.start
        var second = Token.Kind.start
        while true {
            let token = lexer.next()
            if token.kind == .end { return hash }
            let kind = Self.normal(token.kind)
            // A list of constants counts as one: the comma and constant that follow change nothing.
            let isRepeated = kind == .number && previous == .comma && second == .number
            if !isRepeated, kind != .comma {
                if previous == .comma {
                    hash = WordKey.mix(hash, UInt64(Token.Kind.comma.rawValue))
                }
                hash = WordKey.mix(hash, Self.value(of: token, kind))
            }
            if isRepeated {
                (previous, second) = (.number, .start)
            } else {
                (second, previous) = (previous, kind)
            }
        }
    }

    package func shapeHash(_ text: RawSpan, standardConformingStrings: Bool = true) -> UInt64 {
        // A byte is valid at every bit pattern and alignment, so the view is always sound.
        let bytes = unsafe text._unsafeView(as: UInt8.self)
        return shapeHash(bytes, standardConformingStrings: standardConformingStrings)
    }

    private static func normal(_ kind: Token.Kind) -> Token.Kind {
        switch kind {
        case .string, .escapedString, .bitString, .number: .number
        case .closeBeforeExpression: .close
        default: kind
        }
    }

    private static func value(of token: Token, _ kind: Token.Kind) -> UInt64 {
        token.key.hash ^ UInt64(kind.rawValue) &* 0xFF51_AFD7_ED55_8CCD
    }
}
