// SPDX-License-Identifier: Apache-2.0

internal import StatementClassifier

/// The databases that clients of one shard work in.
///
/// Only clients that have logged in enter one. What is known of a database stays for a while after
/// its last client, because the next one often comes soon; when there are many, those without clients
/// and without a catalogue are forgotten. The runtime bounds the number of catalogues.
package struct Databases {
    /// Beyond this number, databases without clients are forgotten.
    package static let limit = 256

    /// Where a client is that works in no database: before its login, or for physical replication.
    package let none = DatabaseState(name: "")
    private var states: [String: DatabaseState] = [:]
    /// How often databases were forgotten.
    private var generation = 0

    package init() {}

    package var count: Int { states.count }

    /// A client has logged in to a database.
    package mutating func entered(_ name: String) -> DatabaseState {
        if name.isEmpty { return none }
        let state = state(of: name)
        state.entered()
        return state
    }

    /// A client that had entered a database has left it.
    package mutating func left(_ state: DatabaseState) {
        if state === none { return }
        state.left()
    }

    /// There is a new catalogue of a database, or there is none any more.
    mutating func catalogueChanged(_ catalogue: Catalogue?, of name: String, version: Int) {
        guard catalogue != nil || states[name] != nil else { return }
        state(of: name).catalogueChanged(catalogue, version: version)
    }

    /// The overrides beside the catalogues changed.
    func overridesChanged(version: Int) {
        states.values.forEach { $0.overridesChanged(version: version) }
    }

    private mutating func state(of name: String) -> DatabaseState {
        if let known = states[name] { return known }
        if states.count >= Self.limit {
            states = states.filter { $0.value.isInUse }
            generation += 1
        }
        let state = DatabaseState(name: name, generation: generation)
        states[name] = state
        return state
    }
}
