// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// `PREPARE`, `EXECUTE` and `DEALLOCATE` in SQL: the statements follow the session.
///
/// A server has the statements of the session that it last served. The next one's are made there
/// before its unit, and the others dropped; where it is the same session nothing is to do. So a
/// session sees exactly its own, by EXECUTE, by Bind and in `pg_prepared_statements`. What it has is
/// not guessed from what it said but read when the unit is over (`StateInspection`), name by name and
/// text by text; a statement that martlet has not seen being prepared keeps the session on its server.
///
/// A text is parsed again under the settings of its PREPARE, since PostgreSQL reads literals then
/// and not at EXECUTE.
extension Pooler {
    /// Begins to give a server the session's statements; false where it has them, and no others.
    func prepareStatements(_ client: ClientSession, on server: ServerConnection) -> Bool {
        let wanted = client.sqlStatements
        guard server.session.statements !== wanted, server.status == .idle else {
            return false
        }
        let others = server.session.statements.entries.filter { !wanted.holds($0) }
        if !others.isEmpty {
            let texts = others.map { "DEALLOCATE \($0.quotedName)" }
            server.run(.sqlStatements, texts.joined(separator: ";"))
        }
        var settings = client.settings
        for statement in wanted.entries where !server.session.statements.holds(statement) {
            change(&settings, to: statement.settings, server)
            server.run(.sqlStatements, statement.text, preparing: statement)
        }
        change(&settings, to: client.settings, server)
        guard server.internalQuery != nil else {
            server.session.prepared(wanted)
            return false
        }
        sent(to: server)
        return true
    }

    private func change(
        _ settings: inout ParameterSet, to wanted: ParameterSet, _ server: ServerConnection
    ) {
        if let replay = SettingsReplay.text(from: settings, to: wanted) {
            server.run(.sqlStatements, replay)
        }
        settings = wanted
    }

    /// The server has answered all of it.
    ///
    /// A statement that cannot be made any more, because a table of it is gone or is not there yet on
    /// a replica, is an error of who executes it and of nobody else.
    func statementsPrepared(
        _ client: ClientSession, on server: ServerConnection, _ query: InternalQuery, now: Instant
    ) -> Step {
        let errors = query.failures
        if let own = errors.first(where: { $0.statement == nil }) {
            server.session.becameUnknown()
            detach(client, server)
            cleanUp(server, now: now)
            return .fail(own.error)
        }
        let failed = errors.compactMap(\.statement)
        let made = client.sqlStatements.entries.filter { one in !failed.contains { $0 === one } }
        server.session.prepared(client.sqlStatements.with(made))
        guard let executed = client.unit.messages.executedName,
            let error = errors.first(where: { $0.statement?.name == executed })
        else { return .compareColumns }
        if client.unit.runsOnReplica {
            // The primary may have what the statement needs, as for any other.
            counters.retries.count(.unknownToReplica)
            return retryOnPrimary(client, from: server, now: now)
        }
        return .fail(error.error)
    }

    // MARK: What the session prepares

    /// A unit is about to be sent: where it is one PREPARE, that is remembered until it is answered.
    func notePrepare(_ client: ClientSession) {
        client.state.willPrepare(nil)
        guard let single = client.unit.messages.single, case .prepare(let name) = single.command,
            !client.transaction.mayHaveChangedMeaning, client.policy.pool.mode != .session
        else { return }
        let text = client.unread.copy(single.text)
        guard text.allSatisfy({ $0 < 0x80 }) else { return }
        client.state.willPrepare(
            SQLStatement(
                name: String(decoding: SettingText.identifier(text.span, name), as: UTF8.self),
                text: String(decoding: text, as: UTF8.self), settings: client.settings,
                classification: single.classification))
    }

    /// A command tag of a unit that prepares or forgets.
    func completed(_ tag: String, of client: ClientSession) {
        switch tag {
        case "PREPARE": client.state.prepareCompleted()
        case "DEALLOCATE ALL", "DISCARD ALL": client.state.deallocatedAll()
        default: break
        }
    }

    /// The names and texts that the server has: what is known of them follows the session. False
    /// where it has one that is not known.
    func adopt(
        statements found: [String: String], _ client: ClientSession, _ server: ServerConnection
    ) -> Bool {
        let before = server.session.statements
        var entries = client.state.takeCandidates()
        entries = entries.enumerated().filter { index, one in
            // The last of a name is the one that is there.
            if entries[(index + 1)...].contains(where: { $0.name == one.name }) { return false }
            // One that could not be made here is the session's all the same.
            return found[one.name] == one.text
                || found[one.name] == nil && client.sqlStatements.holds(one) && !before.holds(one)
        }.map(\.element)
        let statements = client.sqlStatements.with(entries)
        server.session.prepared(statements.with(entries.filter { found[$0.name] != nil }))
        client.state.found(
            statements, version: found.isEmpty ? 0 : versions.nextSQLStatements())
        return found.keys.allSatisfy { statements[$0] != nil } && statements.isWithinLimits
    }

    /// What EXECUTE of a statement of the session needs is what the statement needs; its parameters
    /// have been looked at.
    func resolve(_ statement: inout Classification, _ text: RawSpan, _ client: ClientSession) {
        guard !client.sqlStatements.isEmpty, case .execute(let range) = statement.command,
            statement.reason == .executesPrepared
        else { return }
        let bytes = text.copy(0..<text.byteCount)
        let name = String(decoding: SettingText.identifier(bytes.span, range), as: UTF8.self)
        guard let prepared = client.sqlStatements[name] else { return }
        statement.destination = prepared.classification.destination
        statement.reason = prepared.classification.reason
        statement.effects.formUnion(prepared.effects)
    }
}
