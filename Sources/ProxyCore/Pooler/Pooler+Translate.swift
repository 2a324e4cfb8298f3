// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A unit's messages go to its server, with the names that the server knows.
extension Pooler {
    /// Sends what was gathered. A unit that may have to run again keeps its messages.
    func translate(_ client: ClientSession, to server: ServerConnection, now: Instant) {
        notePrepare(client)
        noteChanges(client)
        while let (message, offset) = client.unit.messages.next {
            translate(message, at: offset, client, server)
            client.unit.messages.sentNext()
        }
        if !client.unit.replay.isRepeatable { dropSent(client) }
        if !client.unit.messages.isComplete, !client.unit.needs.copiesIn,
            client.inbound.count > client.unit.messages.byteCount,
            FrontendShape.isCopy(client.unread.byte(at: client.unit.messages.byteCount)) {
            // Data that waits for the COPY to start, if one does.
            server.requests.flush()
        }
        sent(to: server)
        notePending(client)
        makeFakeReplies(server, client)
    }

    private func translate(
        _ message: UnitMessage, at start: Int, _ client: ClientSession, _ server: ServerConnection
    ) {
        let bytes = client.unread.extracting(start..<start + message.byteCount)
        switch message.content {
        case .query(let text):
            aliasForDeallocate(text.shifted(by: start), client, server)
            forgetUnnamed(client)
            server.requests.forward(bytes, owing: .query)
        case .parse(let name, let hash, let place):
            let text = client.unit.messages.text(place)
            define(text, name: bytes.copy(name), hash: hash, client, server)
        case .bind(let portal, let name, let hash):
            bind(bytes, portal: portal, statement: name, hash: hash, client, server)
        case .describeStatement(let name, let hash):
            describe(statement: bytes.extracting(name), hash: hash, client, server)
        case .describePortal(let name):
            var bound = server.statements.boundPortal
            if bound?.portal != hashing(bytes.extracting(name)) { bound = nil }
            server.requests.forwardDescribe(
                bytes, statement: bound?.statement ?? -1, nameHash: bound?.name ?? 0)
        case .closeStatement(_, let hash):
            // Others may use the server's copy: only the client's name goes.
            client.unit.sending.redefines(client.statements.definition(hash: hash))
            client.statements.remove(hash: hash)
            server.requests.fakeClose(nameHash: hash)
        case .closePortal: server.requests.forward(bytes, owing: .close)
        case .execute:
            noteExecute(client)
            server.requests.forward(bytes, owing: .execute)
        case .functionCall: server.requests.forward(bytes, owing: .functionCall)
        case .sync: server.requests.forward(bytes, owing: .sync)
        case .flush:
            if client.unit.messages.end == .flush {
                sync(server, .skip)
            } else {
                server.requests.flush()
            }
        }
    }

    /// DISCARD ALL and DEALLOCATE ALL in the middle of a pipeline: what had a name before has none
    /// behind it. Where they fail all that is behind them is skipped.
    private func noteExecute(_ client: ClientSession) {
        switch client.unit.sending.boundUnnamed?.classification.command {
        case .discardAll, .deallocateAll: client.unit.sending.forgotAll(but: hashing.unnamed)
        default: break
        }
    }

    /// The statement that a name stands for at this place of the unit.
    private func statement(
        _ name: RawSpan, hash: UInt64, of client: ClientSession
    ) -> ClientStatements.Entry? {
        guard client.unit.sending.keepsName(hash) else { return nil }
        return client.statements.find(name, hash: hash)
    }

    // MARK: Prepared statements

    /// The client's Parse: its name stands for the text from now on, and the server needs it under
    /// its canonical name.
    private func define(
        _ text: PreparedText, name: [UInt8], hash: UInt64, _ client: ClientSession,
        _ server: ServerConnection
    ) {
        let error = definitionError(name, hash: hash, client)
        if error != nil || server.statements.contains(text.index), isRefused(text, by: server) {
            return injectError(.abortedTransaction, client, server)
        }
        if let error { return injectError(error, client, server) }
        client.unit.sending.redefines(client.statements.definition(hash: hash))
        client.statements.define(name, hash: hash, text)
        client.unit.sending.defined(hash)
        if use(text, on: server) != nil {
            server.requests.fakeParse(nameHash: hash)
        } else {
            // What is asked before a SET would be the first query of its transaction; in one that has
            // failed it would hide what PostgreSQL says of the text.
            if text.constants == nil, !text.classification.isReadWhenExecuted,
                server.status != .failed {
                askForConstants(of: text, nameHash: hash, server)
            }
            parse(text, on: server, .forward, nameHash: hash, client)
        }
    }

    /// Returns true when the server's transaction has failed and refuses this statement.
    private func isRefused(_ text: PreparedText, by server: ServerConnection) -> Bool {
        // What is executed before ends the transaction, or fails and has this skipped.
        guard server.status == .failed, !server.requests.replies.executes,
            text.classification.statementCount > 0
        else { return false }
        return !text.classification.control.isAllowedInFailedTransaction
    }

    /// The error for defining a statement of this name; nil when it is allowed.
    func definitionError(
        _ name: [UInt8], hash: UInt64, _ client: ClientSession
    ) -> ErrorResponse? {
        if !name.isEmpty, statement(name.rawSpan, hash: hash, of: client) != nil {
            return ErrorResponse(
                .error, .duplicatePreparedStatement,
                "prepared statement \"\(String(decoding: name, as: UTF8.self))\" already exists")
        }
        guard
            client.statements.count >= policy.limits.preparedStatements
                || client.statements.byteCount >= policy.limits.statement * 4
        else { return nil }
        return ErrorResponse(
            .error, .programLimitExceeded, "too many prepared statements in one session",
            hint: "See limits.prepared_statements and limits.statement.")
    }

    /// The columns of a statement that the server has, nil where it has not; marks it as used.
    private func use(_ text: PreparedText, on server: ServerConnection) -> ResultColumns? {
        let columns = server.statements.use(text.index)
        counters.prepared.count(columns == nil ? .miss : .hit)
        return columns
    }

    /// Writes the Parse, after a Close where there is no room.
    private func parse(
        _ text: PreparedText, on server: ServerConnection, _ disposition: OwedReply.Disposition,
        nameHash: UInt64 = 0, _ client: ClientSession
    ) {
        let limit = policy.pools.preparedStatementsPerServer
        if let index = server.statements.evict(limit: limit) {
            server.requests.close(statementNamed: PreparedText.canonicalName(of: index))
            counters.prepared.count(.eviction)
        }
        server.requests.parse(
            name: text.canonicalName, definition: text.definition, disposition,
            statement: text.index, nameHash: nameHash)
        server.statements.parsed(text.index)
    }

    /// Makes sure that the server has the statement that a Bind names, and notes where its columns
    /// will be learned; false where they are not what the client expects.
    func ensure(
        _ entry: ClientStatements.Entry, hash: UInt64, for portal: RawSpan,
        on server: ServerConnection, _ client: ClientSession
    ) -> Bool {
        let found = ensure(entry.text, on: server, client)
        server.statements.bound(
            entry.isNews(on: found)
                ? ServerStatements.BoundPortal(
                    portal: hashing(portal), name: hash, statement: entry.text.index) : nil)
        if entry.columns != .unknown && found == .unknown {
            describe(entry.text, nameHash: hash, on: server)
        }
        return !entry.isChanged(on: found)
    }

    /// Makes sure that the server has a statement, read as it was when the client prepared it.
    func ensure(
        _ text: PreparedText, on server: ServerConnection, _ client: ClientSession
    ) -> ResultColumns {
        if let found = use(text, on: server) { return found }
        let switching = switchingSettings(for: text, client)
        if let switching {
            server.requests.run(statement: Array(switching.there.utf8), portal: Self.ownPortal)
        }
        parse(text, on: server, .skip, client)
        if let switching {
            server.requests.run(statement: Array(switching.back.utf8), portal: Self.ownPortal)
        }
        return .unknown
    }

    /// Not the unnamed one, which may be the client's.
    private static let ownPortal = Array("martlet: settings".utf8)

    /// Queries the literal settings before a Parse, because the transaction may have changed them; the
    /// next server must read the text by the same.
    private func askForConstants(
        of text: PreparedText, nameHash: UInt64, _ server: ServerConnection
    ) {
        server.requests.run(
            statement: Array(SettingsReplay.literalSettingsQuery.utf8), portal: Self.ownPortal,
            reply: OwedReply(.execute, .skip, statement: text.index, nameHash: nameHash))
    }

    /// The reply to that query; ignored if the client has deallocated the statement since.
    func literalSettingsArrived(_ row: RawSpan, from reply: OwedReply, _ server: ServerConnection) {
        guard let entry = server.client?.statements.entry(of: reply.statement, hash: reply.nameHash),
            let columns = try? DataRow.parse(body: row), columns.count == 1
        else { return }
        entry.text.learned(constants: SettingsReplay.constants(answer: columns[0]))
    }

    /// SQL to run before and after the Parse of a statement that was prepared under other settings.
    private func switchingSettings(
        for text: PreparedText, _ client: ClientSession
    ) -> (there: String, back: String)? {
        guard let then = text.constants else { return nil }
        let now = client.settings.literalSettings
        let effects = client.transaction.effects.union(client.unit.needs.effects)
        let mayHaveChanged = !effects.isDisjoint(with: .mayChangeMeaning)
            && !text.classification.isReadWhenExecuted
        if then == now && !mayHaveChanged { return nil }
        let names = SettingsReplay.constants.filter { name in
            mayHaveChanged
                || then.first { $0.name == name } != now.first { $0.name == name }
        }
        return SettingsReplay.switching(names, to: then)
    }

    /// Gives the server an empty statement for each name that a DEALLOCATE among other statements of a
    /// Query names, because the server knows the client's statements by other names.
    private func aliasForDeallocate(
        _ query: Range<Int>, _ client: ClientSession, _ server: ServerConnection
    ) {
        client.unit.sending.queryBegan()
        guard client.unit.needs.effects.contains(.sqlPrepare), client.statements.count > 0 else { return }
        let text = client.unread.copy(query)
        for name in SettingText.deallocated(text.span) {
            let hash = hashing(name)
            let isOwn = client.statements.find(name.rawSpan, hash: hash) != nil
            client.unit.sending.willDeallocate(isOwn ? hash : 0)
            guard isOwn else { continue }
            // One that was not deallocated may still be there.
            server.requests.close(statementNamed: name)
            server.requests.parse(name: name, definition: [0, 0, 0], .skip)
        }
    }

    private func bind(
        _ bytes: RawSpan, portal: Range<Int>, statement name: Range<Int>, hash: UInt64,
        _ client: ClientSession, _ server: ServerConnection
    ) {
        client.boundLocally(nil)
        let entry = self.statement(bytes.extracting(name), hash: hash, of: client)
        let text = entry?.text
        if portal.isEmpty { client.unit.sending.bound(text) }
        if text == nil && name.isEmpty { return injectError(.noUnnamedStatement, client, server) }
        if let entry,
            !ensure(entry, hash: hash, for: bytes.extracting(portal), on: server, client) {
            return injectError(.changedResult, client, server)
        }
        server.requests.bind(
            portal: bytes.extracting(MessageHeader.size..<portal.upperBound + 1),
            statement: text?.canonicalName ?? Self.unknown(bytes.copy(name)),
            rest: bytes.extracting(name.upperBound + 1..<bytes.byteCount))
    }

    /// A name that the server does not have, so that PostgreSQL words the error: the client's own name
    /// unless that is one of martlet's.
    static func unknown(_ name: [UInt8]) -> [UInt8] {
        name.isEmpty || name.starts(with: Array("martlet_".utf8)) ? Array("unknown ".utf8) + name : name
    }

    private func describe(
        statement name: RawSpan, hash: UInt64, _ client: ClientSession, _ server: ServerConnection
    ) {
        guard let entry = statement(name, hash: hash, of: client) else {
            if name.byteCount == 0 { return injectError(.noUnnamedStatement, client, server) }
            return server.requests.describe(
                statementNamed: Self.unknown(name.copy(0..<name.byteCount)), .forward)
        }
        let text = entry.text
        if !server.statements.contains(text.index), isRefused(text, by: server),
            text.classification.returnsNothing {
            // PostgreSQL describes it to the end of the transaction, but would not parse it.
            return server.requests.fakeDescribe()
        }
        let found = ensure(text, on: server, client)
        if entry.isChanged(on: found) { return injectError(.changedResult, client, server) }
        describe(text, nameHash: hash, .forward, learning: entry.isNews(on: found), on: server)
    }

    // MARK: What the transaction gathers

    private func noteChanges(_ client: ClientSession) {
        let hasChanges = client.transaction.mayHaveChangedMeaning
        guard
            !client.unit.needs.effects.isDisjoint(with: .mayChangeMeaning)
                || hasChanges && client.unit.needs.containsTransactionControl
        else { return }
        let said = hashing(
            client.unread.extracting(
                client.unit.messages.sentBytes..<client.unit.messages.byteCount))
        client.transaction.settingsMayChange(by: said)
    }

    /// Remembers what the unit may do to the session until the transaction is over.
    private func notePending(_ client: ClientSession) {
        guard client.unit.needs.executes else { return }
        var deeds = SessionTransaction.Deeds()
        deeds.effects = client.unit.needs.effects
        if client.unit.needs.effects.contains(.sqlExecute) {
            deeds.effects.formUnion(client.sqlStatements.effects)
        }
        deeds.resets = client.unit.needs.resets
        deeds.changesSchema = client.unit.needs.changesSchema
        deeds.touchesData = client.unit.needs.touchesData
        deeds.controlsTransaction = client.unit.needs.containsTransactionControl
        client.transaction.sent(deeds)
        // Once more when the transaction is over: until then other sessions see what was.
        if client.unit.needs.changesSchema { client.database.schemaChangeBegan() }
        if !client.unit.needs.effects.isDisjoint(with: .mayChangeTemporary) {
            client.state.temporaryObjectsChanged(to: versions.nextTemporaryObjects())
        }
    }

    /// Describes a statement, for its client or for martlet alone.
    func describe(
        _ text: PreparedText, nameHash: UInt64 = 0, _ disposition: OwedReply.Disposition = .skip,
        learning: Bool = true, on server: ServerConnection
    ) {
        server.requests.describe(
            statementNamed: text.canonicalName, disposition, statement: learning ? text.index : -1,
            nameHash: learning ? nameHash : 0)
    }

    /// A statement, or the portal that was made of it, is described.
    func learn(_ columns: ResultColumns, from reply: OwedReply, _ server: ServerConnection) {
        guard reply.reportsColumns else { return }
        server.statements.described(reply.statement, columns)
        guard let client = server.client, server.internalQuery == nil,
            let entry = client.statements.entry(of: reply.statement, hash: reply.nameHash)
        else { return }
        if reply.disposition == .forward {
            client.statements.told(columns, hash: reply.nameHash)
        } else if entry.isChanged(on: columns) {
            // It was bound and executed behind this, because there was no time to ask before. No rows
            // are better than rows that are misread.
            var error = ErrorResponse.changedResult
            error.severity = .fatal
            error.write(to: &client.output)
            markDirty(client)
            close(client)
        }
    }
}
