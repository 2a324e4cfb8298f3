// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import StatementClassifier
import Testing

@testable import ProxyCore

struct ClientStatementsTests {
    private let registry = StatementRegistry(shard: ShardID(0), hashing: ByteHash(seed: 1))
    private let hashing = ByteHash(seed: 2)
    private var statements = ClientStatements()

    private func text(_ text: String) -> PreparedText {
        registry.intern(
            Array(text.utf8) + [0, 0, 0], textCount: text.utf8.count, context: ParseContext(),
            constants: []
        ) { (Classification(), fingerprint: 0) }
    }

    private func hash(_ name: String) -> UInt64 { hashing(Array(name.utf8)) }

    private mutating func define(_ name: String, _ text: PreparedText) {
        statements.define(Array(name.utf8), hash: hash(name), text)
    }

    private func find(_ name: String) -> PreparedText? {
        statements.find(Array(name.utf8).rawSpan, hash: hash(name))?.text
    }

    private func columns(_ name: String) throws -> ResultColumns {
        let body = Message.columns([name]).body
        let columns = ResultColumns(rowDescription: body.rawSpan, hashing: hashing)
        return try #require(columns)
    }

    @Test mutating func `a name stands for its text until it stands for another or is removed`() {
        let (one, other) = (text("SELECT 1"), text("SELECT 22"))
        define("a", one)
        define("", other)
        #expect(find("a") === one && find("") === other && find("b") == nil)
        #expect(statements.count == 2 && statements.byteCount == 11 + 12)
        define("a", other)
        #expect(find("a") === other && statements.count == 2 && statements.byteCount == 24)
        statements.remove(hash: hash("a"))
        statements.remove(hash: hash("a"))
        #expect(find("a") == nil && statements.count == 1 && statements.byteCount == 12)
    }

    @Test mutating func `a name of the same hash is another name`() {
        define("a", text("SELECT 1"))
        for other in ["b", "ab", ""] {
            let found = statements.find(Array(other.utf8).rawSpan, hash: hash("a"))
            #expect(found == nil)
        }
    }

    @Test mutating func `a name is found by the text that it must stand for`() {
        let (one, other) = (text("SELECT 1"), text("SELECT 2"))
        define("a", one)
        #expect(statements.entry(of: one.index, hash: hash("a"))?.text === one)
        #expect(statements.entry(of: other.index, hash: hash("a")) == nil)
        #expect(statements.entry(of: one.index, hash: hash("b")) == nil)
    }

    @Test mutating func `what a name stood for comes back where the server did not do it`() {
        let (one, other) = (text("SELECT 1"), text("SELECT 22"))
        define("old", one)
        let before = ["old", "new"].map { statements.definition(hash: hash($0)) }
        #expect(before.map { $0.entry == nil } == [false, true])
        define("old", other)
        define("new", other)
        before.forEach { statements.restore($0) }
        #expect(find("old") === one && find("new") == nil)
        #expect(statements.count == 1 && statements.byteCount == 11)
        statements.remove(hash: hash("old"))
        statements.restore(before[0])
        #expect(find("old") === one && statements.byteCount == 11)
    }

    private func told(_ name: String) -> ResultColumns? {
        statements.find(Array(name.utf8).rawSpan, hash: hash(name))?.columns
    }

    @Test mutating func `columns are what the client was told, and none without rows`()
        throws
    {
        let columns = try columns("a")
        define("a", text("SELECT 1"))
        #expect(told("a") == .unknown)
        statements.told(columns, hash: hash("a"))
        #expect(told("a") == columns)
        statements.told(.none, hash: hash("a"))
        #expect(told("a") == .unknown)
        statements.told(columns, hash: hash("no such name"))
        #expect(statements.count == 1)
        // Who parses again knows nothing yet.
        statements.told(columns, hash: hash("a"))
        define("a", text("SELECT 1"))
        #expect(told("a") == .unknown)
    }

    @Test mutating func `columns are compared where both sides know them`() throws {
        let columns = [try columns("a"), try columns("b")]
        var entry = ClientStatements.Entry(name: [], text: text("SELECT 1"))
        #expect(!entry.isChanged(on: columns[0]) && entry.isNews(on: columns[0]))
        #expect(entry.isNews(on: .unknown) && !entry.isNews(on: .none))
        entry.columns = columns[0]
        #expect(!entry.isChanged(on: columns[0]) && !entry.isNews(on: columns[0]))
        #expect(entry.isChanged(on: columns[1]) && entry.isNews(on: columns[1]))
        #expect(entry.isChanged(on: .none) && !entry.isChanged(on: .unknown))
    }

    @Test mutating func `all names of a text follow it to another meaning`() {
        let (one, other, new) = (text("SELECT 1"), text("SELECT 2"), text("SELECT 3"))
        define("a", one)
        define("b", other)
        define("c", one)
        statements.replace(one, with: new)
        #expect(find("a") === new && find("b") === other && find("c") === new)
    }

    @Test mutating func `all are removed but those that are kept`() {
        for name in ["a", "b", "c"] { define(name, text("SELECT '\(name)'")) }
        statements.removeAll(but: [hash("b"), hash("other")])
        #expect(find("a") == nil && find("b") != nil && find("c") == nil)
        #expect(statements.count == 1 && statements.byteCount == 13)
        statements.removeAll()
        #expect(statements.count == 0 && statements.byteCount == 0)
    }
}
