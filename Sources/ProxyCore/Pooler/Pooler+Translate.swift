// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A unit's messages go to its server, with the names that the server knows.
extension Pooler {
    /// Sends what was gathered. A unit that may have to run again keeps its messages.
    func translate(_ client: ClientSession, to server: ServerConnection, now: Instant) {
        notePrepare(client)
        noteChanges(client)
        var offset = client.unit.sent
        var parse = client.unit.sentParses
        while let message = client.nextGathered(&offset) {
            translate(message, &parse, client, server)
        }
        client.unit.sent = offset
        client.unit.sentParses = parse
        if !client.unit.isRerunnable { dropSent(client) }
        if !client.unit.isComplete, !client.unit.copiesIn,
            client.inbound.count > client.unit.gathered,
            FrontendShape.isCopy(client.unread.byte(at: client.unit.gathered)) {
            // Data that waits for the COPY to start, if one does.
            server.output.message(FrontendKind.flush)
        }
        sent(to: server)
        notePending(client)
        resolveMade(server, client)
    }

    /// A Sync in a place of its own.
    func sync(_ server: ServerConnection, for audience: OwedReply.Audience) {
        server.output.message(FrontendKind.sync)
        server.replies.append(OwedReply(.sync, for: audience))
        sent(to: server)
    }

    /// The unit will not be run again: what a server has of it goes.
    func dropSent(_ client: ClientSession) {
        client.unit.isRerunnable = false
        client.inbound.consume(client.unit.sent)
        client.unit.gathered -= client.unit.sent
        client.unit.parses.removeFirst(client.unit.sentParses)
        client.unit.parsedNames.removeFirst(client.unit.sentParses)
        client.unit.sent = 0
        client.unit.sentParses = 0
        client.unit.single = nil
    }

    /// What has been looked at is dropped, whether a server has it or not.
    func dropGathered(_ client: ClientSession) {
        client.unit.sent = client.unit.gathered
        client.unit.sentParses = client.unit.parses.count
        dropSent(client)
    }

    private func translate(
        _ message: ClientSession.GatheredMessage, _ parse: inout Int, _ client: ClientSession,
        _ server: ServerConnection
    ) {
        switch message.kind {
        case FrontendKind.parse:
            let text = client.unit.parses[parse]
            parse += 1
            define(text, nameIn: message.body, client, server)
        case FrontendKind.bind: bind(message.body, client, server)
        case FrontendKind.describe: describe(message, client, server)
        case FrontendKind.close: closeTarget(message, client, server)
        case FrontendKind.flush:
            if client.unit.endsInFlush {
                sync(server, for: .nobody)
            } else {
                server.output.message(FrontendKind.flush)
            }
        default:
            if message.kind == FrontendKind.execute { noteExecute(client) }
            if message.kind == FrontendKind.query {
                standIn(message.body, client, server)
                forgetUnnamed(client)
            }
            server.output.append(client.unread.extracting(message.whole))
            if let kind = Self.reply(to: message.kind) {
                server.replies.append(OwedReply(kind, for: .client))
            }
        }
    }

    /// DISCARD ALL and DEALLOCATE ALL in the middle of a pipeline: what had a name before has none
    /// behind it. Where they fail all that is behind them is skipped.
    private func noteExecute(_ client: ClientSession) {
        switch client.unit.bound?.classification.command {
        case .discardAll, .deallocateAll: client.unit.namesSinceForgotten = [unnamed]
        default: break
        }
    }

    /// What a name stands for where the unit has come to.
    private func statement(
        _ name: RawSpan, hash: UInt64, of client: ClientSession
    ) -> ClientStatements.Entry? {
        if client.unit.namesSinceForgotten?.contains(hash) == false { return nil }
        return client.statements.find(name, hash: hash)
    }

    private static func reply(to kind: UInt8) -> OwedReply.Kind? {
        switch kind {
        case FrontendKind.query: .query
        case FrontendKind.execute: .execute
        case FrontendKind.functionCall: .functionCall
        case FrontendKind.sync: .sync
        default: nil
        }
    }

    // MARK: Prepared statements

    /// The client's Parse: its name stands for the text from now on, and the server needs it under
    /// its canonical name.
    private func define(
        _ text: PreparedText, nameIn body: Range<Int>, _ client: ClientSession,
        _ server: ServerConnection
    ) {
        guard let message = try? Parse(body: client.unread.extracting(body)) else { return }
        let name = client.unread.extracting(body).copy(message.name)
        let hash = hashing(name)
        let error = definitionError(name, hash: hash, client)
        if error != nil || server.prepared[text.index] != nil, isRefused(text, by: server) {
            return provoke(.abortedTransaction, client, server)
        }
        if let error { return provoke(error, client, server) }
        client.unit.redefined.append(client.statements.definition(hash: hash))
        client.statements.define(name, hash: hash, text)
        client.unit.namesSinceForgotten?.insert(hash)
        var reply = OwedReply(.parse, for: .client)
        reply.nameHash = hash
        if use(text, on: server) != nil {
            reply.audience = .made
        } else {
            // What is asked before a SET would be the first query of its transaction; in one that has
            // failed it would hide what PostgreSQL says of the text.
            if text.constants == nil, !text.classification.isReadWhenExecuted,
                server.status != .failed {
                askForConstants(of: text, nameHash: hash, server)
            }
            parse(text, on: server, client)
            reply.statement = text.index
        }
        server.replies.append(reply)
    }

    /// Whether the server's transaction has failed, so that this is no statement for it.
    private func isRefused(_ text: PreparedText, by server: ServerConnection) -> Bool {
        // What is executed before ends the transaction, or fails and has this skipped.
        guard server.status == .failed, !server.replies.executes,
            text.classification.statementCount > 0
        else { return false }
        return !text.classification.control.isAllowedInFailedTransaction
    }

    /// A simple query destroys the unnamed statement (manual: "Extended Query").
    func forgetUnnamed(_ client: ClientSession) {
        if client.statements.count > 0 { client.statements.remove(hash: unnamed) }
    }

    /// The last messages of the unit that gave names or took them had no effect.
    func undefine(_ count: Int, _ client: ClientSession) {
        for _ in 0..<count {
            guard let definition = client.unit.redefined.popLast() else { return }
            client.statements.restore(definition)
        }
    }

    /// Why a client may not give this name to a statement, if it may not.
    func definitionError(
        _ name: [UInt8], hash: UInt64, _ client: ClientSession
    ) -> ErrorResponse? {
        if !name.isEmpty, statement(name.rawSpan, hash: hash, of: client) != nil {
            return ErrorResponse(
                .error, "42P05",
                "prepared statement \"\(String(decoding: name, as: UTF8.self))\" already exists")
        }
        guard
            client.statements.count >= policy.limits.preparedStatements
                || client.statements.byteCount >= policy.limits.statement * 4
        else { return nil }
        return ErrorResponse(
            .error, "54000", "too many prepared statements in one session",
            hint: "See limits.prepared_statements and limits.statement.")
    }

    /// The columns of a statement that the server has, nil where it has not; marks it as used.
    private func use(_ text: PreparedText, on server: ServerConnection) -> ResultColumns? {
        server.useCount += 1
        guard let place = server.prepared.index(forKey: text.index) else {
            counters.prepared.count(.miss)
            return nil
        }
        server.prepared.values[place].use = server.useCount
        counters.prepared.count(.hit)
        return server.prepared.values[place].columns
    }

    /// Writes the Parse, after a Close where there is no room.
    private func parse(_ text: PreparedText, on server: ServerConnection, _ client: ClientSession) {
        let limit = policy.pools.preparedStatementsPerServer
        if let index = server.statementToEvict(limit: limit, since: client.unit.useMark) {
            let name = PreparedText.canonicalName(of: index)
            Target.write(FrontendKind.close, statement: name, to: &server.output)
            server.replies.append(OwedReply(.close, for: .nobody))
            server.prepared[index] = nil
            counters.prepared.count(.eviction)
        }
        Parse.write(name: text.canonicalName, definition: text.definition, to: &server.output)
        server.prepared[text.index] = ServerConnection.Prepared(use: server.useCount)
    }

    /// Makes sure that the server has the statement that a Bind names, and notes where its columns
    /// will be learned; false where they are not what the client expects.
    func ensure(
        _ entry: ClientStatements.Entry, hash: UInt64, for portal: RawSpan,
        on server: ServerConnection, _ client: ClientSession
    ) -> Bool {
        let found = ensure(entry.text, on: server, client)
        server.bound = nil
        if entry.isNews(on: found) {
            server.bound = ServerConnection.Bound(
                portal: hashing(portal), name: hash, statement: entry.text.index)
        }
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
        if let switching { execute([Array(switching.there.utf8)], on: server, portal: Self.ownPortal) }
        parse(text, on: server, client)
        var reply = OwedReply(.parse, for: .nobody)
        reply.statement = text.index
        server.replies.append(reply)
        if let switching { execute([Array(switching.back.utf8)], on: server, portal: Self.ownPortal) }
        return .unknown
    }

    /// Not the unnamed one, which may be the client's.
    private static let ownPortal = Array("martlet: settings".utf8)

    /// The transaction may have changed settings before the Parse that comes now; the next server must
    /// read the text by the same.
    private func askForConstants(
        of text: PreparedText, nameHash: UInt64, _ server: ServerConnection
    ) {
        var reply = OwedReply(.execute, for: .nobody)
        reply.statement = text.index
        reply.nameHash = nameHash
        execute(
            [Array(SettingsReplay.constantsQuery.utf8)], on: server, portal: Self.ownPortal,
            answer: reply)
    }

    /// The answer to that; what it says is known of no text that the client has given up meanwhile.
    func learnConstants(_ row: RawSpan, from reply: OwedReply, _ server: ServerConnection) {
        guard let entry = server.client?.statements.entry(of: reply.statement, hash: reply.nameHash),
            let columns = try? DataRow.parse(body: row), columns.count == 1
        else { return }
        entry.text.constants = SettingsReplay.constants(answer: columns[0])
    }

    /// What is to be said around the Parse of a statement that was prepared when settings were, or
    /// may have been, others than now.
    private func switchingSettings(
        for text: PreparedText, _ client: ClientSession
    ) -> (there: String, back: String)? {
        guard let then = text.constants else { return nil }
        let now = client.settings.ofConstants
        let effects = client.pendingEffects.union(client.unit.effects)
        let mayHaveChanged = !effects.isDisjoint(with: .mayChangeMeaning)
            && !text.classification.isReadWhenExecuted
        if then == now && !mayHaveChanged { return nil }
        let names = SettingsReplay.constants.filter { name in
            mayHaveChanged
                || then.first { $0.name == name } != now.first { $0.name == name }
        }
        return SettingsReplay.switching(names, to: then)
    }

    /// DEALLOCATE among other statements of a Query names what the server knows by another name: it
    /// is given an empty statement of that name to deallocate.
    private func standIn(
        _ query: Range<Int>, _ client: ClientSession, _ server: ServerConnection
    ) {
        client.unit.deallocates.removeAll()
        guard client.unit.effects.contains(.sqlPrepare), client.statements.count > 0 else { return }
        let text = client.unread.copy(query.lowerBound..<query.upperBound - 1)
        for name in SettingText.deallocated(text.span) {
            let hash = hashing(name)
            let isOwn = client.statements.find(name.rawSpan, hash: hash) != nil
            client.unit.deallocates.append(isOwn ? hash : 0)
            guard isOwn else { continue }
            // One that was not deallocated may still be there.
            Target.write(FrontendKind.close, statement: name, to: &server.output)
            server.replies.append(OwedReply(.close, for: .nobody))
            Parse.write(name: name, definition: [0, 0, 0], to: &server.output)
            server.replies.append(OwedReply(.parse, for: .nobody))
        }
    }

    private func bind(
        _ body: Range<Int>, _ client: ClientSession, _ server: ServerConnection
    ) {
        let bytes = client.unread.extracting(body)
        guard let message = try? Bind(bodyPrefix: bytes) else { return }
        client.localPortal = nil
        let statement = bytes.extracting(message.statement)
        let hash = hashing(statement)
        let entry = self.statement(statement, hash: hash, of: client)
        let text = entry?.text
        if message.portal.isEmpty { client.unit.bound = text }
        if text == nil && message.statement.isEmpty { return provoke(.noUnnamedStatement, client, server) }
        if let entry,
            !ensure(
                entry, hash: hash, for: bytes.extracting(message.portal), on: server, client) {
            return provoke(.changedResult, client, server)
        }
        let rest = bytes.extracting(message.statement.upperBound + 1..<bytes.byteCount)
        server.output.message(FrontendKind.bind) { output in
            output.append(bytes.extracting(0..<message.portal.upperBound + 1))
            if let text {
                output.append(terminated: text.canonicalName)
            } else {
                output.append(terminated: Self.unknown(bytes.copy(message.statement)))
            }
            output.append(rest)
        }
        server.replies.append(OwedReply(.bind, for: .client))
    }

    /// A name that no server has, so that the server words the error; it is the client's own name
    /// unless that is one of martlet's, or the one by which it sends a BEGIN.
    static func unknown(_ name: [UInt8]) -> [UInt8] {
        name.isEmpty || name.starts(with: Array("martlet_".utf8)) ? Array("unknown ".utf8) + name : name
    }

    private func describe(
        _ message: ClientSession.GatheredMessage, _ client: ClientSession,
        _ server: ServerConnection
    ) {
        let bytes = client.unread.extracting(message.body)
        guard let target = try? Target(body: bytes) else { return }
        if target.isStatement {
            let name = bytes.extracting(target.name)
            let hash = hashing(name)
            if let entry = statement(name, hash: hash, of: client) {
                let text = entry.text
                if server.prepared[text.index] == nil, isRefused(text, by: server),
                    text.classification.returnsNothing {
                    // PostgreSQL describes it to the end of the transaction, but would not parse it.
                    return server.replies.append(OwedReply(.describe, for: .made))
                }
                let found = ensure(text, on: server, client)
                if entry.isChanged(on: found) { return provoke(.changedResult, client, server) }
                return describe(
                    text, nameHash: hash, for: .client, learning: entry.isNews(on: found), on: server)
            } else if target.name.isEmpty {
                return provoke(.noUnnamedStatement, client, server)
            } else {
                Target.write(
                    FrontendKind.describe, statement: Self.unknown(bytes.copy(target.name)),
                    to: &server.output)
            }
        } else {
            server.output.append(client.unread.extracting(message.whole))
        }
        var reply = OwedReply(.describe, for: .client)
        if !target.isStatement, let bound = server.bound,
            bound.portal == hashing(bytes.extracting(target.name)) {
            reply.statement = bound.statement
            reply.nameHash = bound.name
        }
        server.replies.append(reply)
    }

    private func closeTarget(
        _ message: ClientSession.GatheredMessage, _ client: ClientSession,
        _ server: ServerConnection
    ) {
        let bytes = client.unread.extracting(message.body)
        guard let target = try? Target(body: bytes) else { return }
        if target.isStatement {
            // Others may use the server's copy: only the client's name goes.
            let hash = hashing(bytes.extracting(target.name))
            client.unit.redefined.append(client.statements.definition(hash: hash))
            client.statements.remove(hash: hash)
            var reply = OwedReply(.close, for: .made)
            reply.nameHash = hash
            server.replies.append(reply)
        } else {
            server.output.append(client.unread.extracting(message.whole))
            server.replies.append(OwedReply(.close, for: .client))
        }
    }

    /// An error of martlet's own in the middle of a pipeline.
    ///
    /// The server must fail there too, so that it skips to Sync and rolls back what came before: it
    /// is asked for a portal that does not exist, and the client gets the right words instead.
    func provoke(
        _ error: ErrorResponse, _ client: ClientSession, _ server: ServerConnection
    ) {
        // The first one is what the server comes to.
        if client.unit.provoked == nil { client.unit.provoked = .init(error) }
        executeNothing(on: server, for: .provoked)
    }

    /// What must fail.
    func executeNothing(on server: ServerConnection, for audience: OwedReply.Audience) {
        server.output.message(FrontendKind.execute) { body in
            body.append(terminated: "martlet: no such portal")
            body.append(int32: 0)
        }
        server.replies.append(OwedReply(.execute, for: audience))
    }

    // MARK: What the transaction gathers

    /// Whoever says the same in a transaction that began alike has the same settings afterwards.
    private func noteChanges(_ client: ClientSession) {
        let hasChanges = !client.pendingEffects.isDisjoint(with: .mayChangeMeaning)
        guard
            !client.unit.effects.isDisjoint(with: .mayChangeMeaning)
                || hasChanges && client.unit.containsTransactionControl
        else { return }
        let said = hashing(client.unread.extracting(client.unit.sent..<client.unit.gathered))
        let before = hasChanges ? client.settingChanges : 1
        client.settingChanges = before &* 0x9e37_79b9_7f4a_7c15 ^ said
    }

    /// Remembers what the unit may do to the session until the transaction is over.
    private func notePending(_ client: ClientSession) {
        guard client.unit.executes else { return }
        if client.unit.containsTransactionControl { client.begun = nil }
        client.pendingEffects.formUnion(client.unit.effects)
        if client.unit.effects.contains(.sqlExecute) {
            client.pendingEffects.formUnion(client.sqlStatements.effects)
        }
        client.hasTouchedData = client.hasTouchedData || client.unit.touchesData
        client.pendingResets.widen(to: client.unit.resets)
        client.pendingSchemaChange = client.pendingSchemaChange || client.unit.changesSchema
        // Once more when the transaction is over: until then other sessions see what was.
        if client.unit.changesSchema { client.database.schemaChangeBegan() }
        if !client.unit.effects.isDisjoint(with: .mayChangeTemporary) {
            temporaryVersion += 1
            client.temporaryVersion = temporaryVersion
        }
    }
}
