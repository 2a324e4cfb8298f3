// SPDX-License-Identifier: Apache-2.0

/// Finds functions and their extent in a token stream.
enum Functions {
    struct Function: Equatable {
        var name: String
        var line: Int
        var lineCount: Int
    }

    /// Functions, initializers and subscripts that have a body, and variables with accessors.
    static func all(in text: SourceText) -> [Function] {
        let tokens = text.tokens
        return tokens.indices.compactMap { index in
            let token = tokens[index]
            // `self.init(...)` and `x.func` are uses, not declarations.
            guard starters.contains(token.text), index == 0 || tokens[index - 1].text != "." else {
                return nil
            }
            guard let open = bodyStart(tokens, from: index), let close = bodyEnd(tokens, from: open)
            else { return nil }
            let hasName = ["func", "var"].contains(token.text) && index + 1 < tokens.count
            return Function(
                name: hasName ? tokens[index + 1].text : token.text, line: token.line,
                lineCount: tokens[close].line - token.line + 1)
        }
    }

    private static let starters: Set = ["func", "init", "deinit", "subscript", "var"]
    /// What cannot stand between a signature and its body: the declaration had none.
    private static let stoppers: Set = [
        "func", "var", "let", "case", "struct", "class", "enum", "protocol", "extension", "import",
        "subscript", "deinit", "}", "return", "if", "switch", "for", "while", "guard",
    ]

    private static func bodyStart(_ tokens: [SourceText.Token], from index: Int) -> Int? {
        let isVariable = tokens[index].text == "var"
        var depth = 0
        for next in tokens.indices.dropFirst(index + 1) {
            let token = tokens[next].text
            switch token {
            case "(", "[": depth += 1
            case ")", "]": depth -= 1
            case "{" where depth == 0: return next
            // A stored variable's value may be a closure: that is no accessor.
            case "=" where isVariable && depth == 0: return nil
            case _ where depth == 0 && stoppers.contains(token): return nil
            case _ where depth < 0: return nil
            default: break
            }
        }
        return nil
    }

    private static func bodyEnd(_ tokens: [SourceText.Token], from open: Int) -> Int? {
        var depth = 0
        for index in tokens.indices.dropFirst(open) {
            if tokens[index].text == "{" { depth += 1 }
            if tokens[index].text == "}" {
                depth -= 1
                if depth == 0 { return index }
            }
        }
        return nil
    }
}
