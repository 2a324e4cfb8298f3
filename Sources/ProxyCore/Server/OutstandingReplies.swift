// SPDX-License-Identifier: Apache-2.0

internal import DequeModule
package import PostgresWire

/// What a server connection still owes, in the order in which it will reply, and what it does with
/// the messages that it is sent.
///
///     replying ◀──▶ copyingIn, copyingOut
///        │ error in the extended protocol, no Sync sent yet
///        ▼
///     skipping ──Sync──▶ replying
///
/// This is the whole of what lets martlet put messages of its own between a client's: each message
/// sent adds an entry, each reply takes one, and an error in the extended protocol takes all up to the
/// next Sync, because the server skips what stands between (manual: "Extended Query", "Pipelining").
/// A server connection is at rest when nothing is owed, nothing is skipped, no COPY runs and no
/// transaction is open.
package struct OutstandingReplies {
    private enum Phase: UInt8 {
        case replying
        /// COPY FROM STDIN: the server takes copy messages, and ignores Flush and Sync.
        case copyingIn
        /// COPY TO STDOUT: the server sends copy messages.
        case copyingOut
        /// The server drops what it is sent up to the next Sync.
        case skipping
    }

    /// What a message of the server means for what it owes.
    package enum Verdict: Equatable {
        /// The message was not owed: the byte stream is not understood any more.
        case unexpected
        /// The message belongs to this reply, which goes on.
        case partial(OwedReply)
        /// The message completes this reply.
        case complete(OwedReply)

        /// The reply that the message belongs to.
        package var reply: OwedReply? {
            switch self {
            case .unexpected: nil
            case .partial(let reply), .complete(let reply): reply
            }
        }
    }

    private var entries: Deque<OwedReply> = []
    private var phase = Phase.replying
    /// What the last ReadyForQuery said.
    package private(set) var status = TransactionStatus.idle

    package init() {}

    // MARK: State

    package var isEmpty: Bool { entries.isEmpty }
    package var first: OwedReply? { entries.first }
    package var isCopyingIn: Bool { phase == .copyingIn }
    package var isCopyingOut: Bool { phase == .copyingOut }

    /// Messages other than a Sync would be dropped by the server.
    package var isSkipping: Bool { phase == .skipping }

    /// Nothing is owed and nothing is skipped, and no COPY and no transaction is open.
    package var isAtRest: Bool { entries.isEmpty && phase == .replying && status == .idle }

    /// A portal is to be executed.
    package var executes: Bool { entries.contains { $0.kind == .execute } }

    /// Name hashes and indexes of the statements whose Parse has not been answered.
    package var definitions: (names: Set<UInt64>, statements: Set<Int>) {
        let parses = entries.filter { $0.kind == .parse }
        return (Set(parses.map(\.nameHash)), Set(parses.map(\.statement)))
    }

    // MARK: Messages sent

    /// A message was sent that the server answers, or one that martlet answers in its place.
    package mutating func sent(_ reply: OwedReply) {
        if phase == .skipping {
            // The server drops everything else without a reply.
            guard reply.kind == .sync else { return }
            phase = .replying
        }
        entries.append(reply)
    }

    /// A CopyDone or CopyFail was sent: the server leaves COPY IN.
    package mutating func copyInEnded() {
        if phase == .copyingIn { phase = .replying }
    }

    /// Nobody waits for the replies any more; the server still sends them.
    package mutating func clientLeft() {
        entries.removeAll { $0.disposition == .fake }
        for index in entries.indices { entries[index].disposition = .skip }
    }

    // MARK: Messages received

    /// A message arrived that is neither ErrorResponse nor ReadyForQuery, nor one that may come at
    /// any time.
    package mutating func received(_ kind: UInt8) -> Verdict {
        guard let first = entries.first else { return .unexpected }
        let reply = first.kind
        let runs = reply == .execute || reply == .query
        switch kind {
        case BackendKind.dataRow, BackendKind.copyInResponse: return runs ? .partial(first) : .unexpected
        case BackendKind.commandComplete, BackendKind.emptyQueryResponse:
            guard runs else { return .unexpected }
            if phase == .copyingOut { phase = .replying }
            return reply == .execute ? completed(first) : .partial(first)
        case BackendKind.bindComplete: return completed(first, if: reply == .bind)
        case BackendKind.parseComplete: return completed(first, if: reply == .parse)
        case BackendKind.closeComplete: return completed(first, if: reply == .close)
        case BackendKind.noData: return completed(first, if: reply == .describe)
        case BackendKind.portalSuspended: return completed(first, if: reply == .execute)
        case BackendKind.rowDescription:
            return reply == .query ? .partial(first) : completed(first, if: reply == .describe)
        case BackendKind.parameterDescription:
            return reply == .describe ? .partial(first) : .unexpected
        case BackendKind.copyOutResponse:
            guard runs else { return .unexpected }
            phase = .copyingOut
            return .partial(first)
        case BackendKind.copyData, BackendKind.copyDone:
            return phase == .copyingOut ? .partial(first) : .unexpected
        case BackendKind.functionCallResponse:
            return reply == .functionCall ? .partial(first) : .unexpected
        default: return .unexpected
        }
    }

    private mutating func completed(_ reply: OwedReply, if isOwed: Bool = true) -> Verdict {
        guard isOwed else { return .unexpected }
        entries.removeFirst()
        return .complete(reply)
    }

    /// The server went into COPY IN, where it ignores a Sync. Returns true when a Sync that was sent
    /// is ignored.
    ///
    /// Anything but copy messages makes the COPY fail, so a Sync after such a message is answered.
    package mutating func copyInStarted() -> Bool {
        phase = .copyingIn
        guard entries.count > 1, entries[1].kind == .sync else { return false }
        let copying = entries.removeFirst()
        while entries.first?.kind == .sync { entries.removeFirst() }
        entries.prepend(copying)
        return true
    }

    /// A ReadyForQuery arrived; returns the reply that it completes, or nil when none was owed.
    package mutating func ready(_ status: TransactionStatus) -> OwedReply? {
        self.status = status
        guard let first = entries.first, first.kind.endsWithReady else { return nil }
        entries.removeFirst()
        phase = .replying
        return first
    }

    /// The ReadyForQuery that ends a login arrived, which no message of ours asked for.
    package mutating func loggedIn(_ status: TransactionStatus) { self.status = status }

    /// The server reported an error that does not end the connection.
    ///
    /// In a Query or a FunctionCall the rest of that message is skipped, and its ReadyForQuery
    /// follows. Otherwise everything before the next Sync is skipped: `skipped` sees each entry that
    /// goes.
    package mutating func failed(_ skipped: (OwedReply) -> Void) {
        guard let first = entries.first else { return }
        phase = .replying
        if first.kind.isSimple { return }
        while let next = entries.first, next.kind != .sync {
            skipped(next)
            entries.removeFirst()
        }
        if entries.isEmpty { phase = .skipping }
    }

    /// The turn of a reply that martlet makes itself has come.
    package mutating func nextFake() -> OwedReply.Kind? {
        guard let first = entries.first, first.disposition == .fake else { return nil }
        entries.removeFirst()
        return first.kind
    }
}
