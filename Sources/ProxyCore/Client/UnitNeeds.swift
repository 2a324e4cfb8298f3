// SPDX-License-Identifier: Apache-2.0

package import StatementClassifier

/// What the statements of a unit need together: a sum, to which each statement is added.
package struct UnitNeeds {
    /// The primary, where one statement needs it.
    package private(set) var destination = Destination.replica
    /// Why it is the primary.
    package private(set) var reason = Reason.none
    /// The route that a comment asks for.
    package private(set) var hint: Destination?
    package private(set) var effects = SessionEffects()
    /// The most that any statement resets.
    package private(set) var resets = Resets.nothing
    /// Fingerprint of the first statement, under which a replica's refusal is remembered.
    package private(set) var fingerprint: UInt64 = 0
    package private(set) var containsTransactionControl = false
    /// A COMMIT, END or PREPARE TRANSACTION may be among the statements.
    package private(set) var mayCommit = false
    package private(set) var changesSchema = false
    /// Data may be read or written; settings and transaction control do neither.
    package private(set) var touchesData = false
    /// A statement was parsed, bound or described.
    package private(set) var usesStatement = false
    /// One of the statements is a transaction or session command.
    package private(set) var hasCommand = false
    /// One of the texts has several statements.
    package private(set) var hasSeveral = false
    /// Anything but Parse, Describe and Close of statements was asked.
    package private(set) var executes = false
    /// A COPY FROM STDIN is among the statements.
    package private(set) var copiesIn = false
    /// The unnamed portal is bound.
    package private(set) var bindsUnnamed = false

    package init() {}

    /// A statement joins.
    package mutating func add(_ statement: Classification, fingerprint: UInt64) {
        if statement.destination == .primary && destination == .replica {
            destination = .primary
            reason = statement.reason
        }
        if self.fingerprint == 0 { self.fingerprint = fingerprint }
        usesStatement = true
        hasSeveral = hasSeveral || statement.statementCount > 1
        hasCommand = hasCommand || statement.isCommand
        resets.widen(to: statement.resets)
        if case .copyFromStdin = statement.command { copiesIn = true }
        hint = hint ?? statement.hint
        effects.formUnion(statement.effects)
        changesSchema = changesSchema || statement.changesSchema
        let isHarmless = statement.control.isAboutBlock || statement.command.isAboutSession
        touchesData = touchesData || !isHarmless || statement.statementCount > 1
        containsTransactionControl =
            containsTransactionControl || statement.containsTransactionControl
        // Which of several statements commits is not known; any control may be a COMMIT.
        mayCommit = mayCommit || statement.containsTransactionControl
    }

    /// A statement is used that nothing is known of here.
    package mutating func addUnknownStatement() { usesStatement = true }

    /// A message runs something, or names a portal.
    package mutating func addExecution() { executes = true }

    /// The unnamed portal is bound.
    package mutating func addUnnamedPortal() { bindsUnnamed = true }

    /// What a statement does may be something else than it was classified as.
    package mutating func requirePrimary() { destination = .primary }

    /// The rest of the unit is not known and may be a write.
    package mutating func addUnseenRest() {
        destination = .primary
        reason = .tooLong
    }

    /// What the unit does cannot be known: the safe answers to everything.
    package mutating func addOpaque() {
        addUnseenRest()
        effects.insert(.opaque)
        touchesData = true
        mayCommit = true
        containsTransactionControl = true
        executes = true
    }
}
