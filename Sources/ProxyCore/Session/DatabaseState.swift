// SPDX-License-Identifier: Apache-2.0

package import StatementClassifier

/// What all sessions of one database share on a shard.
package final class DatabaseState {
    package let name: String
    package private(set) var catalogue: Catalogue?
    /// Names a catalogue and the overrides beside it; it is counted over all databases.
    package private(set) var catalogueVersion = 0
    private var refusedShapes = RefusedShapes()
    /// Counts the changes of the schema that passed through, and those that a server told of.
    package private(set) var schemaVersion: Int
    /// Clients that work in it.
    private var clients = 0

    private var saidNeededAt: Instant?
    private static let needInterval = Instant.Span.seconds(5)

    /// - Parameter generation: tells a database that was forgotten from its successor, so that what
    ///   servers have parsed for the first one is not taken for the second one's.
    package init(name: String, generation: Int = 0) {
        self.name = name
        schemaVersion = generation << 32
    }

    /// Clients work in it, or a catalogue of it is kept.
    var isInUse: Bool { clients > 0 || catalogue != nil }

    /// A client logged in to it.
    func entered() { clients += 1 }

    /// A client that had logged in to it has left.
    func left() { clients -= 1 }

    /// Returns true when the runtime must be told that this database is in use (at most every 5 s).
    package func shouldRequestCatalogue(now: Instant) -> Bool {
        if let saidNeededAt, now - saidNeededAt < Self.needInterval { return false }
        saidNeededAt = now
        return true
    }

    /// Another catalogue, or none any more: what a replica refused may be a read now.
    func catalogueChanged(_ catalogue: Catalogue?, version: Int) {
        self.catalogue = catalogue
        catalogueVersion = version
        refusedShapes.removeAll()
    }

    /// The overrides beside the catalogue changed.
    func overridesChanged(version: Int) { catalogueVersion = version }

    /// Notes that a replica refused a statement of this shape.
    func replicaRefused(_ shape: UInt64, now: Instant) { refusedShapes.insert(shape, now: now) }

    /// Whether a replica refused a statement of this shape, under the schema of today.
    func isRefused(_ shape: UInt64, now: Instant) -> Bool {
        refusedShapes.contains(shape, now: now)
    }

    /// A transaction changes the schema: what is parsed from now on may mean something else.
    func schemaChangeBegan() { schemaVersion += 1 }

    /// The schema changed for all sessions: what a replica refused may be a read now.
    func schemaChanged() {
        schemaVersion += 1
        refusedShapes.removeAll()
    }
}
