// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Rules over the manuals.
enum MarkdownRules {
    /// Every link into the repository leads to something.
    ///
    /// `exists` is asked with paths from the root of the repository.
    static func links(
        path: String, _ text: String, exists: (String) -> Bool
    ) -> [Finding] {
        let folder = path.split(separator: "/").dropLast().map(String.init)
        let headings = Set(prose(text).compactMap { anchor($0.text) })
        return prose(text).flatMap { line in
            targets(in: line.text).compactMap { target -> Finding? in
                guard !isResolved(target, folder, headings, exists) else { return nil }
                return Finding(
                    path: path, line: line.number, message: "the link to '\(target)' leads nowhere")
            }
        }
    }

    /// One title, and it comes first.
    static func title(path: String, _ text: String) -> [Finding] {
        let titles = prose(text).filter { $0.text.hasPrefix("# ") }
        if titles.count == 1 { return [] }
        return titles.isEmpty
            ? [Finding(path: path, line: 1, message: "no '#' title")]
            : titles.dropFirst().map {
                Finding(path: path, line: $0.number, message: "a second '#' title")
            }
    }

    /// A decision's record says whether it holds.
    static func status(path: String, _ text: String) -> [Finding] {
        guard path.contains("/Decisions/"), !text.contains("Status:") else { return [] }
        return [Finding(path: path, line: 1, message: "a decision record has a line 'Status: ...'")]
    }

    private static func isResolved(
        _ target: String, _ folder: [String], _ headings: Set<String>, _ exists: (String) -> Bool
    ) -> Bool {
        if target.hasPrefix("doc:") {
            // DocC looks for articles by name, in the whole catalogue.
            let name = target.dropFirst("doc:".count).prefix { $0 != "#" }
            let root =
                folder.firstIndex { $0.hasSuffix(".docc") }.map { folder[...$0] } ?? folder[...]
            let places = [Array(root), Array(root) + ["Decisions"], folder]
            return places.contains { exists(($0 + [name + ".md"]).joined(separator: "/")) }
        }
        if target.contains("://") || target.hasPrefix("mailto:") { return true }
        if target.hasPrefix("#") { return headings.contains(String(target.dropFirst())) }
        let file = String(target.prefix { $0 != "#" && $0 != "?" })
        var parts = file.hasPrefix("/") ? [] : folder
        for part in file.split(separator: "/") where part != "." {
            if part == ".." {
                guard !parts.isEmpty else { return false }
                parts.removeLast()
            } else {
                parts.append(part.removingPercentEncoding ?? String(part))
            }
        }
        return exists(parts.joined(separator: "/"))
    }

    /// What `[text](target)`, `![text](target)` and `<doc:target>` lead to.
    private static func targets(in line: String) -> [String] {
        var result: [String] = []
        var rest = withoutCode(line)[...]
        while let start = rest.range(of: "](") {
            rest = rest[start.upperBound...]
            let target = rest.prefix { $0 != ")" && $0 != " " }
            result.append(target.trimmingCharacters(in: ["<", ">"]))
        }
        rest = withoutCode(line)[...]
        while let start = rest.range(of: "<doc:") {
            rest = rest[start.upperBound...]
            result.append("doc:" + rest.prefix { $0 != ">" })
        }
        return result
    }

    private static func withoutCode(_ line: String) -> String {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .map { $0.offset.isMultiple(of: 2) ? String($0.element) : "code" }.joined()
    }

    /// A heading's anchor, as the usual renderers make it.
    private static func anchor(_ line: String) -> String? {
        guard line.hasPrefix("#") else { return nil }
        let title = line.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
        let kept = title.filter { $0.isLetter || $0.isNumber || " -_".contains($0) }
        return kept.replacing(" ", with: "-")
    }

    /// The lines outside fenced code, with their numbers.
    private static func prose(_ text: String) -> [(number: Int, text: String)] {
        var isCode = false
        var result: [(number: Int, text: String)] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isCode.toggle()
            } else if !isCode {
                result.append((index + 1, String(line)))
            }
        }
        return result
    }
}
