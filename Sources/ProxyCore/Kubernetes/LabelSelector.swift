// SPDX-License-Identifier: Apache-2.0

/// Which objects are meant, by their labels, as Kubernetes writes it: `a=b,c!=d,e in (f,g),h,!i`.
package struct LabelSelector: Equatable, Sendable {
    /// One condition; an object must meet all of them.
    package enum Requirement: Equatable, Sendable {
        case isOneOf(key: String, [String])
        /// An object without the label meets it, too.
        case isNoneOf(key: String, [String])
        case exists(key: String)
        case isAbsent(key: String)
    }

    package let requirements: [Requirement]
    /// The selector as it was written.
    package let text: String

    /// No longer selector is read; 64 labels of the greatest length fit.
    package static let lengthLimit = 16 << 10

    /// An empty text selects everything.
    package init(_ text: String) throws(LabelSelectorFault) {
        guard text.utf8.count <= Self.lengthLimit else { throw LabelSelectorFault("is too long") }
        var reader = SelectorReader(text)
        requirements = try reader.requirements()
        self.text = text
    }

    /// Whether an object with these labels is meant.
    package func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { requirement in
            switch requirement {
            case .isOneOf(let key, let values): labels[key].map(values.contains) ?? false
            case .isNoneOf(let key, let values): !(labels[key].map(values.contains) ?? false)
            case .exists(let key): labels[key] != nil
            case .isAbsent(let key): labels[key] == nil
            }
        }
    }
}

/// An error in a selector; `reason` continues a sentence that begins with the selector.
package struct LabelSelectorFault: Error, Equatable, Sendable {
    package let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Reads a selector from left to right (apimachinery, `pkg/labels/selector.go`).
private struct SelectorReader {
    private enum Token: Equatable {
        case word(String)
        case comma, open, close, bang, equals, differs
        case end
    }

    private var rest: Substring

    init(_ text: String) { rest = Substring(text) }

    mutating func requirements() throws(LabelSelectorFault) -> [LabelSelector.Requirement] {
        if peek() == .end { return [] }
        var found: [LabelSelector.Requirement] = []
        while true {
            found.append(try requirement())
            switch next() {
            case .end: return found
            case .comma: continue
            case let other: throw Self.unexpected(other)
            }
        }
    }

    private mutating func requirement() throws(LabelSelectorFault) -> LabelSelector.Requirement {
        var token = next()
        if token == .bang {
            token = next()
            guard case .word(let key) = token else { throw Self.unexpected(token) }
            return .isAbsent(key: try Self.checked(key: key))
        }
        guard case .word(let word) = token else { throw Self.unexpected(token) }
        let key = try Self.checked(key: word)
        switch peek() {
        case .end, .comma: return .exists(key: key)
        case .equals:
            _ = next()
            return .isOneOf(key: key, [try value()])
        case .differs:
            _ = next()
            return .isNoneOf(key: key, [try value()])
        case .word("in"):
            _ = next()
            return .isOneOf(key: key, try values())
        case .word("notin"):
            _ = next()
            return .isNoneOf(key: key, try values())
        case let other: throw Self.unexpected(other)
        }
    }

    /// The value after an operator; empty if there is none.
    private mutating func value() throws(LabelSelectorFault) -> String {
        guard case .word(let word) = peek() else { return "" }
        _ = next()
        return try Self.checked(value: word)
    }

    private mutating func values() throws(LabelSelectorFault) -> [String] {
        guard next() == .open else { throw LabelSelectorFault("lacks the ( of a set") }
        var found = [try value()]
        while true {
            switch next() {
            case .close: return found
            case .comma: found.append(try value())
            case .end: throw LabelSelectorFault("lacks the ) of a set")
            case let other: throw Self.unexpected(other)
            }
        }
    }

    // MARK: Tokens

    private func peek() -> Token {
        var copy = self
        return copy.next()
    }

    private mutating func next() -> Token {
        rest = rest.drop { $0 == " " || $0 == "\t" }
        if rest.isEmpty { return .end }
        let symbols: [(String, Token)] = [
            ("!=", .differs), ("==", .equals), ("=", .equals), ("!", .bang), (",", .comma),
            ("(", .open), (")", .close),
        ]
        for (text, token) in symbols where rest.hasPrefix(text) {
            rest = rest.dropFirst(text.count)
            return token
        }
        let word = rest.prefix { !" \t=!,()".contains($0) }
        rest = rest[word.endIndex...]
        return .word(String(word))
    }

    private static func unexpected(_ token: Token) -> LabelSelectorFault {
        switch token {
        case .end: LabelSelectorFault("ends too early")
        case .word(let word): LabelSelectorFault("has '\(word)' where none may be")
        case .comma: LabelSelectorFault("has a comma where none may be")
        case .open, .close: LabelSelectorFault("has a bracket where none may be")
        case .bang, .equals, .differs: LabelSelectorFault("has an operator where none may be")
        }
    }

    // MARK: Names

    /// A name, optionally after a domain and a slash.
    private static func checked(key: String) throws(LabelSelectorFault) -> String {
        let parts = key.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.last ?? ""
        let isGood =
            isName(name) && (parts.count == 1 || KubernetesName.isSubdomain(String(parts[0])))
        guard isGood else {
            throw LabelSelectorFault("has '\(key)', which is not a valid label name")
        }
        return key
    }

    private static func checked(value: String) throws(LabelSelectorFault) -> String {
        guard isName(Substring(value)) else {
            throw LabelSelectorFault("has '\(value)', which is not a valid label value")
        }
        return value
    }

    private static func isName(_ text: Substring) -> Bool {
        func isEdge(_ byte: UInt8) -> Bool {
            switch byte {
            case 48...57, 65...90, 97...122: true
            default: false
            }
        }
        let bytes = Array(text.utf8)
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 63 else { return false }
        return isEdge(first) && isEdge(last)
            && bytes.allSatisfy { isEdge($0) || "-_.".utf8.contains($0) }
    }
}
