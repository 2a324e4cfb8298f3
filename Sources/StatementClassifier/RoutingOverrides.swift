// SPDX-License-Identifier: Apache-2.0

/// What the operator says about names: it holds in every database, with and without a catalogue.
///
/// An immutable value beside the `Catalogue`, so that it needs no reading of a database to take
/// effect. Names are bare (`name`) or qualified (`schema.name`), unquoted, in any case. What sends
/// a statement to the primary also holds for the bare form of a qualified name, because the
/// `search_path` is not known here; what keeps a statement away from it does not.
package final class RoutingOverrides: Sendable {
    /// Nothing is overridden.
    package static let none = RoutingOverrides()

    let names: WordTable<NameFacts>

    /// - Parameters:
    ///   - readFunctions: functions that count as reads, whatever the catalogue says of them.
    ///   - writeFunctions: functions that are called on the primary; they win over all else.
    ///   - primaryRelations: tables and views whose every use goes to the primary.
    package init(
        readFunctions: [String] = [], writeFunctions: [String] = [],
        primaryRelations: [String] = []
    ) {
        var table = WordTable<NameFacts>.empty(absent: NameFacts())
        table.add(readFunctions, .readFunction, bareToo: false)
        table.add(writeFunctions, .writeFunction)
        table.add(primaryRelations, .primaryRelation)
        names = table
    }
}

extension WordTable<NameFacts> {
    /// Adds facts to each of these names.
    mutating func add(_ list: [String], _ facts: NameFacts, bareToo: Bool = true) {
        for name in list {
            for key in Self.keys(of: name, bareToo: bareToo) {
                update(key) { $0.formUnion(facts) }
            }
        }
    }

    /// The keys that a name is found by: as it stands, and without its schema.
    ///
    /// The schema ends at the first dot: tables with a dot in their name are rare, and schemas
    /// with one rarer still.
    private static func keys(of name: String, bareToo: Bool) -> [WordKey] {
        let bytes = Array(name.utf8)
        guard let dot = bytes.firstIndex(of: UInt8(ascii: ".")) else { return [WordKey(bytes)] }
        let last = WordKey(bytes[(dot + 1)...])
        let qualified = WordKey(qualifier: WordKey(bytes[..<dot]), name: last)
        return bareToo ? [qualified, last] : [qualified]
    }
}
