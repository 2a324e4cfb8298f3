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
        if client.passing > 0 { return pass(bytes, from: client, now: now) }
        if let server = client.server, server.copy == .incoming, client.inbound.count
            == client.unit.gathered, client.unit.phase == .running {
            let count = copyRun(bytes)
            if count > 0 { return relayCopy(bytes, count, from: client, to: server) }
        }
        client.inbound.append(bytes)
        advance(client, now: now)
        reconsiderReading(client)
        return Relay(count: bytes.byteCount)
    }

    /// Does for a client whatever can be done with what it has sent.
    func advance(_ client: ClientSession, now: Instant) {
        if client.isAdvancing { return }
        client.isAdvancing = true
        defer { client.isAdvancing = false }
        while client.phase == .ready {
            if let server = client.server, server.copy == .incoming,
                client.unit.phase == .running {
                guard forwardCopy(client, server) else { return }
                continue
            }
            switch client.unit.phase {
            case .gathering:
                if client.skipsUntilSync && !skip(client) { return }
            case .running:
                // The server has the Sync or the Query; what follows is the next unit's.
                if client.unit.isComplete { return }
                if client.skipsUntilSync {
                    _ = skip(client)
                    return
                }
            case .waiting, .held, .preparing, .inspecting:
                return
            }
            switch gather(client) {
            case .incomplete, .closed: return
            case .ready: dispatch(client, now: now)
            case .full: dispatchPart(client, now: now)
            case .overflow: overflow(client, now: now)
            }
            if client.passing > 0 { return }
        }
    }

    // MARK: Messages to needs

    /// Looks at the messages that are wholly there, up to the end of the unit.
    func gather(_ client: ClientSession) -> Gathered {
        while true {
            let start = client.unit.gathered
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
                if start > client.unit.sent { return .ready }
                // What the server owes may be a COPY that this is for.
                if client.server?.replies.isEmpty == false { return .incomplete }
                if start > 0 { dropGathered(client) }
                if !drop(header, client) { return .incomplete }
                continue
            }
            if client.inbound.count - start < header.totalCount {
                return isTooLong(header, from: start, client) ? .overflow : .incomplete
            }
            if let end = look(at: header, from: start, client) { return end }
            if client.unit.gathered > policy.limits.heldMessages { return .full }
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
        let body = start + MessageHeader.size..<start + header.totalCount
        let end = start + header.totalCount
        do {
            switch header.kind {
            case FrontendKind.query:
                try lookAtQuery(client, body)
                client.unit.gathered = end
                client.unit.isComplete = true
                return .ready
            case FrontendKind.parse: try lookAtParse(client, body)
            case FrontendKind.bind: try lookAtBind(client, body)
            case FrontendKind.describe, FrontendKind.close:
                try lookAtTarget(client, header.kind, body)
            case FrontendKind.execute:
                client.unit.executes = true
                // The client may wait for the server to be ready for a COPY, which it says without
                // being asked to by a Flush.
                if client.unit.copiesIn {
                    client.unit.gathered = end
                    return .ready
                }
            case FrontendKind.functionCall:
                client.unit.addOpaque()
                client.unit.executes = true
                client.unit.gathered = end
                client.unit.isComplete = true
                return .ready
            case FrontendKind.sync:
                guard header.bodyCount == 0 else { throw WireError.invalid }
                client.unit.gathered = end
                client.unit.isComplete = true
                return .ready
            case FrontendKind.flush:
                guard header.bodyCount == 0 else { throw WireError.invalid }
                client.unit.gathered = end
                return lookAtFlush(client)
            case FrontendKind.terminate:
                close(client)
                return .closed
            default: break
            }
        } catch {
            return violation(client, "invalid message format")
        }
        client.unit.gathered = end
        return nil
    }

    private func lookAtQuery(_ client: ClientSession, _ body: Range<Int>) throws(WireError) {
        let range = try Query.text(body: client.unread.extracting(body))
        let text = body.lowerBound + range.lowerBound..<body.lowerBound + range.upperBound
        let (statement, shape) = classify(client.unread.extracting(text), for: client)
        if client.unit.gathered == 0 && statement.statementCount == 1
            && statement.isCommand {
            client.unit.single = UnitOfWork.SingleStatement(
                text: text, classification: statement)
            if case .execute(let name) = statement.command {
                let bytes = client.unread.copy(text)
                client.unit.executedName = String(
                    decoding: SettingText.identifier(bytes.span, name), as: UTF8.self)
            }
        }
        client.unit.add(statement, shape: shape)
        client.unit.executes = true
    }

    private func lookAtParse(_ client: ClientSession, _ body: Range<Int>) throws(WireError) {
        let message = try Parse(body: client.unread.extracting(body))
        let bytes = client.unread.extracting(body)
        let definition = bytes.copy(message.text.lowerBound..<bytes.byteCount)
        var meaning = client.meaning
        if !client.unit.effects.isDisjoint(with: .mayChangeMeaning) {
            // Behind a SET in one pipeline: nobody else's.
            settingChanges += 1
            meaning.changes = settingChanges
        }
        let text = registry.intern(
            definition, textCount: message.text.count, meaning: meaning,
            constants: client.settings.ofConstants
        ) {
            classify(definition.rawSpan.extracting(0..<message.text.count), for: client)
        }
        client.unit.add(text.classification, shape: text.shape)
        client.unit.parses.append(text)
        client.unit.parsedNames.append(hashing(bytes.extracting(message.name)))
    }

    private func lookAtBind(_ client: ClientSession, _ body: Range<Int>) throws(WireError) {
        let bytes = client.unread.extracting(body)
        let message = try Bind(bodyPrefix: bytes)
        client.unit.executes = true
        if message.portal.isEmpty { client.unit.bindsUnnamed = true }
        add(statement: bytes.extracting(message.statement), to: client)
        if !client.unit.effects.isDisjoint(with: .mayChangeSettings) {
            // `set_config($1, $2, false)`
            CustomNames.collect(from: bytes, into: &client.customNames)
        }
    }

    private func lookAtTarget(
        _ client: ClientSession, _ kind: UInt8, _ body: Range<Int>
    ) throws(WireError) {
        let bytes = client.unread.extracting(body)
        let target = try Target(body: bytes)
        if !target.isStatement { client.unit.executes = true }
        if target.isStatement && kind == FrontendKind.describe {
            add(statement: bytes.extracting(target.name), to: client)
        }
    }

    /// A prepared statement is used: its needs are the unit's.
    private func add(statement name: RawSpan, to client: ClientSession) {
        let hash = hashing(name)
        // One that this unit defines has been added with its Parse.
        if client.unit.parsedNames.contains(hash) { return }
        guard let entry = client.statements.find(name, hash: hash) else {
            addSQL(statement: name, to: client)
            return
        }
        let text = entry.text
        if client.unit.phase == .gathering {
            client.unit.uses.append(UnitOfWork.StatementUse(text: text, columns: entry.columns))
        }
        if text.catalogueVersion != client.database.catalogueVersion {
            let definition = text.definition
            (text.classification, text.shape) = classify(
                definition.rawSpan.extracting(0..<text.textCount), for: client)
            text.catalogueVersion = client.database.catalogueVersion
        }
        client.unit.add(text.classification, shape: text.shape)
        // Its EXECUTE may mean another statement by now.
        if text.classification.effects.contains(.sqlExecute),
            text.meaning.sqlVersion != client.sqlVersion {
            client.unit.destination = .primary
        }
    }

    /// A statement that was prepared by SQL can be bound and described as well.
    private func addSQL(statement name: RawSpan, to client: ClientSession) {
        client.unit.usesStatement = true
        guard !client.sqlStatements.isEmpty,
            let prepared = client.sqlStatements[
                String(decoding: name.copy(0..<name.byteCount), as: UTF8.self)]
        else { return }
        var needs = prepared.classification
        needs.effects = prepared.effects.union(.sqlExecute)
        needs.command = .none
        client.unit.add(needs, shape: 0)
    }

    private func lookAtFlush(_ client: ClientSession) -> Gathered {
        let isOutside = client.server == nil && client.aborted == .no
        if isOutside && !client.unit.executes && client.unit.phase == .gathering {
            client.unit.endsInFlush = true
            client.unit.isComplete = true
        }
        return .ready
    }

    func classify(
        _ text: RawSpan, for client: ClientSession
    ) -> (Classification, shape: UInt64) {
        var statement = classifier.classify(
            text, catalogue: client.database.catalogue, overrides: overrides,
            standardConformingStrings: client.reported.hasStandardStrings,
            encodingIsSafe: client.reported.encodingIsSafe)
        if !statement.effects.isDisjoint(with: .mayChangeSettings) {
            CustomNames.collect(from: text, into: &client.customNames)
        }
        resolve(&statement, text, client)
        return (statement, classifier.shapeHash(text))
    }

    // MARK: What does not fit

    /// After an error in the extended protocol: drops messages up to Sync, as the server does, which
    /// answers that where the unit is open on one. False when bytes are missing.
    private func skip(_ client: ClientSession) -> Bool {
        while client.skipsUntilSync {
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
                client.skipsUntilSync = false
                if client.unit.phase == .running, let server = client.server {
                    client.unit.isComplete = true
                    sync(server, for: .client)
                } else {
                    sendReady(client, client.status)
                }
            }
        }
        return true
    }

    /// Drops the message at the front; false when the rest of it has yet to come.
    func drop(_ header: MessageHeader, _ client: ClientSession) -> Bool {
        let available = min(client.inbound.count, header.totalCount)
        client.inbound.consume(available)
        client.passing = header.totalCount - available
        client.isDropping = client.passing > 0
        return client.passing == 0
    }

    /// Sends what has come of a long unit. Its rest is not known and may be a write; and what its
    /// server has of it is not kept any longer for another.
    private func dispatchPart(_ client: ClientSession, now: Instant) {
        if client.unit.phase == .running { dropSent(client) }
        client.unit.destination = .primary
        client.unit.reason = .tooLong
        dispatch(client, now: now)
    }

    /// A message too long to be held: all that came before it must be with a server first.
    private func overflow(_ client: ClientSession, now: Instant) {
        guard FrontendShape.mayBePassed(client.unread.byte(at: client.unit.gathered)) else {
            return refuseLong(client, now: now)
        }
        if client.unit.gathered == client.unit.sent && client.unit.phase == .running {
            if client.unit.gathered > 0 { dropGathered(client) }
            return passFront(client, now: now)
        }
        if client.unit.phase == .gathering {
            // The rest is not known, so it is all that it could be.
            client.unit.addOpaque()
            client.unit.executes = true
        }
        dispatch(client, now: now)
    }

    /// A statement too long to be prepared is an error like a server's: it ends the transaction, and
    /// what follows is skipped up to Sync.
    private func refuseLong(_ client: ClientSession, now: Instant) {
        let error = ErrorResponse(
            .error, "54000", "statement is too long to be prepared",
            hint: "See limits.statement.")
        guard let server = client.server else { return fail(client, error, now: now) }
        if client.unit.phase == .running {
            translate(client, to: server, now: now)
        } else {
            client.unit.phase = .running
            client.unit.startedAt = now
        }
        provoke(error, client, server)
        sent(to: server)
        dropGathered(client)
        client.skipsUntilSync = true
    }

    /// The client broke the protocol: it is told, and that is the end.
    func violation(_ client: ClientSession, _ message: String) -> Gathered {
        counters.errors.count(.protocolViolation)
        refuse(client, "08P01", message)
        return .closed
    }
}

/// What is known of a client's message by its type alone.
enum FrontendShape {
    /// Enough of a message to rewrite the names in it, when the rest is passed on as it comes.
    static let prefixCount = 2_048

    static func isKnown(_ kind: UInt8) -> Bool {
        switch kind {
        case FrontendKind.query, FrontendKind.parse, FrontendKind.bind, FrontendKind.describe,
            FrontendKind.execute, FrontendKind.close, FrontendKind.sync, FrontendKind.flush,
            FrontendKind.functionCall, FrontendKind.copyData, FrontendKind.copyDone,
            FrontendKind.copyFail, FrontendKind.terminate:
            true
        default: false
        }
    }

    static func isCopy(_ kind: UInt8) -> Bool {
        kind == FrontendKind.copyData || kind == FrontendKind.copyDone
            || kind == FrontendKind.copyFail
    }

    /// PostgreSQL's own limits: 1 GB for what may be large, 10 kB for what is small.
    static func limit(of kind: UInt8, _ limits: BufferLimits) -> Int {
        switch kind {
        case FrontendKind.query, FrontendKind.parse, FrontendKind.bind, FrontendKind.copyData,
            FrontendKind.functionCall:
            limits.message
        default: limits.startupPacket
        }
    }

    /// Whether the body need not be seen whole.
    static func mayBePassed(_ kind: UInt8) -> Bool {
        kind == FrontendKind.query || kind == FrontendKind.bind
            || kind == FrontendKind.functionCall
    }
}

/// Names of settings with a dot (`app.user`), which the catalogue does not list.
///
/// Taken from the text of statements that may set them; a word too many costs one column of an
/// inspection and says nothing wrong.
enum CustomNames {
    static let limit = 100

    static func collect(from text: RawSpan, into names: inout Set<String>) {
        let words = text.text(0..<min(text.byteCount, 16_384)).lowercased()
        for word in words.split(whereSeparator: { !isPart($0) }) where word.contains(".") {
            let parts = word.split(separator: ".", omittingEmptySubsequences: false)
            let isName = parts.count == 2 && parts.allSatisfy {
                $0.first.map { $0.isLetter || $0 == "_" } ?? false
            }
            if isName && names.count < limit {
                names.insert(String(word))
            }
        }
    }

    private static func isPart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "$"
            || character == "."
    }
}

/// Client encodings in which a byte of a character may look like an ASCII character.
enum ClientEncoding {
    private static let unsafe: Set<String> = [
        "SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB",
    ]

    static func isSafe(_ name: String?) -> Bool { name.map { !unsafe.contains($0) } ?? true }
}
