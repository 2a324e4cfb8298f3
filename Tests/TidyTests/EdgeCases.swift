// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The table of `Tests/EdgeCases.md` and the tests that name its numbers, held against each other.
enum EdgeCases {
    static let count = 114

    /// A row of the table.
    struct Row: Equatable {
        var number: Int
        var line: Int
        /// As in the third column: `module: name`.
        var tests: Set<String>
        /// `open: ...` or `refused: ...`, where there is no test.
        var exception: String?
    }

    // MARK: Reading

    static func rows(of table: String) -> [Row] {
        table.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
            index, line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 3, let number = Int(cells[0]) else { return nil }
            let isException = cells[2].hasPrefix("open: ") || cells[2].hasPrefix("refused: ")
            // Every second piece stands between backticks.
            let pieces = cells[2].split(separator: "`", omittingEmptySubsequences: false)
            let tests = stride(from: 1, to: pieces.count, by: 2).map { String(pieces[$0]) }
            return Row(
                number: number, line: index + 1, tests: Set(tests),
                exception: isException ? cells[2] : nil)
        }
    }

    /// What the tests of one file say that they are for: the test after each mark.
    static func marks(path: String, _ text: String) -> [(number: Int, test: String)] {
        let file = path.split(separator: "/").last ?? ""
        let module = file.prefix { $0 != "." }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.flatMap { index -> [(number: Int, test: String)] in
            let line = lines[index].drop { $0 == " " }
            guard let mark = ["// Edge cases: ", "# Edge cases: "].first(where: line.hasPrefix) else {
                return []
            }
            let test = lines[index...].lazy.compactMap(name).first ?? "nothing"
            return line.dropFirst(mark.count).split(separator: ",").map {
                (Int($0.trimmingCharacters(in: .whitespaces)) ?? 0, "\(module): \(test)")
            }
        }
    }

    /// The name of the test that a line declares.
    private static func name(in line: Substring) -> Substring? {
        if let start = line.firstRange(of: "func `") {
            return line[start.upperBound...].prefix { $0 != "`" }
        }
        guard let start = line.firstRange(of: "def test_") else { return nil }
        return line[start.lowerBound...].dropFirst("def ".count).prefix { $0 != "(" }
    }

    // MARK: Comparing

    static func findings(
        path: String, table: String, marks: [(number: Int, test: String)]
    ) -> [Finding] {
        let rows = rows(of: table)
        var findings: [Finding] = []
        if rows.map(\.number) != Array(1...count) {
            findings.append(
                Finding(path: path, line: 1, message: "the table has not the cases 1 to \(count)"))
        }
        for row in rows {
            let marked = Set(marks.filter { $0.number == row.number }.map(\.test))
            func find(_ message: String) {
                findings.append(
                    Finding(path: path, line: row.line, message: "case \(row.number) \(message)"))
            }
            if row.tests.isEmpty && row.exception == nil {
                find("has no test; write one, or say 'open: ...' or 'refused: ...'")
            }
            if !row.tests.isEmpty && row.exception != nil { find("has tests and is none the less excused") }
            for test in row.tests.subtracting(marked).sorted() {
                find("names '\(test)', which does not exist or is not marked for it")
            }
            for test in marked.subtracting(row.tests).sorted() {
                find("does not name '\(test)', which is marked for it")
            }
        }
        for mark in marks where !(1...count).contains(mark.number) {
            findings.append(
                Finding(path: path, line: 1, message: "'\(mark.test)' is for a case that is none"))
        }
        return findings
    }
}
