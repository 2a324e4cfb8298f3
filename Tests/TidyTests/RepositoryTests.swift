// SPDX-License-Identifier: Apache-2.0

import Testing

/// The rules of the style guide, held against every file of the repository.
struct RepositoryTests {
    private func report(_ findings: [Finding]) {
        for finding in findings { Issue.record("\(finding)") }
    }

    @Test(arguments: Rules.all) func `Swift files`(rule: Rule) {
        #expect(Repository.swiftFiles.count > 100)
        report(Repository.swiftFiles.flatMap(rule.check))
    }

    @Test func `nothing is left over in any text`() {
        report(Repository.texts.flatMap { TextRules.leftovers(path: $0.path, $0.text) })
    }

    @Test func `no text knows the machine that it was written on`() {
        report(Repository.texts.flatMap { TextRules.machinePaths(path: $0.path, $0.text) })
    }

    @Test func `lines end where their text ends`() {
        report(Repository.texts.flatMap { TextRules.whitespace(path: $0.path, $0.text) })
    }

    @Test func `the manuals are in order`() {
        let manuals = Repository.texts.filter { $0.path.hasSuffix(".md") }
        #expect(manuals.count > 1)
        for (path, text) in manuals {
            report(MarkdownRules.links(path: path, text, exists: Repository.exists))
            report(MarkdownRules.title(path: path, text))
            report(MarkdownRules.status(path: path, text))
        }
    }

    @Test func `no exception outlives what it was made for`() {
        let paths = Repository.swiftFiles.map(\.path)
        let lists = [AllowLists.unchecked, AllowLists.collections, AllowLists.longFiles]
        for path in lists.joined() where !paths.contains(path) {
            Issue.record("AllowLists names '\(path)', which is not there")
        }
        for (path, most) in AllowLists.overlongFiles {
            let count = Repository.swiftFiles.first { $0.path == path }?.text.lineCount ?? 0
            if count < most {
                Issue.record(
                    "AllowLists.overlongFiles: \(path) has \(count) lines now; lower the number",
                    severity: .warning)
            }
        }
        for place in AllowLists.unsafePlaces {
            let isUsed = Repository.swiftFiles.contains {
                $0.path.hasPrefix(place) && !$0.text.places(of: ["unsafe"]).isEmpty
            }
            if !isUsed {
                Issue.record("AllowLists.unsafePlaces names '\(place)', where nothing is unsafe")
            }
        }
        for path in AllowLists.unchecked {
            let file = Repository.swiftFiles.first { $0.path == path }
            if file?.text.places(of: ["@unchecked"]).isEmpty ?? true {
                Issue.record("AllowLists.unchecked names '\(path)', where nothing is unchecked")
            }
        }
    }
}
