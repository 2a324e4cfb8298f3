// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// Replies that are withheld from a client until one decides, replies that martlet makes itself, and
/// the ReadyForQuery.
extension Pooler {
    /// Something of the answer goes to the client: the unit will not be run again.
    func decided(_ client: ClientSession) {
        if client.unit.replay.withholds {
            let isRepeatable = client.unit.replay.isRepeatable
            client.unit.replay.decided()
            if !client.holdback.isEmpty { passHeldBack(to: client) }
            if isRepeatable { dropSent(client) }
        }
        client.transaction.replied()
    }

    /// The client gets what was held back, but for what it got when the unit ran before.
    func passHeldBack(to client: ClientSession) {
        var offset = 0
        while client.unit.replay.repliesToSuppress > 0 || !client.unit.messages.isComplete,
            let header = try? MessageHeader(in: client.holdback.unread, at: offset) {
            let end = offset + header.totalCount
            if BackendShape.isReply(header.kind) {
                if client.unit.replay.suppressesNext() {
                    send(client.holdback.unread.extracting(0..<offset), to: client)
                    client.holdback.consume(end)
                    offset = 0
                    continue
                }
            }
            offset = end
        }
        send(client.holdback.unread, to: client)
        client.holdback.removeAll()
    }

    /// Everything up to a Flush is answered: whoever sent it waits for that, though it does not
    /// decide yet and the unit may still run again.
    func flushHeldBack(_ client: ClientSession, _ server: ServerConnection) {
        guard client.unit.replay.withholds, !client.unit.messages.isComplete, server.requests.replies.isEmpty,
            !client.holdback.isEmpty
        else { return }
        passHeldBack(to: client)
    }

    /// Gives the client the answers that are made here and whose turn it is.
    func resolveMade(_ server: ServerConnection, _ client: ClientSession) {
        while let kind = server.requests.nextFake() {
            if client.unit.replay.withholds {
                Self.make(kind, into: &client.holdback)
            } else {
                Self.make(kind, into: &client.output)
                markDirty(client)
            }
        }
        flushHeldBack(client, server)
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
        restoreMartletSettings(client.transaction.ready(status, at: client.lastActivity), client)
        ReadyForQuery.write(client.status, to: &client.output)
        markDirty(client)
    }

    /// A transaction was rolled back: what it set of martlet's own goes with it.
    func restoreMartletSettings(_ before: MartletSettings.Values?, _ client: ClientSession) {
        client.martletSettings.rolledBack(to: before)
    }
}
