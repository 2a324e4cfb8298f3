// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A unit is answered: what it left behind is read, its server goes on to the next client.
extension Pooler {
    /// Acts on a server that owes nothing more. Only at the end of what was read: a server that
    /// says more than it was asked must not say it to its next client.
    func settle(_ server: ServerConnection, isLast: Bool, now: Instant) {
        guard server.incoming.isSettled, server.isLeased, isLast, server.incoming.partialCount == 0
        else { return }
        // A COPY may fail with half a message of its data at the server: the rest comes first.
        if let client = server.client, client.inbound.isAmidForwarded { return }
        server.incoming.settled()
        let query = server.endInternalQuery()
        guard let client = server.client else {
            if let query { ended(query, on: server, now: now) } else { cleanUp(server, now: now) }
            return
        }
        let step = query.map { ended($0, of: client, on: server, now: now) } ?? .end
        proceed(client, step, now: now)
    }

    /// The unit is answered; its server, if it still is there, is free unless a transaction is open.
    func unitEnded(
        _ client: ClientSession, on server: ServerConnection, now: Instant
    ) -> Step {
        if case .answered = client.unit.phase {
            inspect(client, server)
            return .wait
        }
        if server.status == .idle {
            let deeds = client.transaction.cameToRest()
            if deeds.touchesData { markPosition(client, server, now: now) }
            if deeds.changesSchema {
                client.database.schemaChanged()
                effects.append(.catalogueStale(database: client.database.name))
            }
        }
        let span = now - client.unit.startedAt
        if client.unit.load.isRead {
            counters.readDurations.record(span)
        } else {
            counters.writeDurations.record(span)
        }
        finishUnit(client, now: now, latency: span)
        if server.status == .idle && !client.keepsServer {
            detach(client, server)
            cleanUp(server, now: now)
        }
        if client.status == .idle && clients.isDraining && server.status == .idle {
            endForShutdown(client)
            return .wait
        }
        return .gather
    }

    private func markPosition(
        _ client: ClientSession, _ server: ServerConnection, now: Instant
    ) {
        let isPrimary = !client.unit.runsOnReplica
        if isPrimary && !client.unit.load.isRead {
            client.position.wrote(acknowledgedAt: now)
        } else {
            client.position.read(on: server.key.node, isPrimary: isPrimary, endedAt: now)
        }
    }

    // MARK: What a unit left behind

    /// Returns true when only the server can tell the session's state now.
    func needsInspection(_ client: ClientSession) -> Bool {
        if client.policy.pool.mode == .session { return false }
        let effects = client.transaction.effects
        if !effects.isDisjoint(with: StateInspection.unknowable) { return true }
        if client.pins.isEmpty { return false }
        return client.transaction.changesSchema || client.unit.needs.containsTransactionControl
            || !effects.isDisjoint(with: .mayChangeCursors)
    }

    private func inspect(_ client: ClientSession, _ server: ServerConnection) {
        client.unit.inspected()
        let query = StateInspection.query(
            effects: client.transaction.effects, pins: client.pins, custom: client.customNames)
        // A standby runs nothing in the mode that the session may just have chosen.
        let mode =
            server.isInRecovery == true ? "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;" : ""
        server.run(.inspection, mode + query)
        sent(to: server)
    }

    private func inspected(
        _ client: ClientSession, on server: ServerConnection, _ query: InternalQuery, now: Instant
    ) -> Step {
        if query.error == nil, let findings = StateInspection.findings(rows: query.rows) {
            adopt(findings, client, server, now: now)
        } else {
            // Not known is not "nothing": the session stays where its state is.
            pin(client, [.opaque])
        }
        if let replay = SettingsReplay.text(from: server.session.settings, to: client.settings) {
            // What was reset goes back to what the startup packet said before the prompt, because
            // what the client is told of it says how it will write (client_encoding).
            server.run(.settings, replay)
            sent(to: server)
            return .wait
        }
        sendReady(client, .idle)
        return .end
    }

    private func adopt(
        _ findings: StateInspection.Findings, _ client: ClientSession, _ server: ServerConnection,
        now: Instant
    ) {
        let found = shared.parameters(ParameterSet(findings.settings))
        server.session.applied(found)
        var wanted = findings.settings
        adoptMartletSettings(from: &wanted, client, now: now)
        for entry in client.startup.entries where isReset(entry.name, to: wanted, client) {
            wanted[entry.name] = entry.value
        }
        let settings = shared.parameters(ParameterSet(wanted))
        client.state.changed(to: settings.isSame(as: found) ? found : settings)
        if client.settings.isSame(as: found) { server.session.applied(client.settings) }
        var pins = findings.pins
        if let found = findings.statements, !adopt(statements: found, client, server) {
            pins.insert(.preparedStatement)
        }
        pin(client, pins)
        guard let prepared = findings.prepared else { return }
        // A stand-in that was not deallocated (`Pooler+Translate`).
        if prepared.contains(where: { !$0.isEmpty && !$0.hasPrefix("martlet_") }) {
            server.session.becameUnknown()
        }
        let hadStatements = !server.statements.isEmpty
        server.statements.keepOnly { index in
            let name = PreparedText.canonicalName(of: index)
            return prepared.contains(String(decoding: name, as: UTF8.self))
        }
        // Something deallocated all that there was: the client's own statements are meant too.
        if hadStatements && server.statements.isEmpty {
            client.statements.removeAll(but: [hashing.unnamed])
        }
    }

    /// Takes what a server has of `martlet.*` settings out of what was found there. They reach a server
    /// by `set_config` or in a statement beside others. A wrong value cannot be refused any more; the
    /// client is warned that it means nothing.
    private func adoptMartletSettings(
        from settings: inout [String: String], _ client: ClientSession, now: Instant
    ) {
        if client.transaction.resets >= .all { client.martletSettings.resetAll() }
        if client.transaction.resets == .session { client.position.reset() }
        let wrong = client.martletSettings.adopt(
            from: &settings, position: &client.position, now: now)
        for words in wrong {
            ErrorResponse(.warning, .invalidParameterValue, words).write(to: &client.output)
            markDirty(client)
        }
    }

    /// Returns true when a setting of the startup packet was reset, so that its value comes back
    /// (manual: RESET). A name with a dot is then empty and not gone, and empty could be its value, too.
    private func isReset(
        _ name: String, to found: [String: String], _ client: ClientSession
    ) -> Bool {
        guard let value = found[name] else { return true }
        return value.isEmpty && client.transaction.resets > .nothing && name.contains(".")
            && client.settings[name] != ""
    }

    private func pin(_ client: ClientSession, _ pins: Set<Pin>) {
        for pin in client.state.pinned(by: pins) {
            counters.pinsBegun.count(pin.metric)
            effects.append(.log(.pinned(client.id, reason: pin.rawValue)))
        }
    }

    // MARK: Queries of martlet's own

    /// A query of martlet's own is answered that was run for a client.
    private func ended(
        _ query: InternalQuery, of client: ClientSession, on server: ServerConnection, now: Instant
    ) -> Step {
        switch query.purpose {
        case .settings: return settingsReplayed(client, on: server, query, now: now)
        case .sqlStatements: return statementsPrepared(client, on: server, query, now: now)
        case .columns: return columnsDescribed(client, on: server, query, now: now)
        case .inspection: return inspected(client, on: server, query, now: now)
        case .recoveryCheck, .rollback, .discard:
            ended(query, on: server, now: now)
            return .wait
        }
    }

    /// A query of martlet's own is answered, and no client waits for it.
    private func ended(_ query: InternalQuery, on server: ServerConnection, now: Instant) {
        switch query.purpose {
        case .recoveryCheck: return recoveryChecked(server, query, now: now)
        case .settings, .sqlStatements: server.session.becameUnknown()
        case .columns, .inspection: break
        case .rollback, .discard:
            guard query.error == nil else { return close(server, .lost) }
            if query.purpose == .discard {
                server.statements.removeAll()
                server.session.discarded()
            }
        }
        cleanUp(server, now: now)
    }
}
