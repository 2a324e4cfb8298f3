// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// What sending a unit changes of the client's names until it is answered, so that an error or
/// another attempt can undo it.
package struct UnitSending {
    /// An error of martlet's own in the middle of a pipeline; apart, because it is large and rare.
    private final class InjectedError {
        let error: ErrorResponse
        init(_ error: ErrorResponse) { self.error = error }
    }

    /// What names stood for that Parse and Close messages changed, in their order.
    private var redefined: [ClientStatements.Definition] = []
    /// What the DEALLOCATEs of a Query name, in their order: hashes of the client's names, 0 for
    /// statements that were prepared by SQL.
    private var deallocated: [UInt64] = []
    /// What the unnamed portal was last bound to.
    private(set) var boundUnnamed: PreparedText?
    /// Hashes of the names given since all statements were given up; nil where they were not.
    private var namesSinceForgotten: Set<UInt64>?
    private var injected: InjectedError?

    package init() {}

    /// The error that the client gets in place of the one that the server was made to report.
    var injectedError: ErrorResponse? { injected?.error }

    /// A name of this hash still stands for what it stood for before the unit.
    func keepsName(_ hash: UInt64) -> Bool { namesSinceForgotten?.contains(hash) != false }

    /// How many names were changed.
    var redefinedCount: Int { redefined.count }
    var deallocates: Bool { !deallocated.isEmpty }
    /// The room that the arrays have.
    var capacity: Int { redefined.capacity }

    /// A Parse or Close changes what a name stands for.
    mutating func redefines(_ before: ClientStatements.Definition) { redefined.append(before) }

    /// A Parse gives a name a meaning.
    mutating func defined(_ hash: UInt64) { namesSinceForgotten?.insert(hash) }

    /// The last change of a name did not take place; returns what the name stood for.
    mutating func undoLast() -> ClientStatements.Definition? { redefined.popLast() }

    /// The unnamed portal is bound.
    mutating func bound(_ text: PreparedText?) { boundUnnamed = text }

    /// All statements are given up in the middle of a pipeline, but what has this name's hash.
    mutating func forgotAll(but unnamed: UInt64) { namesSinceForgotten = [unnamed] }

    /// A Query follows that may deallocate statements.
    mutating func queryBegan() { deallocated.removeAll() }

    /// The Query deallocates a statement.
    mutating func willDeallocate(_ hash: UInt64) { deallocated.append(hash) }

    /// A DEALLOCATE of the Query is done; returns the hash of the name it named.
    mutating func nextDeallocated() -> UInt64 { deallocated.removeFirst() }

    /// An error of martlet's own is injected; the first one is what the server comes to.
    mutating func inject(_ error: ErrorResponse) {
        if injected == nil { injected = InjectedError(error) }
    }

    /// The unit is sent again; its changes have been undone.
    mutating func restart() {
        injected = nil
        boundUnnamed = nil
        namesSinceForgotten = nil
    }

    /// The next unit begins; arrays keep their room.
    mutating func reset() {
        if !redefined.isEmpty { redefined.removeAll(keepingCapacity: true) }
        if !deallocated.isEmpty { deallocated.removeAll(keepingCapacity: true) }
        restart()
    }
}
