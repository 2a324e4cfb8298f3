// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import StatementClassifier
internal import Testing

/// The statements of Tests/Fixtures, which `Tests/Classifier/run` judges by a real server.
struct CorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/statements")

    private static let files: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".sql") && $0 != "schema.sql" }.sorted()
    }()

    private static func lines(_ name: String) throws -> [Substring] {
        let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }

    private static func statements(_ name: String) throws -> [String] {
        try lines(name).filter { !$0.hasPrefix("--#") }
            .map { $0.replacingOccurrences(of: "⏎", with: "\n") }
    }

    private static func known() throws -> Catalogue {
        Catalogue(
            rows: try lines("catalogue.tsv").map { line in
                let fields = line.split(separator: "\t")
                return (kind: String(fields[0]), name: String(fields[1]))
            })
    }

    @Test func `the corpus has at least two thousand statements`() throws {
        #expect(try Self.files.map { try Self.statements($0).count }.reduce(0, +) >= 2_000)
    }

    @Test(arguments: CorpusTests.files)
    func `statements are classified as recorded`(_ file: String) throws {
        let own = try Self.known()
        let statements = try Self.statements(file)
        let actual = statements.map { classify($0, catalogue: own).summary }
        let name = file.replacingOccurrences(of: ".sql", with: ".expected")
        if ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] == "1" {
            let text = actual.map { $0 + "\n" }.joined()
            try text.write(
                to: Self.folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
        }
        let expected = try Self.lines(name)
        #expect(expected.count == actual.count)
        for (index, (sql, pair)) in zip(statements, zip(actual, expected)).enumerated()
        where pair.0 != pair.1 {
            Issue.record("\(file), statement \(index + 1): \(pair.0), not \(pair.1): \(sql)")
        }
    }

    /// Cuts, doublings and noise in real statements: whatever comes out must be safe.
    @Test(arguments: CorpusTests.files)
    func `mangled statements are never read more kindly than their lexical danger`(
        _ file: String
    ) throws {
        let own = try Self.known()
        var generator = SplitMix(state: 7)
        for sql in try Self.statements(file) {
            let bytes = Array(sql.utf8)
            guard !bytes.isEmpty else { continue }
            var mangled = bytes
            switch generator.next() % 3 {
            case 0: mangled.removeSubrange(generator.index(bytes.count)...)
            case 1: mangled.insert(UInt8(generator.next() & 0xFF), at: generator.index(bytes.count))
            default: mangled.remove(at: generator.index(bytes.count))
            }
            let result = StatementClassifier().classify(mangled.span, catalogue: own)
            #expect((result.destination == .primary) == (result.reason != .none))
            if result.statementCount != 1 {
                #expect(result.control == .none && result.command == .none)
            }
            // A write behind anything that ends by itself stays a write.
            let followed = mangled + Array("\n;'*/$q$;\";DELETE FROM users;".utf8)
            let second = StatementClassifier().classify(followed.span, catalogue: own)
            #expect(second.destination == .primary, "\(String(decoding: followed, as: UTF8.self))")
        }
    }
}

/// Sebastiano Vigna's SplitMix64: the same numbers from the same seed everywhere.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func index(_ count: Int) -> Int { Int(next() % UInt64(count)) }
}
