// SPDX-License-Identifier: Apache-2.0

import StatementClassifier
import Testing

@testable import ProxyCore

/// The messages of a unit: what they define and use, and what is dropped once it was sent.
struct UnitMessagesTests {
    private let registry = StatementRegistry(shard: ShardID(0), hashing: ByteHash(seed: 1))
    private static let classifier = StatementClassifier()

    private func prepared(_ text: String) -> PreparedText {
        let bytes = Array(text.utf8)
        return registry.intern(
            bytes + [0, 0, 0], textCount: bytes.count, context: ParseContext(), constants: []
        ) { (Self.classifier.classify(bytes.span, catalogue: nil), fingerprint: 0) }
    }

    private func parse(_ text: PreparedText, hash: UInt64, in messages: inout UnitMessages) {
        let place = messages.defines(text)
        messages.append(
            UnitMessage(content: .parse(name: 5..<5, hash: hash, text: place), byteCount: 10))
    }

    @Test func `each statement is replaced once, those in use and those defined apart`() {
        var messages = UnitMessages()
        let (defined, used) = (prepared("SELECT 1"), prepared("SELECT 2"))
        parse(defined, hash: 1, in: &messages)
        messages.found(use: UnitMessages.StatementUse(text: used, columns: .unknown))
        let fresh = prepared("SELECT 3")
        var seen: [PreparedText] = []
        messages.replaceUsedTexts {
            seen.append($0)
            return fresh
        }
        #expect(seen.count == 1 && seen[0] === used && messages.uses[0].text === fresh)
        #expect(messages.definition(named: 1, before: 1) === defined)
        messages.replaceDefinedTexts { _ in fresh }
        #expect(messages.definition(named: 1, before: 1) === fresh)
    }

    @Test func `a statement keeps its place when those before it were sent and dropped`() {
        var messages = UnitMessages()
        let texts = ["SELECT 1", "SELECT 2"].map(prepared)
        parse(texts[0], hash: 1, in: &messages)
        parse(texts[1], hash: 2, in: &messages)
        messages.sentNext()
        #expect(messages.dropSent() == 10 && messages.byteCount == 10)
        #expect(messages.definition(named: 1, before: 1) == nil)
        #expect(messages.definition(named: 2, before: 1) === texts[1])
        messages.sentNext()
        #expect(messages.dropSent() == 10 && messages.byteCount == 0 && messages.next == nil)
        #expect(!messages.definesStatements)
    }
}
