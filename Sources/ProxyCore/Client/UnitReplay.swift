// SPDX-License-Identifier: Apache-2.0

/// Whether a unit may be sent again elsewhere, and what its client has of its replies.
///
///     forwarded ──routed──▶ repeatable ──messages dropped──▶ withheld
///          ▲                     └────────decisive reply────────┤
///          └────────────────────────────────────────────────────┘
///
/// Replies that decide nothing (ParseComplete, RowDescription, ...) are withheld until one does (a
/// row, a command tag, an error). Until then the client has nothing that another server could
/// contradict, and the unit may run again.
package struct UnitReplay {
    private enum Stage {
        /// The messages are kept and the replies withheld: the unit may be sent again.
        case repeatable
        /// The replies are withheld, but the messages are gone.
        case withheld
        /// The client gets replies as they come.
        case forwarded
    }

    private static let mostAttempts = 4

    private var stage = Stage.forwarded
    package private(set) var attempts = 0
    /// The node that the last attempt failed on.
    package private(set) var avoided: NodeID?
    /// A replica did not let the client in, perhaps because it is behind; the primary knows.
    package private(set) var needsNewest = false
    /// Replies that decide nothing and that the client got at a Flush.
    private var repliesForwarded = 0
    /// How many of these are still to be left out, because the unit runs again.
    package private(set) var repliesToSuppress = 0
    /// A CommandComplete was seen: something may have been committed.
    package private(set) var sawCompletion = false

    package init() {}

    /// The messages are kept.
    package var isRepeatable: Bool { stage == .repeatable }
    /// Replies that decide nothing are withheld.
    package var withholds: Bool { stage != .forwarded }
    /// The unit may be sent once more.
    package var mayRepeat: Bool { isRepeatable && attempts < Self.mostAttempts }
    /// The next attempt is the primary's.
    package var needsPrimary: Bool { attempts > 1 }

    /// The unit is routed to a server that the client does not have yet.
    package mutating func routed() { stage = .repeatable }

    /// The messages are gone.
    package mutating func messagesDropped() {
        if stage == .repeatable { stage = .withheld }
    }

    /// The client gets something that decides.
    package mutating func decided() { stage = .forwarded }

    /// A CommandComplete was seen.
    package mutating func completed() { sawCompletion = true }

    /// A reply that decides nothing is about to be forwarded; returns true when the client has it
    /// from an earlier attempt.
    package mutating func suppressesNext() -> Bool {
        if repliesToSuppress > 0 {
            repliesToSuppress -= 1
            return true
        }
        repliesForwarded += 1
        return false
    }

    /// An attempt failed.
    package mutating func failed() { attempts += 1 }

    /// The next attempt must be the primary's.
    package mutating func failedOnReplica() { attempts = max(attempts, 2) }

    /// A replica refused the login of the client.
    package mutating func refusedByReplica() { needsNewest = true }

    /// The node is not asked again, if there is another.
    package mutating func avoid(_ node: NodeID?) { avoided = node }

    /// The unit is sent again from its beginning.
    package mutating func again(avoiding node: NodeID?) {
        if stage == .forwarded { stage = .withheld }
        repliesToSuppress = repliesForwarded
        avoided = node
    }
}
