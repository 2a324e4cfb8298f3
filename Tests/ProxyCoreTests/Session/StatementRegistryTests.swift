// SPDX-License-Identifier: Apache-2.0

import StatementClassifier
import Testing

@testable import ProxyCore

struct StatementRegistryTests {
    private let registry = StatementRegistry(
        shard: ShardID(0), hashing: ByteHash(seed: 1), limit: 3)

    /// The statement of a text, and whether it had to be classified.
    private func intern(
        _ text: String, types: [UInt8] = [0, 0], _ context: ParseContext = ParseContext(),
        constants: [ParameterSet.Entry] = [], in registry: StatementRegistry? = nil
    ) -> (text: PreparedText, isNew: Bool) {
        var isNew = false
        let prepared = (registry ?? self.registry).intern(
            Array(text.utf8) + [0] + types, textCount: text.utf8.count, context: context,
            constants: constants
        ) {
            isNew = true
            return (Classification(), fingerprint: 7)
        }
        return (prepared, isNew)
    }

    @Test func `a text is one statement for all, and classified once`() {
        let first = intern("SELECT 1")
        let second = intern("SELECT 1")
        #expect(first.isNew && !second.isNew && first.text === second.text)
        #expect(first.text.definition == Array("SELECT 1".utf8) + [0, 0, 0])
        #expect(first.text.textCount == 8 && first.text.fingerprint == 7)
    }

    @Test func `another text, or other types of parameters, are another statement`() {
        let texts = [
            intern("SELECT $1"), intern("SELECT $2"),
            intern("SELECT $1", types: [0, 1, 0, 0, 0, 23]),
        ]
        #expect(texts.allSatisfy { $0.isNew })
        #expect(Set(texts.map(\.text.index)).count == 3)
    }

    @Test func `the same text with any other meaning is another statement`() {
        let registry = StatementRegistry(shard: ShardID(0), hashing: ByteHash(seed: 1))
        var seen = [intern("SELECT 1", in: registry).text.index]
        for path in [
            \.catalogueVersion, \.schemaVersion, \.temporaryVersion, \.parseSettingsHash, \.sqlVersion,
        ] as [WritableKeyPath<ParseContext, Int>] {
            var meaning = ParseContext()
            meaning[keyPath: path] = 5
            let other = intern("SELECT 1", meaning, in: registry)
            #expect(other.isNew && other.text.context == meaning)
            #expect(!intern("SELECT 1", meaning, in: registry).isNew)
            seen.append(other.text.index)
        }
        var changed = ParseContext()
        changed.changes = 9
        seen.append(intern("SELECT 1", changed, in: registry).text.index)
        #expect(Set(seen).count == 7)
        #expect(!intern("SELECT 1", in: registry).isNew)
    }

    @Test func `servers know a statement by a name that no other shard gives`() {
        let first = intern("SELECT 1").text
        let second = intern("SELECT 2").text
        let other = StatementRegistry(shard: ShardID(3), hashing: ByteHash(seed: 1))
        let foreign = intern("SELECT 1", in: other).text
        #expect([first, second, foreign].map(\.index) == [0, 1, 3 << 40])
        #expect(second.canonicalName == Array("martlet_1".utf8))
        #expect(foreign.canonicalName == Array("martlet_\(3 << 40)".utf8))
    }

    @Test func `settings of constants are known unless the transaction had changed some`() {
        let constants = [ParameterSet.Entry(name: "timezone", value: "UTC")]
        #expect(intern("SELECT 1", constants: constants).text.constants == constants)
        var changed = ParseContext()
        changed.changes = 1
        #expect(intern("SELECT 1", changed, constants: constants).text.constants == nil)
    }

    @Test func `beyond the limit the one that has been there for longest is shared no more`() {
        let first = intern("SELECT 1").text
        for number in 2...3 { _ = intern("SELECT \(number)") }
        #expect(!intern("SELECT 1").isNew)
        _ = intern("SELECT 4")
        #expect(!intern("SELECT 2").isNew && !intern("SELECT 3").isNew)
        let again = intern("SELECT 1")
        #expect(again.isNew && again.text !== first && again.text.index != first.index)
        // That took the place of the next.
        #expect(!intern("SELECT 3").isNew && !intern("SELECT 4").isNew && intern("SELECT 2").isNew)
    }

    @Test func `however many texts come, no more than the limit are shared`() {
        for number in 0..<100 { #expect(intern("SELECT \(number)").isNew) }
        let shared = (0..<100).filter { !intern("SELECT \($0)").isNew }
        // Those that were asked for and not there took the places of those that were.
        #expect(shared.count <= 3)
        #expect((97..<100).allSatisfy { !intern("SELECT \($0)").isNew })
    }

    @Test func `a text that is too long is kept by who uses it alone`() {
        let longest = String(repeating: "x", count: (64 << 10) - 3)
        #expect(intern(longest).isNew && !intern(longest).isNew)
        let one = intern(longest + "x")
        let other = intern(longest + "x")
        #expect(one.isNew && other.isNew && one.text.index != other.text.index)
    }
}

struct ByteHashTests {
    @Test func `equal bytes have one hash, and others another, by each seed`() {
        let texts = ["", "\0", "\0\0", "a", "b", "aa", "12345678", "123456781", "12345678\0"]
            .map { Array($0.utf8) }
        for seed in [0, 1, UInt64.max] {
            let hash = ByteHash(seed: seed)
            #expect(Set(texts.map { hash($0) }).count == texts.count)
            #expect(texts.allSatisfy { hash($0) == hash(Array($0)) })
        }
        #expect(Set((0..<100).map { ByteHash(seed: $0)(texts[3]) }).count == 100)
    }

    @Test func `every byte counts, wherever it stands`() {
        let hash = ByteHash(seed: 3)
        let bytes = [UInt8](repeating: 7, count: 23)
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x80
            #expect(hash(other) != hash(bytes), "byte \(index)")
        }
    }
}
