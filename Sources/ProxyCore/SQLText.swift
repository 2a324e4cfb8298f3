// SPDX-License-Identifier: Apache-2.0

/// How names and texts are written into SQL.
package enum SQLText {
    /// A name in double quotes, whatever is in it.
    package static func identifier(_ name: some StringProtocol) -> String {
        "\"" + doubling("\"", in: name) + "\""
    }

    /// A name with a schema or prefix (`my.setting`), each part in double quotes.
    package static func qualifiedName(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false)
            .map { identifier($0) }.joined(separator: ".")
    }

    /// A string constant that means the same whatever `standard_conforming_strings` is.
    package static func literal(_ text: String) -> String {
        text.contains("\\") ? escapeLiteral(text) : "'\(doubling("'", in: text))'"
    }

    /// The same in the form with `E` in any case, as one prefix suits all texts of a generated
    /// statement.
    package static func escapeLiteral(_ text: String) -> String {
        "E'" + doubling("'", in: doubling("\\", in: text)) + "'"
    }

    private static func doubling(_ mark: Character, in text: some StringProtocol) -> String {
        text.split(separator: mark, omittingEmptySubsequences: false)
            .joined(separator: "\(mark)\(mark)")
    }
}
