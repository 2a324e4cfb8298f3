// SPDX-License-Identifier: Apache-2.0

import Testing

/// Every edge case has a test that exists, and every test is where the table says.
struct EdgeCasesTests {
    private static let path = "Tests/EdgeCases.md"

    private static let marks = Repository.texts.filter {
        $0.path.hasPrefix("Tests/") && ($0.path.hasSuffix("Tests.swift") || $0.path.hasSuffix(".py"))
    }.flatMap { EdgeCases.marks(path: $0.path, $0.text) }

    @Test func `the table and the tests agree`() throws {
        let table = try #require(Repository.text(Self.path))
        for finding in EdgeCases.findings(path: Self.path, table: table, marks: Self.marks) {
            Issue.record("\(finding)")
        }
        for row in EdgeCases.rows(of: table) where row.exception?.hasPrefix("open: ") == true {
            Issue.record("case \(row.number) is \(row.exception ?? "")", severity: .warning)
        }
    }

    // MARK: The check itself

    private func findings(
        _ cell: String, _ marks: [(number: Int, test: String)]
    ) -> [String] {
        let others = (2...EdgeCases.count).map { "| \($0) | x | open: later |" }
        let table = "| 1 | x | \(cell) |\n" + others.joined(separator: "\n")
        return EdgeCases.findings(path: "t", table: table, marks: marks).map(\.message)
    }

    @Test func `what agrees is left alone`() {
        #expect(findings("`A: b c`; `test_d: test_e`", [(1, "A: b c"), (1, "test_d: test_e")]).isEmpty)
        #expect(findings("refused: it cannot be", []).isEmpty)
    }

    @Test func `what does not is named`() {
        #expect(findings("`A: b`", []).count == 1)
        #expect(findings("`A: b`", [(1, "A: b"), (1, "A: c")]).count == 1)
        #expect(findings("", []).count == 1)
        #expect(findings("soon", []).count == 1)
        #expect(findings("refused: not `A: b`", [(1, "A: b")]).count == 1)
        #expect(findings("`A: b`", [(1, "A: b"), (115, "A: b")]).count == 1)
        #expect(EdgeCases.findings(path: "t", table: "| 1 | x | open: y |", marks: []).count == 1)
    }

    @Test func `a mark is for the test below it`() {
        let swift = "    // Edge cases: 3, 41\n    @Test(arguments: [1])\n    func `a b`(c: Int) {\n"
        let found = EdgeCases.marks(path: "Tests/X/ATests.swift", swift)
        #expect(found.map(\.number) == [3, 41])
        #expect(found.map(\.test) == ["ATests: a b", "ATests: a b"])
        let python = "# Edge cases: 7\n@pytest.mark.parametrize('x', [1])\ndef test_it(x):\n"
        #expect(EdgeCases.marks(path: "T/test_m.py", python).map(\.test) == ["test_m: test_it"])
    }
}
