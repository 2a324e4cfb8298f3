// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Words and turns that make a sentence be read twice, in doc comments and manuals.
enum WordRules {
    /// Each word, with what to write in its place.
    static let words: [(pattern: String, instead: String)] = [
        ("\\bnobody\\b", "say who does not, or 'no client'"),
        ("\\bwhoever\\b", "'a client that'"),
        ("\\bfor so long\\b", "'until', 'while'"),
        ("\\bin vain\\b", "'without success'"),
        ("\\bmend(s|ed|ing)?\\b", "'fix'"),
        // "There is no ..." and "is no longer" are as everybody writes them.
        ("(?<!\\bthere) is no (?!longer\\b|more\\b)", "'is not a'"),
        (" behind ", "'after'; only what lags is behind"),
    ]

    /// Where each word stands. The text of a paragraph is read as one line, so that no line break
    /// hides a word.
    static func findings(path: String, _ text: String) -> [Finding] {
        paragraphs(path: path, text).flatMap { paragraph -> [Finding] in
            let range = NSRange(paragraph.text.startIndex..., in: paragraph.text)
            return expressions.flatMap { expression, word in
                expression.matches(in: paragraph.text, range: range).map { match in
                    let found = Range(match.range, in: paragraph.text).map { paragraph.text[$0] } ?? ""
                    return Finding(
                        path: path, line: paragraph.line, message: "'\(found)'; write \(word.instead)")
                }
            }
        }
    }

    private static let expressions = words.compactMap { word in
        (try? NSRegularExpression(pattern: word.pattern, options: .caseInsensitive)).map { ($0, word) }
    }

    private static func paragraphs(path: String, _ text: String) -> [(line: Int, text: String)] {
        let isManual = path.hasSuffix(".md")
        var result: [(line: Int, text: String)] = []
        var isOpen = false
        var isCode = false
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var words = line.trimmingCharacters(in: .whitespaces)
            if !isManual {
                guard words.hasPrefix("///") else {
                    isOpen = false
                    continue
                }
                words = words.dropFirst(3).trimmingCharacters(in: .whitespaces)
            }
            if words.hasPrefix("```") { isCode.toggle() }
            if words.isEmpty || words.hasPrefix("```") || isCode {
                isOpen = false
            } else if isOpen && !words.hasPrefix("|") {
                result[result.count - 1].text += withoutCode(words) + " "
            } else {
                result.append((index + 1, " " + withoutCode(words) + " "))
                isOpen = true
            }
        }
        return result
    }

    private static func withoutCode(_ line: String) -> String {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .map { $0.offset.isMultiple(of: 2) ? String($0.element) : "code" }.joined()
    }

    /// The folder that a file is counted in: a target, a suite of tests, or a folder of the first level.
    static func place(of path: String) -> String {
        let parts = path.split(separator: "/").dropLast()
        return ["Sources", "Tests"].contains(parts.first)
            ? parts.prefix(2).joined(separator: "/") : String(parts.first ?? ".")
    }
}
