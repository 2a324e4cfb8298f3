// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Names of settings with a dot (`app.user`), which the catalogue does not list.
///
/// Taken from the text of statements that may set them; a word too many costs one column of an
/// inspection and says nothing wrong.
enum CustomNames {
    static let limit = 100

    static func collect(from text: RawSpan, into names: inout Set<String>) {
        let words = text.text(0..<min(text.byteCount, 16_384)).lowercased()
        for word in words.split(whereSeparator: { !isPart($0) }) where word.contains(".") {
            let parts = word.split(separator: ".", omittingEmptySubsequences: false)
            let isName = parts.count == 2 && parts.allSatisfy {
                $0.first.map { $0.isLetter || $0 == "_" } ?? false
            }
            if isName && names.count < limit {
                names.insert(String(word))
            }
        }
    }

    private static func isPart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "$"
            || character == "."
    }
}
