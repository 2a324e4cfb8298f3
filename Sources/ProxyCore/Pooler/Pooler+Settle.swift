// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A unit is answered: what it left behind is read, its server goes on to the next client.
extension Pooler {
    /// Acts on a server that owes nothing more. Only at the end of what was read: a server that
    /// says more than it was asked must not say it to its next client.
    func settle(_ server: ServerConnection, isLast: Bool, now: Instant) {
        guard server.isSettled, server.phase == .leased, isLast, server.partial.isEmpty else {
            return
        }
        // A COPY may fail with half a message of its data at the server: the rest comes first.
        if let client = server.client, client.passing > 0, !client.isDropping { return }
        server.isSettled = false
        if server.errand != .none { return errandEnded(server, now: now) }
        guard let client = server.client else { return cleanUp(server, now: now) }
        unitEnded(client, on: server, now: now)
    }

    /// The unit is answered; its server, if it still is there, is free unless a transaction is open.
    func unitEnded(
        _ client: ClientSession, on server: ServerConnection, now: Instant
    ) {
        if client.unit.awaitsInspection { return inspect(client, server) }
        if server.status == .idle {
            if client.hasTouchedData { markPosition(client, server, now: now) }
            client.hasTouchedData = false
            if client.pendingSchemaChange {
                client.database.schemaChanged()
                effects.append(.catalogueStale(database: client.database.name))
            }
            client.pendingEffects = SessionEffects()
            client.pendingSchemaChange = false
            client.pendingResets = .nothing
        }
        let span = now - client.unit.startedAt
        if client.unit.countsAsRead {
            counters.readDurations.record(span)
        } else {
            counters.writeDurations.record(span)
        }
        finishUnit(client, now: now, latency: span)
        if server.status == .idle && !client.keepsServer {
            detach(client, server)
            cleanUp(server, now: now)
        }
        if client.status == .idle && isDraining && server.status == .idle {
            return farewell(client)
        }
        advance(client, now: now)
        reconsiderReading(client)
    }

    /// The unit is over, well or not; its traces in the counters and in `inbound` go.
    func finishUnit(_ client: ClientSession, now: Instant, latency: Instant.Span? = nil) {
        countAsExecuting(client, false, now: now)
        if client.unit.countsAsRead { demand.ended(now: now) }
        uncount(client, now: now, latency: latency)
        if client.unit.gathered > 0 { dropGathered(client) }
        client.holdback.removeAll()
        client.endUnit()
    }

    /// The node's load no longer has this unit.
    func uncount(_ client: ClientSession, now: Instant, latency: Instant.Span? = nil) {
        guard client.unit.isCounted, let node = client.unit.node else { return }
        client.unit.isCounted = false
        loads.ended(on: node, latency: latency, now: now)
    }

    private func markPosition(
        _ client: ClientSession, _ server: ServerConnection, now: Instant
    ) {
        let isPrimary = !client.unit.runsOnReplica
        if isPrimary && !client.unit.countsAsRead {
            client.position.wrote(acknowledgedAt: now)
        } else {
            client.position.read(on: server.key.node, isPrimary: isPrimary, endedAt: now)
        }
    }

    func detach(_ client: ClientSession, _ server: ServerConnection) {
        client.server = nil
        server.client = nil
        if client.isPausingServer {
            client.isPausingServer = false
            effects.append(.resumeReading(server.id))
        }
        if server.isPausingClient {
            server.isPausingClient = false
            reconsiderReading(client)
        }
    }

    // MARK: What a unit left behind

    /// Whether only the server can tell what state the session is in now.
    func needsInspection(_ client: ClientSession) -> Bool {
        if client.policy.pool.mode == .session { return false }
        if !client.pendingEffects.isDisjoint(with: StateInspection.unknowable) { return true }
        if client.pins.isEmpty { return false }
        return client.pendingSchemaChange || client.unit.containsTransactionControl
            || !client.pendingEffects.isDisjoint(with: .mayChangeCursors)
    }

    private func inspect(_ client: ClientSession, _ server: ServerConnection) {
        client.unit.phase = .inspecting
        client.unit.awaitsInspection = false
        let query = StateInspection.query(
            effects: client.pendingEffects, pins: client.pins, custom: client.customNames)
        // A standby runs nothing in the mode that the session may just have chosen.
        let mode =
            server.isInRecovery == true ? "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;" : ""
        server.run(.inspection, mode + query)
        sent(to: server)
    }

    private func inspected(
        _ client: ClientSession, on server: ServerConnection, now: Instant
    ) {
        if server.errandError == nil,
            let findings = StateInspection.findings(rows: server.errandRows) {
            adopt(findings, client, server, now: now)
        } else {
            // Not known is not "nothing": the session stays where its state is.
            pin(client, [.opaque])
        }
        if let replay = SettingsReplay.text(from: server.applied, to: client.settings) {
            // What was reset goes back to what the startup packet said before the prompt, because
            // what the client is told of it says how it will write (client_encoding).
            server.run(.settings, replay)
            sent(to: server)
        } else {
            answered(client, on: server, now: now)
        }
    }

    private func answered(_ client: ClientSession, on server: ServerConnection, now: Instant) {
        sendReady(client, .idle)
        unitEnded(client, on: server, now: now)
    }

    private func adopt(
        _ findings: StateInspection.Findings, _ client: ClientSession, _ server: ServerConnection,
        now: Instant
    ) {
        let found = parameterSets.one(for: ParameterSet(findings.settings))
        server.applied = found
        var wanted = findings.settings
        adoptOwn(from: &wanted, client, now: now)
        for entry in client.startup.entries where isReset(entry.name, to: wanted, client) {
            wanted[entry.name] = entry.value
        }
        let settings = parameterSets.one(for: ParameterSet(wanted))
        client.settings = settings.isSame(as: found) ? found : settings
        if client.settings.isSame(as: found) { server.applied = client.settings }
        var pins = findings.pins
        if let found = findings.statements, !adopt(statements: found, client, server) {
            pins.insert(.preparedStatement)
        }
        pin(client, pins)
        guard let prepared = findings.prepared else { return }
        // A stand-in that was not deallocated (`Pooler+Translate`).
        if prepared.contains(where: { !$0.isEmpty && !$0.hasPrefix("martlet_") }) {
            server.mustDiscard = true
        }
        let before = server.prepared.count
        server.prepared = server.prepared.filter { entry in
            let name = PreparedText.canonicalName(of: entry.key)
            return prepared.contains(String(decoding: name, as: UTF8.self))
        }
        // Something deallocated all that there was: the client's own statements are meant too.
        if before > 0 && server.prepared.isEmpty { client.statements.removeAll(but: [unnamed]) }
    }

    /// Whether a setting of the startup packet has been reset, so that its value comes back (manual:
    /// RESET). A name with a dot is then empty and not gone, and empty could be its value, too.
    private func isReset(
        _ name: String, to found: [String: String], _ client: ClientSession
    ) -> Bool {
        guard let value = found[name] else { return true }
        return value.isEmpty && client.pendingResets > .nothing && name.contains(".")
            && client.settings[name] != ""
    }

    private func pin(_ client: ClientSession, _ pins: Set<Pin>) {
        for pin in pins.subtracting(client.pins) {
            counters.pinsBegun.count(pin.metric)
            effects.append(.log(.pinned(client.id, reason: pin.rawValue)))
        }
        client.pins = pins
        if !pins.contains(.temporary) { client.temporaryVersion = 0 }
    }

    // MARK: Errands

    private func errandEnded(_ server: ServerConnection, now: Instant) {
        let errand = server.errand
        server.errand = .none
        switch errand {
        case .none: break
        case .recoveryCheck: recoveryChecked(server, now: now)
        case .settings: settingsReplayed(server, now: now)
        case .statements: statementsPrepared(server, now: now)
        case .results: resultsKnown(server, now: now)
        case .inspection:
            if let client = server.client {
                inspected(client, on: server, now: now)
            } else {
                cleanUp(server, now: now)
            }
        case .rollback, .discard:
            guard server.errandError == nil else { return close(server, .lost) }
            if errand == .discard {
                server.applied = .empty
                server.prepared.removeAll()
                server.sqlStatements = .empty
                server.mustDiscard = false
            }
            cleanUp(server, now: now)
        }
        server.errandRows.removeAll()
        server.errandError = nil
    }

    private func settingsReplayed(_ server: ServerConnection, now: Instant) {
        guard let client = server.client else {
            server.mustDiscard = true
            return cleanUp(server, now: now)
        }
        if server.errandError == nil { server.applied = client.settings }
        if client.unit.phase == .inspecting {
            // Where the replay failed, the next one tells the client why.
            reportDifferences(to: client, from: server)
            return answered(client, on: server, now: now)
        }
        guard let error = server.errandError else {
            return settingsApplied(client, on: server, now: now)
        }
        // Nothing of the unit was sent. What the server has now is what it had, because the
        // replay is one transaction.
        if client.unit.isLogin {
            loggingInFailed(client, error)
            detach(client, server)
            release(server, now: now)
            return
        }
        fail(client, error, now: now)
    }

    /// A server that no client holds any more is brought to a state that any client can have.
    func cleanUp(_ server: ServerConnection, now: Instant) {
        guard server.phase == .leased, server.replies.isEmpty, server.cancelsInFlight == 0 else {
            return
        }
        server.abandonment = nil
        if server.lastWords != nil {
            close(server, .lost)
        } else if server.status != .idle {
            server.run(.rollback, "ROLLBACK")
            sent(to: server)
        } else if server.mustDiscard {
            server.run(.discard, "DISCARD ALL")
            sent(to: server)
        } else {
            release(server, now: now)
        }
    }
}

extension Pin {
    var metric: PinReason {
        switch self {
        case .temporary: .temporaryObject
        case .holdCursor: .heldCursor
        case .advisoryLock: .advisoryLock
        case .listen: .listen
        case .preparedStatement: .sqlPrepared
        case .sessionAuthorization: .role
        case .opaque: .opaque
        case .replication: .replication
        }
    }
}
