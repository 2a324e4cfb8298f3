// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// A type of value: how it is read from what was written, and how it is written.
struct SettingKind<Value: Equatable & Sendable>: Sendable {
    /// For the reference: `duration`, `text`, `auto | primary | replica`.
    let name: String
    /// Whether it holds several values.
    var isList = false
    /// What an entry of the list may hold.
    var fields: [FieldDescription] = []
    /// Nil after it reported what is wrong.
    let read: @Sendable (RawValue, _ path: String, inout Problems) -> Value?
    /// As YAML.
    let write: @Sendable (Value) -> String

    /// A kind that is one scalar; `parse` gives nil where the text is none of its values.
    static func scalar(
        _ name: String, write: @escaping @Sendable (Value) -> String,
        parse: @escaping @Sendable (String) -> Parsed<Value>
    ) -> Self {
        Self(
            name: name,
            read: { raw, path, problems in
                guard case .scalar(let text, _, let origin) = raw, !raw.isNull else {
                    problems.report(
                        raw.origin, path, "expected \(name), found \(raw.shape)")
                    return nil
                }
                switch parse(text) {
                case .value(let value): return value
                case .wrong(let message, let suggestion):
                    problems.report(
                        origin, path, "\(problems.quote(text)) \(message)",
                        suggestion: problems.hidesValues ? nil : suggestion)
                    return nil
                case .unspeakable(let message):
                    problems.report(origin, path, message)
                    return nil
                }
            },
            write: write)
    }
}

/// What became of a text.
enum Parsed<Value: Sendable>: Sendable {
    /// The text means this.
    case value(Value)
    /// Continues a sentence that begins with the text: "'x' is not a number".
    case wrong(String, suggestion: String? = nil)
    /// The same where the text may hold a secret, and is not repeated.
    case unspeakable(String)
}

extension SettingKind where Value == String {
    /// Any text but none.
    static let text = named("text")

    /// The name of a file; a relative one is meant from where the configuration file is.
    static let file = named("file")

    /// Text under another name in the reference, with a check of its own.
    static func named(
        _ name: String, check: @escaping @Sendable (String) -> Parsed<String> = { .value($0) }
    ) -> Self {
        scalar(name, write: quoted) { text in
            if text.isEmpty { return .wrong("is empty") }
            if text.utf8.contains(0) { return .wrong("holds a zero byte") }
            return check(text)
        }
    }

    /// A database or user of an authentication rule.
    static let ruleName = named("name") { text in
        if AuthenticationRule.Word.unsupported.contains(text) || "+/@".contains(text.prefix(1)) {
            return .wrong(
                "is not supported", suggestion: "write the names of all that are meant")
        }
        return .value(text)
    }

    /// A password, or what PostgreSQL keeps of one. A damaged secret would pass for a password.
    static let roleSecret = named("text") { text in
        if text.hasPrefix("SCRAM-SHA-256$"), ScramSecret(text: text) == nil {
            return .unspeakable("begins like a SCRAM secret, but is none")
        }
        return .value(text)
    }

    /// A function or relation: `name` or `schema.name`, folded to lower case as SQL does.
    static let objectName = named("name") { text in
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }),
            !text.contains(where: { $0.isWhitespace || "()\"';,".contains($0) })
        else { return .wrong("is not a name", suggestion: "write name or schema.name") }
        return .value(text.lowercased())
    }

    /// The same with its schema, so that no search_path decides what is meant.
    static let qualifiedName = named("schema.name") { text in
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }),
            !text.contains(where: { $0.isWhitespace || "()\"';,".contains($0) })
        else { return .wrong("is not a name with its schema", suggestion: "write schema.name") }
        return .value(text.lowercased())
    }
}

extension SettingKind where Value == Bool {
    /// PostgreSQL's words for yes and no.
    static let boolean = scalar("true | false", write: { $0 ? "true" : "false" }) { text in
        switch text.lowercased() {
        case "true", "on", "yes", "1": .value(true)
        case "false", "off", "no", "0": .value(false)
        default: .wrong("is neither true nor false")
        }
    }
}

extension SettingKind where Value == Int {
    /// Within bounds that the error names.
    static func integer(_ range: ClosedRange<Int>) -> Self {
        scalar("integer", write: String.init) { text in
            guard let number = Int(text) else { return .wrong("is not a whole number") }
            guard range.contains(number) else {
                return .wrong("is not between \(range.lowerBound) and \(range.upperBound)")
            }
            return .value(number)
        }
    }
}

extension SettingKind
where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of a few words.
    static var choice: Self {
        let words = Value.allCases.map(\.rawValue)
        return scalar(words.joined(separator: " | "), write: \.rawValue) { text in
            if let value = Value(rawValue: text) { return .value(value) }
            let meant = EditDistance.nearest(to: text, among: words).map { "did you mean \($0)?" }
            return .wrong("is none of \(words.joined(separator: ", "))", suggestion: meant)
        }
    }
}

extension SettingKind where Value == HostAndPort {
    /// A host and a port, which may be left out where there is a default.
    static func address(_ name: String, defaultPort: UInt16? = nil) -> Self {
        scalar(name, write: { quoted($0.description) }) { text in
            if let address = HostAndPort(text) { return .value(address) }
            if let defaultPort, let address = HostAndPort("\(text):\(defaultPort)") {
                return .value(address)
            }
            let ports = text.drop { $0 != ":" }.dropFirst()
            if !ports.isEmpty, ports.allSatisfy(\.isNumber) {
                return .wrong("has no port that exists", suggestion: "ports end at 65535")
            }
            let meant = UInt16(text).map { "did you mean *:\($0)?" }
            return .wrong(
                "is not an address",
                suggestion: meant ?? "write host:port, or [IPv6 address]:port")
        }
    }
}

extension SettingKind where Value == AuthenticationRule.Address {
    /// Whom a rule is for.
    static let ruleAddress = scalar("address", write: { quoted($0.text) }) { text in
        if let address = AuthenticationRule.Address(text) { return .value(address) }
        let meant = text.split(separator: "/").first.flatMap { IPAddress($0) } == nil
            ? "write an address, a range such as 10.0.0.0/8, or all"
            : "bits behind the prefix must be 0"
        return .wrong("is not an address or a range", suggestion: meant)
    }
}

extension SettingKind where Value == PatroniURL {
    /// Scheme, host and port; no path and no account.
    static let patroniURL = scalar("URL", write: { quoted($0.description) }) { text in
        if let url = PatroniURL(text) { return .value(url) }
        // What stands before an @ may be a password.
        if text.contains("@") {
            return .unspeakable("holds an account, which Patroni never asks for when it is read")
        }
        if HostAndPort(text) != nil {
            return .wrong("is not a URL", suggestion: "did you mean http://\(text)?")
        }
        return .wrong("is not a URL", suggestion: "write http://host:port or https://host:port")
    }
}

/// A text as YAML: bare where that is safe, otherwise in double quotes.
@Sendable func quoted(_ text: String) -> String {
    let isPlain =
        text.first.map { $0.isLetter || $0.isNumber || $0 == "/" } == true
        && text.allSatisfy { $0.isLetter || $0.isNumber || "/._-:".contains($0) }
        && !text.hasSuffix(":") && !["null", "true", "false", "yes", "no"].contains(text)
    if isPlain { return text }
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\n": result += "\\n"
        case "\t": result += "\\t"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
