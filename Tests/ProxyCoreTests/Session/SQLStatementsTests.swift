// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import StatementClassifier
import Testing

/// The immutable set of a session; what is done with it is in Pooler/SQLStatementTests.
struct SQLStatementsTests {
    private func statement(
        _ name: String, _ text: String = "", _ effects: SessionEffects = .sqlPrepare
    ) -> SQLStatement {
        var classification = Classification()
        classification.effects = effects
        return SQLStatement(
            name: name, text: text, settings: .empty, classification: classification)
    }

    @Test func `a statement is found by its name, the last of them`() {
        let (one, other, again) = (statement("a"), statement("b"), statement("a"))
        let set = SQLStatements([one, other, again])
        #expect(set["a"] === again && set["b"] === other && set["c"] == nil)
        #expect(set.holds(one) && !set.holds(statement("a")))
        #expect(SQLStatements.empty.isEmpty && !set.isEmpty)
    }

    @Test func `what running them does is what they do, without the PREPARE`() {
        let set = SQLStatements([
            statement("a", "", [.sqlPrepare, .temporary]),
            statement("b", "", [.sqlPrepare, .listen]),
        ])
        #expect(set.entries[0].effects == .temporary)
        #expect(set.effects == [.temporary, .listen])
        #expect(SQLStatements.empty.effects.isEmpty)
    }

    @Test func `the same statements stay the same object, so that servers know it again`() {
        let (one, other) = (statement("a"), statement("b"))
        let set = SQLStatements([one, other])
        #expect(set.with([one, other]) === set)
        #expect(set.with([other, one]) !== set && set.with([one]) !== set)
        #expect(set.with([one, statement("b")]) !== set)
        #expect(set.with([]) === SQLStatements.empty)
        #expect(set.with([other]).entries.map(\.name) == ["b"])
    }

    @Test func `names are quoted`() {
        #expect(statement("a").quotedName == #""a""#)
        #expect(statement(#"a"b"#).quotedName == #""a""b""#)
    }

    @Test func `a session that has too many, or too long ones, is beyond the limits`() {
        func isWithin(_ count: Int, _ length: Int) -> Bool {
            let text = String(repeating: "x", count: length)
            return SQLStatements((0..<count).map { statement("s\($0)", text) }).isWithinLimits
        }
        #expect(isWithin(0, 0) && isWithin(SQLStatements.limit, 1))
        #expect(!isWithin(SQLStatements.limit + 1, 1))
        #expect(isWithin(1, SQLStatements.byteLimit) && !isWithin(1, SQLStatements.byteLimit + 1))
        #expect(isWithin(2, SQLStatements.byteLimit / 2))
        #expect(!isWithin(2, SQLStatements.byteLimit / 2 + 1))
    }
}
