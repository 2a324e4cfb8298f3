// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// A client's bytes become the messages of a unit, and these become what the unit needs.
///
/// Messages stay where they arrived, in `inbound`, until a server has answered the unit: so a unit
/// that a server refused, or that a server died under, can be sent again.
extension Pooler {
    enum Gathered {
        /// Bytes are missing.
        case incomplete
        /// The unit can be routed, or what was gathered of it can be sent.
        case ready
        /// More messages than may be held have come, and the unit's end is not among them.
        case full
        /// A message larger than may be held is coming; it must be sent as it arrives.
        case overflow
        case closed
    }

    func receivedWhenReady(_ bytes: RawSpan, from client: ClientSession, now: Instant) -> Relay {
        if client.inbound.remaining > 0 { return pass(bytes, from: client, now: now) }
        if let server = client.server, server.requests.replies.isCopyingIn, client.inbound.count
            == client.unit.messages.byteCount, client.unit.isRunning {
            let count = copyRun(bytes)
            if count > 0 { return relayCopy(bytes, count, from: client, to: server) }
        }
        client.inbound.append(bytes)
        proceed(client, .gather, now: now)
        return Relay(count: bytes.byteCount)
    }

    /// Looks at what a client has sent, and says what can be done with it.
    func gatherNext(_ client: ClientSession, now: Instant) -> Step {
        guard client.phase == .ready, client.inbound.remaining == 0 else { return .wait }
        if let server = client.server, server.requests.replies.isCopyingIn, client.unit.isRunning {
            return forwardCopy(client, server) ? .gather : .wait
        }
        switch client.unit.phase {
        case .gathering:
            if client.inbound.skipsUntilSync && !skip(client) { return .wait }
        case .running, .answered:
            // The server has the Sync or the Query; what follows is the next unit's.
            if client.unit.messages.isComplete { return .wait }
            if client.inbound.skipsUntilSync {
                _ = skip(client)
                return .wait
            }
        case .routing, .held, .queued, .preparing, .inspecting: return .wait
        }
        switch gather(client) {
        case .incomplete, .closed: return .wait
        case .ready: return .dispatch
        case .full: return dispatchPart(client)
        case .overflow: return overflow(client, now: now)
        }
    }

    // MARK: Messages to needs

    /// Looks at the messages that are wholly there, up to the end of the unit.
    func gather(_ client: ClientSession) -> Gathered {
        while true {
            let start = client.unit.messages.byteCount
            let header: MessageHeader?
            do {
                header = try MessageHeader(in: client.unread, at: start)
            } catch {
                return violation(client, "invalid message length")
            }
            guard let header else { return .incomplete }
            guard FrontendShape.isKnown(header.kind) else {
                return violation(client, "invalid frontend message type \(header.kind)")
            }
            guard header.bodyCount <= FrontendShape.limit(of: header.kind, policy.limits) else {
                return violation(client, "invalid message length")
            }
            if FrontendShape.isCopy(header.kind) {
                if start > client.unit.messages.sentBytes { return .ready }
                // What the server owes may be a COPY that this is for.
                if client.server?.requests.replies.isEmpty == false { return .incomplete }
                if start > 0 { dropGathered(client) }
                if !drop(header, client) { return .incomplete }
                continue
            }
            if client.inbound.count - start < header.totalCount {
                return isTooLong(header, from: start, client) ? .overflow : .incomplete
            }
            if let end = look(at: header, from: start, client) { return end }
            if client.unit.messages.byteCount > policy.limits.heldMessages { return .full }
        }
    }

    /// Whether holding the whole unit would take more memory than one client may have.
    private func isTooLong(
        _ header: MessageHeader, from start: Int, _ client: ClientSession
    ) -> Bool {
        let limit =
            header.kind == FrontendKind.parse && start <= policy.limits.heldMessages
            ? start + policy.limits.statement : policy.limits.heldMessages
        return start + header.totalCount > limit
            && client.inbound.count - start >= FrontendShape.prefixCount
    }

    /// Adds one message to the unit; not nil when the unit is ready or the client is gone.
    private func look(
        at header: MessageHeader, from start: Int, _ client: ClientSession
    ) -> Gathered? {
        if header.kind == FrontendKind.terminate {
            close(client)
            return .closed
        }
        let body = start + MessageHeader.size..<start + header.totalCount
        do {
            let content = try content(of: header, body, client)
            client.unit.messages.append(
                UnitMessage(content: content, byteCount: header.totalCount))
            return client.unit.end(after: content, mayEndInFlush: mayEndInFlush(client))
                ? .ready : nil
        } catch {
            return violation(client, "invalid message format")
        }
    }

    /// Parses a message, and adds what it needs to the unit's needs.
    private func content(
        of header: MessageHeader, _ body: Range<Int>, _ client: ClientSession
    ) throws(WireError) -> UnitMessage.Content {
        switch header.kind {
        case FrontendKind.query: return try lookAtQuery(client, body)
        case FrontendKind.parse: return try lookAtParse(client, body)
        case FrontendKind.bind: return try lookAtBind(client, body)
        case FrontendKind.describe, FrontendKind.close:
            return try lookAtTarget(client, header.kind, body)
        case FrontendKind.execute:
            client.unit.needs.addExecution()
            return .execute(
                portal: MessageHeader.size..<max(header.totalCount - 5, MessageHeader.size))
        case FrontendKind.functionCall:
            client.unit.needs.addOpaque()
            return .functionCall
        case FrontendKind.sync, FrontendKind.flush:
            guard header.bodyCount == 0 else { throw .invalid }
            return header.kind == FrontendKind.sync ? .sync : .flush
        default: throw .invalid
        }
    }

    private func lookAtQuery(
        _ client: ClientSession, _ body: Range<Int>
    ) throws(WireError) -> UnitMessage.Content {
        let range = try Query.text(body: client.unread.extracting(body))
        let text = range.shifted(by: body.lowerBound)
        let (statement, fingerprint) = classify(client.unread.extracting(text), for: client)
        if client.unit.messages.byteCount == 0 && statement.statementCount == 1
            && statement.isCommand {
            var executed: String?
            if case .execute(let name) = statement.command {
                let bytes = client.unread.copy(text)
                executed = String(
                    decoding: SettingText.identifier(bytes.span, name), as: UTF8.self)
            }
            client.unit.messages.found(
                UnitMessages.SingleStatement(text: text, classification: statement),
                executing: executed)
        }
        client.unit.needs.add(statement, fingerprint: fingerprint)
        client.unit.needs.addExecution()
        return .query(text: range.shifted(by: MessageHeader.size))
    }

    private func lookAtParse(
        _ client: ClientSession, _ body: Range<Int>
    ) throws(WireError) -> UnitMessage.Content {
        let message = try Parse(body: client.unread.extracting(body))
        let bytes = client.unread.extracting(body)
        let definition = bytes.extracting(message.text.lowerBound..<bytes.byteCount)
        var context = client.parseContext
        if !client.unit.needs.effects.isDisjoint(with: .mayChangeMeaning) {
            // After a SET in one pipeline, so no other session can have the same.
            context.changes = versions.nextUnsharedChange()
        }
        let text = registry.find(definition, context: context)
            ?? newText(definition.copy(0..<definition.byteCount), message, context, client)
        client.unit.needs.add(text.classification, fingerprint: text.fingerprint)
        return .parse(
            name: message.name.shifted(by: MessageHeader.size),
            hash: hashing(bytes.extracting(message.name)),
            text: client.unit.messages.defines(text))
    }

    /// A text that no session of this shard has prepared in this context.
    private func newText(
        _ definition: [UInt8], _ message: Parse, _ context: ParseContext, _ client: ClientSession
    ) -> PreparedText {
        registry.intern(
            definition, textCount: message.text.count, context: context,
            constants: client.settings.literalSettings
        ) {
            classify(definition.rawSpan.extracting(0..<message.text.count), for: client)
        }
    }

    private func lookAtBind(
        _ client: ClientSession, _ body: Range<Int>
    ) throws(WireError) -> UnitMessage.Content {
        let bytes = client.unread.extracting(body)
        let message = try Bind(bodyPrefix: bytes)
        client.unit.needs.addExecution()
        if message.portal.isEmpty { client.unit.needs.addUnnamedPortal() }
        let hash = hashing(bytes.extracting(message.statement))
        add(statement: bytes.extracting(message.statement), hash: hash, to: client)
        if !client.unit.needs.effects.isDisjoint(with: .mayChangeSettings) {
            // `set_config($1, $2, false)`
            client.state.mayName { CustomNames.collect(from: bytes, into: &$0) }
        }
        return .bind(
            portal: message.portal.shifted(by: MessageHeader.size),
            statement: message.statement.shifted(by: MessageHeader.size), hash: hash)
    }

    private func lookAtTarget(
        _ client: ClientSession, _ kind: UInt8, _ body: Range<Int>
    ) throws(WireError) -> UnitMessage.Content {
        let bytes = client.unread.extracting(body)
        let target = try Target(body: bytes)
        let name = target.name.shifted(by: MessageHeader.size)
        guard target.isStatement else {
            client.unit.needs.addExecution()
            return kind == FrontendKind.describe ? .describePortal(name: name) : .closePortal(name: name)
        }
        let hash = hashing(bytes.extracting(target.name))
        guard kind == FrontendKind.describe else { return .closeStatement(name: name, hash: hash) }
        add(statement: bytes.extracting(target.name), hash: hash, to: client)
        return .describeStatement(name: name, hash: hash)
    }

    /// A prepared statement is used: its needs are the unit's.
    private func add(statement name: RawSpan, hash: UInt64, to client: ClientSession) {
        // One that this unit defines has been added with its Parse.
        if client.unit.messages.parsedNames.contains(hash) { return }
        guard let entry = client.statements.find(name, hash: hash) else {
            addSQL(statement: name, to: client)
            return
        }
        let text = entry.text
        if client.unit.isGathering {
            client.unit.messages.found(
                use: UnitMessages.StatementUse(text: text, columns: entry.columns))
        }
        if text.catalogueVersion != client.database.catalogueVersion {
            let definition = text.definition
            text.reclassified(
                classify(definition.rawSpan.extracting(0..<text.textCount), for: client),
                catalogue: client.database.catalogueVersion)
        }
        client.unit.needs.add(text.classification, fingerprint: text.fingerprint)
        // Its EXECUTE may mean another statement by now.
        if text.classification.effects.contains(.sqlExecute),
            text.context.sqlVersion != client.state.sqlVersion {
            client.unit.needs.requirePrimary()
        }
    }

    /// A statement that was prepared by SQL can be bound and described as well.
    private func addSQL(statement name: RawSpan, to client: ClientSession) {
        client.unit.needs.addUnknownStatement()
        guard !client.sqlStatements.isEmpty,
            let prepared = client.sqlStatements[
                String(decoding: name.copy(0..<name.byteCount), as: UTF8.self)]
        else { return }
        var needs = prepared.classification
        needs.effects = prepared.effects.union(.sqlExecute)
        needs.command = .none
        client.unit.needs.add(needs, fingerprint: 0)
    }

    /// Whether martlet may put a Sync in a Flush's place.
    private func mayEndInFlush(_ client: ClientSession) -> Bool {
        client.server == nil && !client.transaction.isLost
    }

    func classify(
        _ text: RawSpan, for client: ClientSession
    ) -> (Classification, fingerprint: UInt64) {
        var statement = classifier.classify(
            text, catalogue: client.database.catalogue, overrides: overrides,
            standardConformingStrings: client.reported.hasStandardStrings,
            encodingIsSafe: client.reported.encodingIsSafe)
        if !statement.effects.isDisjoint(with: .mayChangeSettings) {
            client.state.mayName { CustomNames.collect(from: text, into: &$0) }
        }
        resolve(&statement, text, client)
        return (statement, classifier.shapeHash(text))
    }

    // MARK: What does not fit

    /// After an error in the extended protocol: drops messages up to Sync, as the server does, which
    /// answers that where the unit is open on one. False when bytes are missing.
    private func skip(_ client: ClientSession) -> Bool {
        while client.inbound.skipsUntilSync {
            let header: MessageHeader?
            do {
                header = try MessageHeader(in: client.unread, at: 0)
            } catch {
                _ = violation(client, "invalid message length")
                return false
            }
            guard let header, drop(header, client) else { return false }
            if header.kind == FrontendKind.terminate {
                close(client)
                return false
            }
            if header.kind == FrontendKind.sync {
                client.inbound.syncArrived()
                if client.unit.isRunning, let server = client.server {
                    client.unit.messages.completed()
                    sync(server, .forward)
                } else {
                    sendReady(client, client.status)
                }
            }
        }
        return true
    }

    /// Sends what has come of a long unit. Its rest is not known and may be a write; and what its
    /// server has of it is not kept any longer for another.
    private func dispatchPart(_ client: ClientSession) -> Step {
        if client.unit.isRunning { dropSent(client) }
        client.unit.needs.addUnseenRest()
        return .dispatch
    }

    /// A message too long to be held: all that came before it must be with a server first.
    private func overflow(_ client: ClientSession, now: Instant) -> Step {
        guard FrontendShape.mayBePassed(client.unread.byte(at: client.unit.messages.byteCount)) else {
            return refuseLong(client, now: now)
        }
        if client.unit.messages.byteCount == client.unit.messages.sentBytes && client.unit.isRunning {
            if client.unit.messages.byteCount > 0 { dropGathered(client) }
            passFront(client, now: now)
            return .gather
        }
        // The rest is not known, so it is all that it could be.
        if client.unit.isGathering { client.unit.needs.addOpaque() }
        return .dispatch
    }

    /// A statement too long to be prepared is an error like a server's: it ends the transaction, and
    /// what follows is skipped up to Sync.
    private func refuseLong(_ client: ClientSession, now: Instant) -> Step {
        let error = ErrorResponse(
            .error, .programLimitExceeded, "statement is too long to be prepared",
            hint: "See limits.statement.")
        guard let server = client.server else { return .fail(error) }
        if client.unit.isRunning {
            translate(client, to: server, now: now)
        } else {
            client.unit.dispatched(now: now)
            client.unit.started(on: place(of: server), now: now)
        }
        injectError(error, client, server)
        sent(to: server)
        dropGathered(client)
        client.inbound.skipUntilSync()
        return .gather
    }

    /// The client broke the protocol: it is told, and that is the end.
    func violation(_ client: ClientSession, _ message: String) -> Gathered {
        counters.errors.count(.protocolViolation)
        refuse(client, .protocolViolation, message)
        return .closed
    }
}
