// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Statements that martlet answers itself: the BEGIN that it defers, a transaction that ended
/// before any server knew of it, or with the server that ran it, and `martlet.*` settings.
extension Pooler {
    /// Answers the unit where no server is needed; false when one is.
    func answerLocally(_ client: ClientSession, now: Instant) -> Bool {
        if client.aborted != .no { return answerAborted(client, now: now) }
        guard let single = client.unit.single else { return false }
        if answerOwnSetting(client, single, now: now) { return true }
        guard client.server == nil else { return false }
        switch single.control {
        case .begin(let modes) where client.deferredBegin == nil && !modes.snapshot:
            client.deferredBegin = ClientSession.DeferredBegin(
                statements: [text(of: single, client)], readOnly: modes.readOnly,
                isSerializable: modes.isolation == .serializable)
            complete(
                client, modes.isStartTransaction ? "START TRANSACTION" : "BEGIN", .inTransaction,
                now: now)
        case .setTransaction(let modes) where client.deferredBegin != nil && !modes.snapshot:
            client.deferredBegin?.statements.append(text(of: single, client))
            if let readOnly = modes.readOnly { client.deferredBegin?.readOnly = readOnly }
            if let isolation = modes.isolation {
                client.deferredBegin?.isSerializable = isolation == .serializable
            }
            complete(client, "SET", .inTransaction, now: now)
        case .commit where client.deferredBegin != nil:
            client.deferredBegin = nil
            complete(client, "COMMIT", .idle, now: now)
        case .rollback where client.deferredBegin != nil:
            client.deferredBegin = nil
            complete(client, "ROLLBACK", .idle, now: now)
        default: return false
        }
        return true
    }

    private func text(of single: UnitOfWork.SingleStatement, _ client: ClientSession) -> String {
        client.unread.text(single.text)
    }

    /// CommandComplete and ReadyForQuery.
    private func complete(
        _ client: ClientSession, _ tag: String, _ status: TransactionStatus, now: Instant
    ) {
        CommandComplete.write(tag, to: &client.output)
        endLocally(client, status, now: now)
    }

    private func endLocally(
        _ client: ClientSession, _ status: TransactionStatus, now: Instant
    ) {
        sendReady(client, status)
        finishUnit(client, now: now)
    }

    // MARK: A transaction that was lost

    /// The client believes to be in a transaction that no server has: it hears so once, and then,
    /// as from a server, that everything is ignored until it ends the transaction.
    private func answerAborted(_ client: ClientSession, now: Instant) -> Bool {
        let untold = client.aborted == .untold
        let control = client.unit.single?.control ?? loneControl(of: client)
        switch control {
        case .rollback, .commit:
            if untold && control == .commit {
                client.aborted = .no
                client.status = .idle
                fail(client, .transactionLost, now: now)
                return true
            }
            client.aborted = .no
            if client.unit.single != nil {
                complete(client, "ROLLBACK", .idle, now: now)
            } else {
                completeExtended(client, "ROLLBACK", now: now)
            }
        default:
            client.aborted = .told
            fail(client, untold ? .transactionLost : .abortedTransaction, now: now)
        }
        return true
    }

    /// The control of the only statement that an extended unit parses or binds.
    private func loneControl(of client: ClientSession) -> TransactionControl {
        var offset = 0
        while offset < client.unit.gathered,
            let header = try? MessageHeader(in: client.unread, at: offset) {
            let body = client.unread.extracting(
                offset + MessageHeader.size..<offset + header.totalCount)
            if header.kind == FrontendKind.bind, let message = try? Bind(bodyPrefix: body) {
                let hash = hashing(body.extracting(message.statement))
                if let index = client.unit.parsedNames.lastIndex(of: hash) {
                    return client.unit.parses[index].classification.control
                }
                let text = client.statements.find(body.extracting(message.statement), hash: hash)
                return text?.classification.control ?? .none
            }
            offset += header.totalCount
        }
        return client.unit.parses.first?.classification.control ?? .none
    }

    /// The answers to an extended unit whose one statement is done without a server.
    private func completeExtended(_ client: ClientSession, _ tag: String, now: Instant) {
        var offset = 0
        var parse = 0
        while offset < client.unit.gathered,
            let header = try? MessageHeader(in: client.unread, at: offset) {
            let body = client.unread.extracting(
                offset + MessageHeader.size..<offset + header.totalCount)
            switch header.kind {
            case FrontendKind.parse:
                if let message = try? Parse(body: body) {
                    let name = body.copy(message.name)
                    client.statements.define(
                        name, hash: hashing(name), client.unit.parses[parse])
                }
                parse += 1
                client.output.message(BackendKind.parseComplete)
            case FrontendKind.bind: client.output.message(BackendKind.bindComplete)
            case FrontendKind.close: client.output.message(BackendKind.closeComplete)
            case FrontendKind.describe:
                if (try? Target(body: body))?.isStatement == true {
                    client.output.message(BackendKind.parameterDescription) { $0.append(int16: 0) }
                }
                client.output.message(BackendKind.noData)
            case FrontendKind.execute: CommandComplete.write(tag, to: &client.output)
            default: break
            }
            offset += header.totalCount
        }
        endLocally(client, .idle, now: now)
    }

    // MARK: martlet.* settings

    private func answerOwnSetting(
        _ client: ClientSession, _ single: UnitOfWork.SingleStatement, now: Instant
    ) -> Bool {
        let command = single.command
        guard let name = ownName(command, single, client) else { return false }
        let statement = client.unread.copy(single.text)
        switch command {
        case .set(_, let value?, let local):
            if local { return false }
            let text = SettingText.value(
                statement.span, value, name: Array(name.utf8),
                standardConformingStrings: client.reported["standard_conforming_strings"] != "off")
            guard let text,
                let wrong = client.own.set(
                    name, to: String(decoding: text, as: UTF8.self), position: &client.position,
                    now: now)
            else {
                complete(client, "SET", client.status, now: now)
                return true
            }
            failSetting(client, ErrorResponse(.error, "22023", wrong), now: now)
        case .setDefault, .reset:
            client.own.reset(name)
            if case .reset = command {
                complete(client, "RESET", client.status, now: now)
            } else {
                complete(client, "SET", client.status, now: now)
            }
        case .show:
            RowDescription.writeText(column: name, to: &client.output)
            DataRow.write(ownValue(name, client), to: &client.output)
            complete(client, "SHOW", client.status, now: now)
        default: return false
        }
        return true
    }

    /// A wrong value is an error, and inside a transaction the end of it, as for any other SET.
    private func failSetting(_ client: ClientSession, _ error: ErrorResponse, now: Instant) {
        if let server = client.server, client.status == .inTransaction {
            provokeFailure(client, error, on: server)
        } else {
            fail(client, error, now: now)
        }
    }

    /// Lets the open transaction fail on its server too.
    private func provokeFailure(
        _ client: ClientSession, _ error: ErrorResponse, on server: ServerConnection
    ) {
        client.unit.phase = .running
        client.unit.provoked = error
        server.output.message(FrontendKind.execute) { body in
            body.append(terminated: "martlet: no such portal")
            body.append(int32: 0)
        }
        server.output.message(FrontendKind.sync)
        server.replies.append(OwedReply(.execute, for: .provoked))
        server.replies.append(OwedReply(.sync, for: .client))
        dropGathered(client)
        sent(to: server)
    }

    private func ownName(
        _ command: Command, _ single: UnitOfWork.SingleStatement, _ client: ClientSession
    ) -> String? {
        let range: Range<Int>
        switch command {
        case .set(let name, _, _), .setDefault(let name), .reset(let name), .show(let name):
            range = name
        default: return nil
        }
        let statement = client.unread.copy(single.text)
        let name = String(decoding: SettingText.name(statement.span, range), as: UTF8.self)
        return OwnSettings.names.contains(name) ? name : nil
    }

    private func ownValue(_ name: String, _ client: ClientSession) -> String {
        switch name {
        case "martlet.route": return (client.own.route ?? client.route).rawValue
        case "martlet.consistency":
            return (client.own.consistency ?? client.consistency).rawValue
        default:
            client.position.settle(with: topology)
            return client.position.token.description
        }
    }
}
