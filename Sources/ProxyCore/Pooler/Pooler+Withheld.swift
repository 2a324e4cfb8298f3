// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Replies that are withheld from a client until one decides, replies that martlet makes itself, and
/// the ReadyForQuery.
extension Pooler {
    /// Something of the answer goes to the client: the unit will not be run again.
    func commitToAttempt(_ client: ClientSession) {
        if client.unit.replay.withholds {
            let isRepeatable = client.unit.replay.isRepeatable
            client.unit.replay.decided()
            if !client.withheld.isEmpty { forwardWithheld(to: client) }
            if isRepeatable { dropSent(client) }
        }
        client.transaction.replied()
    }

    /// The client gets what was held back, but for what it got when the unit ran before.
    func forwardWithheld(to client: ClientSession) {
        var offset = 0
        while client.unit.replay.repliesToSuppress > 0 || !client.unit.messages.isComplete,
            let header = try? MessageHeader(in: client.withheld.unread, at: offset) {
            let end = offset + header.totalCount
            if BackendShape.isReply(header.kind), client.unit.replay.suppressesNext() {
                send(client.withheld.unread.extracting(0..<offset), to: client)
                client.withheld.consume(end)
                offset = 0
            } else {
                offset = end
            }
        }
        send(client.withheld.unread, to: client)
        client.withheld.removeAll()
    }

    /// Forwards what is withheld once everything up to a Flush is answered: the client waits for that,
    /// though it does not decide yet and the unit may still run again.
    func forwardWithheldAtFlush(_ client: ClientSession, _ server: ServerConnection) {
        guard client.unit.replay.withholds, !client.unit.messages.isComplete, server.requests.replies.isEmpty,
            !client.withheld.isEmpty
        else { return }
        forwardWithheld(to: client)
    }

    /// Gives the client the answers that are made here and whose turn it is.
    func makeFakeReplies(_ server: ServerConnection, _ client: ClientSession) {
        while let kind = server.requests.nextFake() {
            if client.unit.replay.withholds {
                Self.make(kind, into: &client.withheld)
            } else {
                Self.make(kind, into: &client.output)
                markDirty(client)
            }
        }
        forwardWithheldAtFlush(client, server)
    }

    static func make(_ kind: OwedReply.Kind, into queue: inout ByteQueue) {
        switch kind {
        case .parse: queue.message(BackendKind.parseComplete)
        case .describe:
            queue.message(BackendKind.parameterDescription) { $0.append(int16: 0) }
            queue.message(BackendKind.noData)
        default: queue.message(BackendKind.closeComplete)
        }
    }

    func sendReady(_ client: ClientSession, _ status: TransactionStatus) {
        // A transaction that was rolled back takes along what it set of martlet's own.
        let before = client.transaction.ready(status, at: client.lastActivity)
        client.martletSettings.rolledBack(to: before)
        ReadyForQuery.write(client.status, to: &client.output)
        markDirty(client)
    }
}
