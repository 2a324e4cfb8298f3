// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

@testable import ProxyCore

private typealias Kind = OwedReply.Kind

/// Every kind of message that may be part of a reply, by its type.
private let replyMessages = "123tTnDCIsVGHdc"

private func byte(_ kind: Character) -> UInt8 { kind.asciiValue ?? 0 }

/// Owes these, all of them the client's.
private func owing(_ kinds: Kind...) -> OutstandingReplies {
    var replies = OutstandingReplies()
    for kind in kinds { replies.sent(OwedReply(kind, .forward)) }
    return replies
}

extension OutstandingReplies {
    /// What is still owed, taken out one after the other as the server would reply.
    fileprivate var kinds: [Kind] {
        var (copy, kinds) = (self, [Kind]())
        while let first = copy.first, kinds.count < 20 {
            kinds.append(first.kind)
            copy.clientLeft()
            if first.kind.endsWithReady {
                _ = copy.ready(copy.status)
            } else {
                copy.takeFirst()
            }
        }
        return kinds
    }

    /// Completes the first reply, which does not end with ReadyForQuery.
    private mutating func takeFirst() {
        let ends: [Kind: Character] = [
            .parse: "1", .bind: "2", .close: "3", .describe: "n", .execute: "C",
        ]
        if let first, let end = ends[first.kind] { _ = received(byte(end)) }
    }

    /// Reports an error; the kinds that the server skips.
    fileprivate mutating func fail() -> [Kind] {
        var skipped: [Kind] = []
        failed { skipped.append($0.kind) }
        return skipped
    }
}

struct OutstandingRepliesTests {
    /// Of each reply: the messages that are part of it, and those of them that complete it.
    private static let cases: [(kind: OwedReply.Kind, partial: String, complete: String)] = [
        (.parse, "", "1"), (.bind, "", "2"), (.close, "", "3"), (.describe, "t", "Tn"),
        (.execute, "DGH", "CIs"), (.query, "TDCIGH", ""), (.functionCall, "V", ""), (.sync, "", ""),
    ]

    @Test(arguments: cases)
    func `each reply has its own messages, and any other is unexpected`(
        kind: OwedReply.Kind, partial: String, complete: String
    ) {
        let reply = OwedReply(kind, .forward)
        for message in replyMessages {
            var replies = owing(kind, .parse)
            let verdict = replies.received(byte(message))
            if partial.contains(message) {
                #expect(verdict == .partial(reply) && replies.first == reply, "\(message)")
            } else if complete.contains(message) {
                #expect(verdict == .complete(reply) && replies.first?.kind == .parse, "\(message)")
            } else {
                #expect(verdict == .unexpected && replies.first == reply, "\(message)")
            }
            #expect(verdict.reply == (verdict == .unexpected ? nil : reply))
        }
    }

    @Test func `where nothing is owed every message is unexpected`() {
        for message in replyMessages {
            var replies = OutstandingReplies()
            #expect(replies.received(byte(message)) == .unexpected)
        }
        var replies = OutstandingReplies()
        #expect(replies.ready(.idle) == nil && replies.fail().isEmpty)
    }

    @Test func `replies come in the order of their messages`() {
        var replies = owing(.parse, .bind, .describe, .execute, .sync)
        let verdicts = "12TDDC".map { replies.received(byte($0)) }
        #expect(
            verdicts == [
                .complete(OwedReply(.parse, .forward)), .complete(OwedReply(.bind, .forward)),
                .complete(OwedReply(.describe, .forward)), .partial(OwedReply(.execute, .forward)),
                .partial(OwedReply(.execute, .forward)), .complete(OwedReply(.execute, .forward)),
            ])
        #expect(replies.ready(.idle)?.kind == .sync && replies.isEmpty)
    }

    @Test(arguments: [
        (OwedReply.Kind.query, true), (.functionCall, true), (.sync, true), (.parse, false),
        (.bind, false), (.describe, false), (.execute, false), (.close, false),
    ])
    func `a ReadyForQuery is owed by those that end with one`(
        kind: OwedReply.Kind, isOwed: Bool
    ) {
        var replies = owing(kind)
        #expect(replies.ready(.inTransaction)?.kind == (isOwed ? kind : nil))
        #expect(replies.isEmpty == isOwed && replies.status == .inTransaction)
    }

    // MARK: Errors

    @Test func `an error skips everything up to the Sync, which is answered`() {
        var replies = owing(.parse, .bind, .execute, .sync, .parse, .sync)
        #expect(replies.received(byte("1")) == .complete(OwedReply(.parse, .forward)))
        #expect(replies.fail() == [.bind, .execute])
        #expect(!replies.isSkipping && replies.kinds == [.sync, .parse, .sync])
        #expect(replies.ready(.idle)?.kind == .sync)
        #expect(replies.received(byte("1")) == .complete(OwedReply(.parse, .forward)))
    }

    @Test func `without a Sync on its way the server skips what it is sent until it gets one`() {
        var replies = owing(.parse, .bind)
        #expect(replies.fail() == [.parse, .bind])
        #expect(replies.isEmpty && replies.isSkipping && !replies.isAtRest)
        for kind in [Kind.parse, .bind, .describe, .execute, .close, .query, .functionCall] {
            replies.sent(OwedReply(kind, .forward))
        }
        #expect(replies.isEmpty && replies.isSkipping)
        replies.sent(OwedReply(.sync, .skip))
        replies.sent(OwedReply(.parse, .forward))
        #expect(!replies.isSkipping && replies.kinds == [.sync, .parse])
    }

    @Test(arguments: [OwedReply.Kind.query, .functionCall])
    func `an error in a message of the simple protocol skips nothing else`(kind: OwedReply.Kind) {
        var replies = owing(kind, .parse, .sync)
        #expect(replies.fail().isEmpty && !replies.isSkipping)
        #expect(replies.ready(.idle)?.kind == kind)
        #expect(replies.kinds == [.parse, .sync])
    }

    @Test func `an error in the Sync itself leaves its ReadyForQuery owed`() {
        // A deferred constraint fails when the implicit transaction commits.
        var replies = owing(.sync, .parse)
        #expect(replies.fail().isEmpty && !replies.isSkipping)
        #expect(replies.ready(.idle)?.kind == .sync && replies.first?.kind == .parse)
    }

    // MARK: COPY

    @Test func `COPY IN ignores a Sync that was sent, as far as it follows at once`() {
        var replies = owing(.execute, .sync, .sync, .parse, .sync)
        #expect(replies.received(byte("G")) == .partial(OwedReply(.execute, .forward)))
        #expect(replies.copyInStarted() && replies.isCopyingIn)
        #expect(replies.kinds == [.execute, .parse, .sync])
    }

    @Test func `COPY IN without a Sync right after it ignores none`() {
        for var replies in [owing(.execute), owing(.execute, .parse, .sync), owing(.query)] {
            let before = replies.kinds
            #expect(!replies.copyInStarted() && replies.isCopyingIn && replies.kinds == before)
        }
    }

    @Test func `COPY IN ends with the client's data or with an error`() {
        var replies = owing(.query)
        _ = replies.copyInStarted()
        #expect(replies.received(byte("d")) == .unexpected)
        replies.copyInEnded()
        #expect(!replies.isCopyingIn)
        #expect(replies.received(byte("C")) == .partial(OwedReply(.query, .forward)))
        #expect(replies.ready(.idle)?.kind == .query && replies.isAtRest)

        replies.sent(OwedReply(.execute, .forward))
        _ = replies.copyInStarted()
        #expect(replies.fail() == [.execute])
        #expect(!replies.isCopyingIn && replies.isSkipping)
    }

    @Test(arguments: [OwedReply.Kind.query, .execute])
    func `COPY OUT has data of its own, until it is complete`(kind: OwedReply.Kind) {
        var replies = owing(kind)
        #expect(replies.received(byte("d")) == .unexpected)
        for message in "Hddc" {
            #expect(replies.received(byte(message)) == .partial(OwedReply(kind, .forward)))
            #expect(replies.isCopyingOut)
        }
        _ = replies.received(byte("C"))
        #expect(!replies.isCopyingOut)
        #expect(replies.received(byte("d")) == .unexpected)
    }

    // MARK: Replies of martlet's own, and clients that leave

    @Test func `a reply that martlet makes itself waits for its turn`() {
        var replies = owing(.parse)
        replies.sent(OwedReply(.describe, .fake))
        replies.sent(OwedReply(.close, .fake))
        #expect(replies.nextFake() == nil)
        _ = replies.received(byte("1"))
        #expect(replies.nextFake() == .describe && replies.nextFake() == .close)
        #expect(replies.nextFake() == nil && replies.isEmpty)
    }

    @Test func `an error takes those that martlet would have made, too`() {
        var replies = owing(.parse)
        replies.sent(OwedReply(.close, .fake))
        replies.sent(OwedReply(.sync, .forward))
        #expect(replies.fail() == [.parse, .close] && replies.nextFake() == nil)
    }

    @Test func `who has left gets nothing, and what the server owes stays owed`() {
        var replies = owing(.parse, .execute)
        replies.sent(OwedReply(.close, .fake))
        replies.sent(OwedReply(.execute, .replaceError))
        replies.sent(OwedReply(.sync, .forward))
        replies.clientLeft()
        #expect(replies.first == OwedReply(.parse, .skip))
        #expect(replies.kinds == [.parse, .execute, .execute, .sync])
        #expect(replies.fail() == [.parse, .execute, .execute])
        #expect(replies.first == OwedReply(.sync, .skip))
    }

    @Test func `a server is at rest with nothing owed, skipped, copied or open`() {
        var replies = OutstandingReplies()
        #expect(replies.isAtRest)
        replies.loggedIn(.inTransaction)
        #expect(!replies.isAtRest)
        for (status, isAtRest) in [
            (TransactionStatus.inTransaction, false), (.failed, false), (.idle, true),
        ] {
            replies.sent(OwedReply(.query, .forward))
            #expect(!replies.isAtRest && !replies.isEmpty)
            _ = replies.ready(status)
            #expect(replies.isAtRest == isAtRest && replies.isEmpty)
        }
        replies.sent(OwedReply(.query, .forward))
        _ = replies.copyInStarted()
        #expect(!replies.isAtRest)
    }

    @Test func `what is being executed and defined is known`() {
        var replies = OutstandingReplies()
        replies.sent(OwedReply(.parse, .forward, statement: 3, nameHash: 30))
        replies.sent(OwedReply(.parse, .skip, statement: 4))
        replies.sent(OwedReply(.describe, .forward, statement: 5, nameHash: 50))
        #expect(!replies.executes)
        #expect(replies.definitions.names == [30, 0])
        #expect(replies.definitions.statements == [3, 4])
        replies.sent(OwedReply(.execute, .forward))
        #expect(replies.executes)
    }
}
