// SPDX-License-Identifier: Apache-2.0

internal import DequeModule

/// One answer that a server owes.
package struct OwedReply: Equatable, Sendable {
    package enum Kind: UInt8, Sendable {
        case parse, bind, describe, execute, close, sync, query, functionCall
    }

    package enum Audience: UInt8, Sendable {
        /// The client asked; it gets the answer.
        case client
        /// martlet asked; nobody gets it.
        case nobody
        /// Never sent to the server: the client gets an answer made here, in its turn.
        case made
        /// Sent so that it must fail; the client gets `provoked` instead of the server's words.
        case provoked
        /// Sent so that it must fail, and nobody is told.
        case meant
    }

    package var kind: Kind
    package var audience: Audience
    /// The statement, by index, that a Parse defines, whose columns a Describe tells that are not
    /// known yet, or whose constants a query of martlet's own is about; -1 where there is none.
    package var statement = -1
    /// The hash of the client's name for it, to be forgotten where the Parse fails.
    package var nameHash: UInt64 = 0

    package init(_ kind: Kind, for audience: Audience) {
        self.kind = kind
        self.audience = audience
    }

    /// Whether it gives a name a meaning or takes it.
    package var redefines: Bool { nameHash != 0 && (kind == .parse || kind == .close) }

    package var learnsColumns: Bool { kind == .describe && statement >= 0 }
    package var learnsConstants: Bool { kind == .execute && statement >= 0 }

    package var endsWithReady: Bool { kind == .sync || kind == .query || kind == .functionCall }
}

/// What a server still owes, in the order in which it will answer.
///
/// This is the whole of what lets martlet put messages of its own between a client's: every
/// message sent adds an entry, every answer takes one, and an error in the extended protocol takes
/// all up to the next Sync, because the server skips what stands between (manual: "Extended
/// Query", "Pipelining"). A server is free exactly when this is empty and it is idle.
package struct OutstandingReplies {
    private var entries: Deque<OwedReply> = []

    package init() {}

    package var isEmpty: Bool { entries.isEmpty }
    package var count: Int { entries.count }
    package var first: OwedReply? { entries.first }

    package mutating func append(_ reply: OwedReply) { entries.append(reply) }

    package mutating func removeFirst() -> OwedReply? { entries.popFirst() }

    /// The server reported an error: everything before the next Sync is skipped by it.
    ///
    /// In a Query or a FunctionCall only the rest of that message is skipped. `skipped` sees each
    /// entry that goes.
    package mutating func failed(_ skipped: (OwedReply) -> Void) {
        guard let first = entries.first else { return }
        if first.kind == .query || first.kind == .functionCall { return }
        while let next = entries.first, next.kind != .sync {
            skipped(next)
            entries.removeFirst()
        }
    }

    /// The server went into COPY IN, where it ignores a Sync; anything else but copy messages makes
    /// the COPY fail, so that a Sync after that is answered. True when one is ignored.
    package mutating func copyInStarted() -> Bool {
        guard entries.count > 1, entries[1].kind == .sync else { return false }
        let copying = entries.removeFirst()
        while entries.first?.kind == .sync { entries.removeFirst() }
        entries.prepend(copying)
        return true
    }

    /// Whether a portal is to be executed.
    package var executes: Bool { entries.contains { $0.kind == .execute } }

    /// The hashes of the client's names, and the indexes, of the statements that are on their way.
    package var definitions: (names: Set<UInt64>, statements: Set<Int>) {
        let parses = entries.filter { $0.kind == .parse }
        return (Set(parses.map(\.nameHash)), Set(parses.map(\.statement)))
    }

    /// Nobody listens any more; the answers still have to come.
    package mutating func silence() {
        entries.removeAll { $0.audience == .made }
        for index in entries.indices { entries[index].audience = .nobody }
    }

    package mutating func removeAll(_ each: (OwedReply) -> Void = { _ in }) {
        entries.forEach(each)
        entries.removeAll()
    }
}
