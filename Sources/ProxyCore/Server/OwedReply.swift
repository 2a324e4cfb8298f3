// SPDX-License-Identifier: Apache-2.0

/// One reply that a server connection owes, and what becomes of it.
package struct OwedReply: Equatable, Sendable {
    /// The message that the reply answers.
    package enum Kind: UInt8, Sendable {
        case parse, bind, describe, execute, close, sync, query, functionCall

        /// The reply ends with a ReadyForQuery.
        package var endsWithReady: Bool { self == .sync || isSimple }

        /// An error in the message skips the rest of this message only, not what follows up to a
        /// Sync.
        package var isSimple: Bool { self == .query || self == .functionCall }
    }

    /// What the client gets of a reply.
    package enum Disposition: UInt8, Sendable {
        /// FORWARD: the client sent the message and gets the reply.
        case forward
        /// SKIP: martlet sent the message; its reply is dropped, an error is the client's.
        case skip
        /// FAKE: the message was not sent; martlet makes the reply when its turn comes.
        case fake
        /// The message was sent in order to fail; the client gets martlet's error instead of the
        /// server's.
        case replaceError
        /// The message was sent in order to fail; the error is dropped.
        case swallowError
    }

    package let kind: Kind
    package internal(set) var disposition: Disposition
    /// Index of the statement that a Parse defines, whose columns a Describe reports, or whose
    /// literal settings a query of martlet's reads; -1 where the reply concerns none.
    package let statement: Int
    /// Hash of the client's name for that statement, to be forgotten where the Parse fails.
    package let nameHash: UInt64

    package init(
        _ kind: Kind, _ disposition: Disposition, statement: Int = -1, nameHash: UInt64 = 0
    ) {
        self.kind = kind
        self.disposition = disposition
        self.statement = statement
        self.nameHash = nameHash
    }

    /// The message gives a name a meaning, or takes it away.
    package var redefinesName: Bool { nameHash != 0 && (kind == .parse || kind == .close) }

    /// The reply tells the columns of a statement that are not known yet.
    package var reportsColumns: Bool { kind == .describe && statement >= 0 }

    /// The reply tells the settings by which the literals of a statement are read.
    package var reportsLiteralSettings: Bool { kind == .execute && statement >= 0 }
}
