// SPDX-License-Identifier: Apache-2.0

/// A value as it was written, before anybody knows what it should be.
indirect enum RawValue: Equatable, Sendable {
    /// `isPlain` tells `null` from `"null"`.
    case scalar(String, isPlain: Bool, Origin)
    /// Items in order.
    case list([RawValue], Origin)
    /// Entries in order; YAML already refuses the same key twice.
    case map([Entry], Origin)

    /// A key and its value, each with its place.
    struct Entry: Equatable, Sendable {
        let key: String
        let keyOrigin: Origin
        let value: RawValue

        /// The key for a message about an unknown one. Where a colon was forgotten (`password x`,
        /// `{password, x}`) what stands there is a value, and may be a password.
        var shownKey: String {
            if value.isNull { return "(no value)" }
            let word = key.prefix { $0.isLetter || $0.isNumber || "_.-".contains($0) }
            return word.count == key.count ? key : "\(word)..."
        }
    }

    /// Where it was written.
    var origin: Origin {
        switch self {
        case .scalar(_, _, let origin), .list(_, let origin), .map(_, let origin): origin
        }
    }

    /// `null`, `~`, or nothing at all after the colon.
    var isNull: Bool {
        guard case .scalar(let text, isPlain: true, _) = self else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What it is, in an operator's words.
    var shape: String {
        if isNull { return "nothing" }
        return switch self {
        case .scalar: "a single value"
        case .list: "a list"
        case .map: "a group of settings"
        }
    }

    /// The text of a variable or flag. Lists come comma-separated, or as YAML (or JSON) in
    /// brackets; `[::1]:6432` is an address and no list, hence the look at the last character.
    static func text(
        _ text: String, origin: Origin, isList: Bool, problems: inout Problems, path: String
    ) -> RawValue? {
        guard isList else { return .scalar(text, isPlain: true, origin) }
        if (text.hasPrefix("[") && text.hasSuffix("]"))
            || (text.hasPrefix("{") && text.hasSuffix("}"))
        {
            return yaml(text, origin: origin, path: path, problems: &problems)
        }
        let items = text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty }
        return .list(items.map { .scalar($0, isPlain: true, origin) }, origin)
    }
}

/// Without white space at either end.
func trimmed(_ text: some StringProtocol) -> String {
    var rest = Substring(text)
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    return String(rest)
}
