// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A server connection is brought to where the session of its next client is.
extension Pooler {
    /// Brings the server's session to where the client's is, then runs the unit.
    func prepare(
        _ client: ClientSession, on server: ServerConnection, now: Instant
    ) -> Step {
        server.incoming.settled()
        server.statements.unitBegan()
        countAsExecuting(client, true, now: now)
        let replay = SettingsReplay.text(from: server.session.settings, to: client.settings)
        if replay == nil { server.session.applied(client.settings) }
        var text = replay
        if mustDiscardSequences(client) {
            text = (replay.map { $0 + ";" } ?? "") + "DISCARD SEQUENCES"
        }
        guard server.status == .idle, let text else { return afterSettings(client, server) }
        server.run(.settings, text)
        sent(to: server)
        return .wait
    }

    /// Returns true when the client asks for sequence values and the server connection may remember
    /// those of another session. A session has none outside the transaction of their nextval, and
    /// PostgreSQL says so.
    func mustDiscardSequences(_ client: ClientSession) -> Bool {
        client.unit.needs.effects.contains(.sequenceState) && !client.keepsServer
    }

    /// What comes after the settings: a client that logs in is greeted with what the server reports.
    func afterSettings(_ client: ClientSession, _ server: ServerConnection) -> Step {
        client.isLoggingIn ? .greet : .prepareStatements
    }

    /// Sends a client the settings that its new server reports differently from its last one.
    func reportDifferences(to client: ClientSession, from server: ServerConnection) {
        if client.reported.isSame(as: server.reported) {
            client.state.told(server.reported)
            return
        }
        for entry in server.reported.entries
        where entry.name != ReportedName.hotStandby && client.reported[entry.name] != entry.value {
            ParameterStatus.write(
                name: ReportedName.display(entry.name), value: entry.value, to: &client.output)
            markDirty(client)
        }
        client.state.told(server.reported)
    }

    func settingsReplayed(
        _ client: ClientSession, on server: ServerConnection, _ query: InternalQuery, now: Instant
    ) -> Step {
        if query.error == nil { server.session.applied(client.settings) }
        if case .inspecting = client.unit.phase {
            // Where the replay failed, the next one tells the client why.
            reportDifferences(to: client, from: server)
            sendReady(client, .idle)
            return .end
        }
        guard let error = query.error else { return afterSettings(client, server) }
        // Nothing of the unit was sent. What the server has now is what it had, because the
        // replay is one transaction.
        return .fail(error)
    }
}
