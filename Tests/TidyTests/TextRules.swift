// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Rules over text of any kind: code, scripts, manuals, settings.
enum TextRules {
    /// Words that mean unfinished work. In two halves: this file is text, too.
    private static let leftovers = ["FIX" + "ME", "TO" + "DO", "XX" + "X:", "HA" + "CK:"]

    /// Paths of somebody's machine.
    private static let machinePaths = [
        "/wo" + "rk/", "/ro" + "ot/", "/tmp/bri" + "ef", "/ho" + "me/",
    ]

    static func leftovers(path: String, _ text: String) -> [Finding] {
        findings(path, text) { line in
            leftovers.first { containsWord(line, $0) }
                .map { "'\($0)' is left over; do it, or say in the issue tracker that it is open" }
        }
    }

    static func machinePaths(path: String, _ text: String) -> [Finding] {
        findings(path, text) { line in
            machinePaths.first { containsPath(line, $0) }
                .map { "'\($0)' is a path of one machine" }
        }
    }

    /// Spaces at the end of a line, tabs in code, and a missing newline at the end of the file.
    static func whitespace(path: String, _ text: String) -> [Finding] {
        var result = findings(path, text) { line in
            if line.hasSuffix(" ") || line.hasSuffix("\t") {
                return "spaces at the end of the line"
            }
            return path.hasSuffix(".swift") && line.contains("\t")
                ? "a tab; indent by 4 spaces" : nil
        }
        if !text.isEmpty && !text.hasSuffix("\n") {
            let count = text.split(separator: "\n", omittingEmptySubsequences: false).count
            result.append(Finding(path: path, line: count, message: "no newline at the end"))
        }
        return result
    }

    private static func findings(
        _ path: String, _ text: String, _ judge: (Substring) -> String?
    ) -> [Finding] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .compactMap { index, line in
                judge(line).map { Finding(path: path, line: index + 1, message: $0) }
            }
    }

    /// The word stands alone: `mark` in `a mark.`, not in `marker`.
    private static func containsWord(_ line: Substring, _ word: String) -> Bool {
        guard let range = line.range(of: word) else { return false }
        let before = line[..<range.lowerBound].last
        let after = line[range.upperBound...].first
        return !(before?.isLetter ?? false) && !(after?.isLetter ?? false)
    }

    /// The path begins here: it is not the end of another one, nor of a URL.
    private static func containsPath(_ line: Substring, _ path: String) -> Bool {
        guard let range = line.range(of: path) else { return false }
        guard let before = line[..<range.lowerBound].last else { return true }
        return !before.isLetter && !before.isNumber && !"._-/}*$)>".contains(before)
    }
}
