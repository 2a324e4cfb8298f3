// SPDX-License-Identifier: Apache-2.0

import Testing

/// The rules over text, on small pieces of it.
struct TextRuleTests {
    @Test func `unfinished work is found, whole words only`() {
        let text = "a\n# TO" + "DO: later\nMASTO" + "DON\n// FIX" + "ME\n"
        #expect(TextRules.leftovers(path: "a", text).map(\.line) == [2, 4])
    }

    @Test func `paths of a machine are found, parts of other paths are not`() {
        let text = "cd /wo" + "rk/main\nsee a/wo" + "rk/b\n\"/ro" + "ot/x\"\n$ROOT/ro" + "ot/y\n"
        #expect(TextRules.machinePaths(path: "a", text).map(\.line) == [1, 3])
    }

    @Test func `a line has no tail and a file has an end`() {
        #expect(TextRules.whitespace(path: "a.md", "a \nb\n\tc\n").map(\.line) == [1])
        #expect(TextRules.whitespace(path: "a.swift", "a\n\tc\nd").map(\.line) == [2, 3])
        #expect(TextRules.whitespace(path: "a.swift", "").isEmpty)
    }

    private func links(_ text: String, path: String = "docs/a.md") -> [Int] {
        let files: Set = ["README.md", "docs/b.md", "docs/img/x.png", "S/m.docc/Metrics.md"]
        return MarkdownRules.links(path: path, text) { files.contains($0) }.map(\.line)
    }

    @Test func `links lead somewhere`() {
        #expect(
            links("[a](b.md) ![x](img/x.png \"t\")\n[r](../README.md#a)\n[/](/docs/b.md)").isEmpty)
        #expect(links("[a](b.md)\n[c](c.md) [b](b.md)\n[up](../../README.md)") == [2, 3])
        #expect(links("[w](https://example.org/x) [m](mailto:a@b)").isEmpty)
        #expect(links("# One two, three\n[in](#one-two-three)\n[out](#four)") == [3])
        #expect(links("`[a](nowhere.md)`\n```\n[b](nowhere.md)\n```\n[c](nowhere.md)") == [5])
        #expect(links("<doc:Metrics>\n[x](doc:Metrics)\n<doc:None>", path: "S/m.docc/m.md") == [3])
    }

    @Test func `a manual has one title`() {
        #expect(MarkdownRules.title(path: "a", "# A\n```\n# no\n```\n## B\n").isEmpty)
        #expect(MarkdownRules.title(path: "a", "# A\n\n# B\n").map(\.line) == [3])
        #expect(MarkdownRules.title(path: "a", "text\n").map(\.line) == [1])
    }

    @Test func `a decision has a status`() {
        #expect(MarkdownRules.status(path: "m.docc/Decisions/1.md", "# A\nStatus: holds").isEmpty)
        #expect(MarkdownRules.status(path: "m.docc/Decisions/1.md", "# A").map(\.line) == [1])
        #expect(MarkdownRules.status(path: "README.md", "# A").isEmpty)
    }
}
