// SPDX-License-Identifier: Apache-2.0

/// Keeps out of the log what nobody should read there.
///
/// The last line of defence: whoever logs does not hand such things over to begin with.
enum LogRedaction {
    /// What stands where a secret was.
    static let mark = "[redacted]"

    /// A field as it may be shown; nil where it is left out.
    static func shown(_ field: LogLine.Field, statements: Bool) -> LogLine.Field? {
        let key = field.key.lowercased()
        if statementKeys.contains(key) { return statements ? field : nil }
        if secretWords.contains(where: key.contains) { return LogLine.Field(field.key, mark) }
        return LogLine.Field(field.key, withoutCredentials(field.value))
    }

    private static let statementKeys: Set = ["statement", "query", "sql"]
    private static let secretWords = [
        "password", "passwd", "passphrase", "secret", "token", "client_key", "private_key",
        "credential",
    ]

    /// Text whose URLs and connection strings have lost their passwords.
    static func withoutCredentials(_ text: String) -> String {
        var result = text
        if result.contains("://") { result = withoutUserInfo(result) }
        for word in ["password=", "PASSWORD="] where result.contains(word) {
            result = withoutAssignment(result, word)
        }
        // Secrets as in pg_authid; they are as good as a password to whoever has one.
        if result.contains("SCRAM-SHA-256$") { result = withoutSecret(result) }
        return result
    }

    /// `scheme://user:password@host` loses what is between colon and at sign.
    private static func withoutUserInfo(_ text: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let start = rest.range(of: "://") {
            result += rest[..<start.upperBound]
            rest = rest[start.upperBound...]
            let authority = rest.prefix { !"/?# \t\n\"'".contains($0) }
            guard let at = authority.lastIndex(of: "@") else { continue }
            let user = authority[..<at].prefix { $0 != ":" }
            result += user
            if user.endIndex != at { result += ":" + mark }
            rest = rest[at...]
        }
        return result + rest
    }

    /// `password=word` and `password='two words'` lose the value.
    private static func withoutAssignment(_ text: String, _ word: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let start = rest.range(of: word) {
            result += rest[..<start.upperBound] + mark
            rest = rest[start.upperBound...]
            if rest.first == "'" {
                rest = rest.dropFirst().drop { $0 != "'" }.dropFirst()
            } else {
                rest = rest.drop { !" \t\n&,;\"'".contains($0) }
            }
        }
        return result + rest
    }

    private static func withoutSecret(_ text: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let start = rest.range(of: "SCRAM-SHA-256$") {
            result += rest[..<start.upperBound] + mark
            rest = rest[start.upperBound...].drop { !" \t\n,;\"')".contains($0) }
        }
        return result + rest
    }
}

extension Substring {
    /// Where `text` first occurs; the standard library has it for whole collections only.
    fileprivate func range(of text: String) -> Range<Index>? {
        guard let first = text.first else { return nil }
        var start = startIndex
        while let candidate = self[start...].firstIndex(of: first) {
            if self[candidate...].hasPrefix(text) {
                return candidate..<index(candidate, offsetBy: text.count)
            }
            start = index(after: candidate)
        }
        return nil
    }
}
