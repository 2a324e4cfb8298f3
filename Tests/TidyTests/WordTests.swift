// SPDX-License-Identifier: Apache-2.0

import Testing

/// The words of doc comments and manuals, held to a table that may only shrink.
struct WordTests {
    /// How often the words of `WordRules` stand in each folder.
    private static let allowed: [String: Int] = [
        ".": 2,
        "Sources/PostgresWire": 1,
        "Sources/ProxyConfiguration": 2,
        "Sources/ProxyCore": 32,
        "Sources/ProxyRuntime": 43,
        "Sources/StatementClassifier": 0,
        "Sources/martlet": 5,
        "Tests": 0,
        "Tests/Fuzz": 3,
        "Tests/ProxyConfigurationTests": 1,
        "Tests/ProxyCoreTests": 5,
        "Tests/ProxyRuntimeTests": 2,
        "Tests/StatementClassifierTests": 1,
        "benchmarks": 4,
        "deploy": 0,
    ]

    @Test func `words that are read twice become fewer`() {
        let findings = Repository.texts.filter {
            $0.path.hasSuffix(".swift") || $0.path.hasSuffix(".md")
        }.flatMap { WordRules.findings(path: $0.path, $0.text) }
        let groups = Dictionary(grouping: findings) { WordRules.place(of: $0.path) }
        let table = Ratchet(name: "WordTests.allowed", allowed: Self.allowed)
        let details = groups.mapValues { $0.map(\.description) }
        for verdict in table.verdicts(groups.mapValues(\.count), details: details) {
            Issue.record(
                Comment(rawValue: verdict.message), severity: verdict.isError ? .error : .warning)
        }
    }

    // MARK: The rule itself

    private func lines(_ text: String, path: String = "a.md") -> [Int] {
        WordRules.findings(path: path, text).map(\.line)
    }

    @Test func `each word is found, whole words only`() {
        #expect(
            lines("Nobody\n\nwhoever\n\nfor so long\n\nin vain\n\nto mend it\n\na is no b\n\na behind b")
                == [1, 3, 5, 7, 9, 11, 13])
        #expect(lines("amend, recommend, nobodys, behindhand").isEmpty)
        #expect(lines("There is no reply. It is no longer here.").isEmpty)
    }

    @Test func `a line break hides nothing, and code is not prose`() {
        #expect(lines("what is\nno reply") == [1])
        #expect(lines("| a |\n| in vain |") == [2])
        #expect(lines("a `x behind y` b\n```\na behind b\n```\n").isEmpty)
    }

    @Test func `doc comments are read, code and other comments are not`() {
        let text = "// nobody\nlet nobody = 1\n/// It goes behind\n/// the query.\nlet a = \"in vain\"\n"
        #expect(lines(text, path: "A.swift") == [3])
    }

    @Test func `files are counted by target, suite and folder`() {
        #expect(WordRules.place(of: "Sources/ProxyCore/Pool/A.swift") == "Sources/ProxyCore")
        #expect(WordRules.place(of: "deploy/scripts/a.md") == "deploy")
        #expect(WordRules.place(of: "README.md") == ".")
        #expect(WordRules.place(of: "Tests/EdgeCases.md") == "Tests")
    }
}
