// SPDX-License-Identifier: Apache-2.0

package import StatementClassifier

/// A statement that a session has made by PREPARE in SQL, and how to make it again elsewhere.
package final class SQLStatement: Sendable {
    /// ASCII, as the server has it.
    package let name: String
    /// The client's whole query, in ASCII, which means the same in every encoding.
    package let text: String
    /// The session's settings when it was prepared: literals were read, and names found, by these.
    package let settings: ParameterSet
    /// What its PREPARE was classified as, that is, what it does itself.
    package let classification: Classification

    package init(
        name: String, text: String, settings: ParameterSet, classification: Classification
    ) {
        self.name = name
        self.text = text
        self.settings = settings
        self.classification = classification
    }

    package var quotedName: String { SQLText.identifier(name) }

    /// What running it does to the session.
    package var effects: SessionEffects { classification.effects.subtracting(.sqlPrepare) }
}

/// The statements that a session has made by SQL, as one immutable object, as `ParameterSet` is.
///
/// A server on which the very object is in force has exactly these and no others.
package final class SQLStatements: Sendable {
    package static let empty = SQLStatements([])
    /// A session with more, or with longer texts in all, stays on its server.
    package static let limit = 100
    package static let byteLimit = 64 << 10

    /// In the order in which they were prepared.
    package let entries: [SQLStatement]
    /// Of all together.
    package let effects: SessionEffects

    package init(_ entries: [SQLStatement]) {
        self.entries = entries
        effects = entries.reduce(into: []) { $0.formUnion($1.effects) }
    }

    package var isEmpty: Bool { entries.isEmpty }

    package subscript(name: String) -> SQLStatement? { entries.last { $0.name == name } }

    package func holds(_ statement: SQLStatement) -> Bool {
        entries.contains { $0 === statement }
    }

    /// This set where it has just these, so that equal sets stay one object.
    package func with(_ entries: [SQLStatement]) -> SQLStatements {
        let isSame = entries.count == self.entries.count
            && zip(entries, self.entries).allSatisfy { $0 === $1 }
        return isSame ? self : entries.isEmpty ? .empty : SQLStatements(entries)
    }

    package var isWithinLimits: Bool {
        entries.count <= Self.limit
            && entries.reduce(0) { $0 + $1.text.utf8.count } <= Self.byteLimit
    }
}
