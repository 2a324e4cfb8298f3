// SPDX-License-Identifier: Apache-2.0

/// The names of one database's catalogue that matter for routing.
///
/// An immutable snapshot: the control plane reads it from the primary (`CatalogueQueries`) and
/// replaces it whole. All names are bare (`name`) or qualified (`schema.name`), unquoted, in any
/// case; ASCII letters are folded here. A qualified name stands for its bare form as well where
/// that is the careful reading: a volatile `audit.log` makes every bare `log(…)` volatile, because
/// the `search_path` is not known here.
///
/// A function that neither the snapshot nor PostgreSQL itself knows counts as a write.
package final class Catalogue: Sendable {
    let names: WordTable<NameFacts>
    let operators: WordTable<Bool>

    /// - Parameters:
    ///   - volatileFunctions: functions with a volatile overload, but for the known harmless ones.
    ///   - safeFunctions: functions all of whose overloads are stable or immutable.
    ///   - statefulFunctions: functions that leave state in the session (`set_config`, advisory
    ///     locks, temporary tables); they are volatile as well.
    ///   - unloggedRelations: unlogged tables, and partitioned tables with an unlogged part.
    ///   - unsafeViews: views, tables and types that hide what a standby refuses or answers
    ///     differently: views and policies over volatile functions or unlogged tables, foreign
    ///     tables, sequences, types with volatile casts or checks.
    ///   - unsafeOperators: operators that stand for volatile functions.
    ///   - readFunctions: functions that the operator declares to be reads, whatever they are.
    ///   - writeFunctions: functions that the operator sends to the primary; they win over all.
    ///   - primaryRelations: relations that the operator sends to the primary.
    ///   - readRelations: relations that the operator declares safe, in spite of `unsafeViews`.
    package init(
        volatileFunctions: [String] = [], safeFunctions: [String] = [],
        statefulFunctions: [String] = [], unloggedRelations: [String] = [],
        unsafeViews: [String] = [], unsafeOperators: [String] = [],
        readFunctions: [String] = [], writeFunctions: [String] = [],
        primaryRelations: [String] = [], readRelations: [String] = []
    ) {
        let total = volatileFunctions.count + safeFunctions.count + unloggedRelations.count
            + unsafeViews.count
        var table = WordTable(absent: NameFacts(), capacity: max(total * 2, 16))
        func add(_ list: [String], _ facts: NameFacts, bareToo: Bool = true) {
            for name in list {
                for key in Self.keys(of: name, bareToo: bareToo) {
                    table.update(key) { $0.formUnion(facts) }
                }
            }
        }
        add(volatileFunctions, .volatileFunction)
        add(safeFunctions, .safeFunction)
        add(statefulFunctions, [.statefulFunction, .volatileFunction])
        add(unloggedRelations, .unloggedRelation)
        add(unsafeViews, .unsafeRelation)
        add(readFunctions, .readFunction, bareToo: false)
        add(writeFunctions, .writeFunction)
        add(primaryRelations, .primaryRelation)
        add(readRelations, .readRelation, bareToo: false)
        names = table
        var operators = WordTable(absent: false, capacity: max(unsafeOperators.count, 8))
        for name in unsafeOperators { operators.update(WordKey(name.utf8)) { $0 = true } }
        self.operators = operators
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

/// The facts about one name.
struct NameFacts: OptionSet, Sendable {
    let rawValue: UInt16

    static let volatileFunction = NameFacts(rawValue: 1 << 0)
    static let safeFunction = NameFacts(rawValue: 1 << 1)
    static let statefulFunction = NameFacts(rawValue: 1 << 2)
    static let unloggedRelation = NameFacts(rawValue: 1 << 3)
    static let unsafeRelation = NameFacts(rawValue: 1 << 4)
    static let readFunction = NameFacts(rawValue: 1 << 5)
    static let writeFunction = NameFacts(rawValue: 1 << 6)
    static let primaryRelation = NameFacts(rawValue: 1 << 7)
    static let readRelation = NameFacts(rawValue: 1 << 8)

    static let anyRelation: NameFacts = [.unloggedRelation, .unsafeRelation, .primaryRelation]
}

extension Catalogue {
    /// Builds a snapshot from the rows of `CatalogueQueries`; kinds it does not know are left out.
    ///
    /// The overrides are those of the configuration, as in the other initializer.
    package convenience init(
        rows: [(kind: String, name: String)], readFunctions: [String] = [],
        writeFunctions: [String] = [], primaryRelations: [String] = [],
        readRelations: [String] = []
    ) {
        func names(_ kind: String) -> [String] { rows.filter { $0.kind == kind }.map(\.name) }
        self.init(
            volatileFunctions: names("volatile"), safeFunctions: names("safe"),
            statefulFunctions: names("stateful"), unloggedRelations: names("unlogged"),
            unsafeViews: names("unsafe"), unsafeOperators: names("operator"),
            readFunctions: readFunctions, writeFunctions: writeFunctions,
            primaryRelations: primaryRelations, readRelations: readRelations)
    }
}
