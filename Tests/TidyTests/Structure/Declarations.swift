// SPDX-License-Identifier: Apache-2.0

/// Types of a Swift file with their stored properties and functions, found by tokens and braces.
struct Declarations {
    struct Property: Equatable {
        var name: String
        var line: Int
        /// Only its own file can assign it: `let`, `private`, `private(set)` or `fileprivate`.
        var isOwned: Bool
        /// The declared type, or the one whose initializer makes the first value; else empty.
        var type: String
        /// False for what other files cannot even see.
        var isVisible: Bool

        var isBoolean: Bool { type == "Bool" }
    }

    struct Kind: Equatable {
        /// `class`, `struct`, `enum`, `actor`, `protocol` or `extension`.
        var keyword: String
        /// With the names of the types around it: `ServerConnection.Bound`.
        var name: String
        var line: Int
        /// False for a type that only its own file can see.
        var isVisible = true
        var inherited: Set<String> = []
        /// Stored properties of an instance.
        var properties: [Property] = []
    }

    struct Function: Equatable {
        var name: String
        /// The type around it, as in `Kind.name`; empty for a free function.
        var owner: String
    }

    /// The innermost type around each token, by the token's index.
    private(set) var owners: [String] = []
    private(set) var types: [Kind] = []
    private(set) var functions: [Function] = []

    private let tokens: [SourceText.Token]
    /// Open braces: the index in `types`, or nil for a body of another kind.
    private var scopes: [Int?] = []

    init(_ source: SourceText) {
        tokens = source.tokens
        var header: Int?
        var depth = 0
        for index in tokens.indices {
            owners.append(scopes.last.flatMap { $0.map { types[$0].name } } ?? owner())
            switch tokens[index].text {
            case "(", "[": depth += 1
            case ")", "]": depth -= 1
            case "{":
                scopes.append(depth == 0 ? header : nil)
                if depth == 0 { header = nil }
            case "}": _ = scopes.popLast()
            case let word where Self.keywords.contains(word):
                if let kind = kind(at: index) {
                    types.append(kind)
                    header = types.count - 1
                    depth = 0
                }
            case "func" where text(index - 1) != ".":
                functions.append(Function(name: text(index + 1), owner: owner()))
            case "let", "var":
                if let type = scopes.last.flatMap({ $0 }), types[type].keyword != "protocol" {
                    types[type].properties += properties(at: index)
                }
            default: break
            }
        }
    }

    private static let keywords: Set = ["class", "struct", "enum", "actor", "protocol", "extension"]
    private static let modifiers: Set = [
        "private", "fileprivate", "internal", "package", "public", "open", "static", "class",
        "lazy", "weak", "unowned", "nonisolated", "final", "(", "set", ")", "unsafe",
    ]

    private func text(_ index: Int) -> String {
        tokens.indices.contains(index) ? tokens[index].text : ""
    }

    /// The innermost type that is open.
    private func owner() -> String {
        scopes.last { $0 != nil }.flatMap { $0 }.map { types[$0].name } ?? ""
    }

    private static func isName(_ text: String) -> Bool {
        text.unicodeScalars.first.map { $0.properties.isAlphabetic || $0 == "_" } ?? false
    }

    // MARK: Types

    private func kind(at index: Int) -> Kind? {
        let keyword = tokens[index].text
        // `class func`, `.extension`, `: class` and `enum` as a label are not declarations.
        guard ![".", ":", ",", "("].contains(text(index - 1)),
            Self.isName(text(index + 1)), !Self.modifiers.contains(text(index + 1)),
            !["func", "var", "let"].contains(text(index + 1))
        else { return nil }
        var name = text(index + 1)
        var next = index + 2
        while keyword == "extension", text(next) == ".", Self.isName(text(next + 1)) {
            name += "." + text(next + 1)
            next += 2
        }
        var inherited: Set<String> = []
        while next < tokens.count, text(next) != "{" {
            inherited.insert(text(next))
            next += 1
        }
        var before = index - 1
        while Self.modifiers.contains(text(before)), !Self.isPrivate(text(before)) { before -= 1 }
        let around = owner()
        return Kind(
            keyword: keyword, name: around.isEmpty ? name : around + "." + name,
            line: tokens[index].line, isVisible: !Self.isPrivate(text(before)),
            inherited: inherited)
    }

    // MARK: Properties

    private func properties(at index: Int) -> [Property] {
        var words: Set<String> = []
        var isSettingPrivate = false
        var before = index - 1
        while Self.modifiers.contains(text(before)) || text(before).hasPrefix("@") {
            if text(before) == "set" {
                isSettingPrivate = isSettingPrivate || Self.isPrivate(text(before - 2))
                before -= 3
            } else {
                words.insert(text(before))
                before -= 1
            }
        }
        if words.contains("static") || words.contains("class") { return [] }
        let isPrivate = words.contains(where: Self.isPrivate)
        let isOwned = isPrivate || isSettingPrivate || text(index) == "let"
        return names(after: index).map {
            Property(
                name: $0.name, line: tokens[index].line, isOwned: isOwned, type: $0.type,
                isVisible: !isPrivate)
        }
    }

    private static func isPrivate(_ word: String) -> Bool {
        word == "private" || word == "fileprivate"
    }

    /// The stored ones among the names that one `let` or `var` declares.
    private func names(after index: Int) -> [(name: String, type: String)] {
        var result: [(name: String, type: String)] = []
        var next = index + 1
        while Self.isName(text(next)) {
            let name = text(next)
            let end = ending(of: next)
            guard isStored(upTo: end) else { break }
            result.append((name, type(from: next + 1, to: end.index)))
            guard text(end.index) == "," else { break }
            next = end.index + 1
        }
        return result
    }

    /// Where a property's declaration ends: at a comma, at the braces of accessors, or at the line.
    private func ending(of index: Int) -> (index: Int, hasValue: Bool) {
        var depth = 0
        var hasValue = false
        for next in tokens.indices.dropFirst(index + 1) {
            let isOpen = "([{".contains(text(next)), isClose = ")]}".contains(text(next))
            if depth == 0 {
                let isNewLine = tokens[next].line > tokens[next - 1].line
                let continues =
                    ["=", ":", ",", ".", "+", "-", "&", "|", "<"].contains(text(next - 1))
                    || [".", "?", "+", "-", "&", "|", "=", ":"].contains(text(next))
                if isClose || (isNewLine && !continues) { return (next, hasValue) }
                if text(next) == "{" && (!hasValue || isObserver(next)) { return (next, hasValue) }
                if text(next) == "," && Self.isName(text(next + 1)) && ":=".contains(text(next + 2)) {
                    return (next, hasValue)
                }
                if text(next) == "=" { hasValue = true }
            }
            if isOpen { depth += 1 }
            if isClose { depth -= 1 }
        }
        return (tokens.count, hasValue)
    }

    private func isObserver(_ brace: Int) -> Bool { ["didSet", "willSet"].contains(text(brace + 1)) }

    private func isStored(upTo end: (index: Int, hasValue: Bool)) -> Bool {
        text(end.index) != "{" || end.hasValue || isObserver(end.index)
    }

    /// `Deque` of `: Deque<Int>`, `Thing` of `= Thing()` and `: Thing?`, `Bool` of `= true`.
    private func type(from start: Int, to end: Int) -> String {
        guard start < end else { return "" }
        var first = start + 1
        if text(first) == "any" || text(first) == "some" { first += 1 }
        if ["true", "false"].contains(text(first)) && text(start) == "=" { return "Bool" }
        guard text(first).first?.isUppercase ?? false else { return "" }
        var name = text(first)
        while text(first + 1) == ".", text(first + 2).first?.isUppercase ?? false, first + 2 < end {
            name += "." + text(first + 2)
            first += 2
        }
        return name
    }
}
