// SPDX-License-Identifier: Apache-2.0

/// The names and meanings that `martlet explain` prints.
extension SessionEffects {
    /// Every effect with its name and what it means for the session, in the order of the bits.
    package static let names: [(effect: SessionEffects, name: String, meaning: String)] = [
        (.settings, "settings", "changes settings of the session"),
        (.localSettings, "local-settings", "changes settings until the transaction ends"),
        (.role, "role", "changes the current role"),
        (.temporary, "temporary", "may create temporary objects"),
        (.holdCursor, "hold-cursor", "opens a cursor that outlives its transaction"),
        (.cursor, "cursor", "uses a cursor"),
        (.advisoryLock, "advisory-lock", "takes or releases advisory locks of the session"),
        (.listen, "listen", "starts or ends listening"),
        (.sqlPrepare, "sql-prepare", "prepares or forgets a statement by SQL"),
        (.sqlExecute, "sql-execute", "runs a statement that SQL prepared"),
        (.discard, "discard", "discards session state"),
        (.sequenceState, "sequence-state", "uses the session's memory of sequences"),
        (.opaque, "opaque", "may change anything in the session"),
        (.notify, "notify", "sends a notification"),
    ]

    /// The names of the effects that are set.
    package var list: [String] { Self.names.filter { contains($0.effect) }.map(\.name) }
}

extension Classification {
    /// A few lines for a human: where it goes, why, and what it leaves in the session.
    package var explanation: [String] {
        var lines = ["destination: \(destination.rawValue)", "reason: \(reason.description)"]
        if let hint { lines.append("hint: the text itself asks for the \(hint.rawValue)") }
        if statementCount != 1 { lines.append("statements: \(statementCount)") }
        if containsTransactionControl { lines.append("transaction: begins, ends or divides one") }
        for (effect, name, meaning) in SessionEffects.names where effects.contains(effect) {
            lines.append("effect: \(name): \(meaning)")
        }
        if changesSchema { lines.append("schema: changes it, so the catalogue is read again") }
        return lines
    }
}
