// SPDX-License-Identifier: Apache-2.0

/// The names of one database's catalogue that matter for routing.
///
/// An immutable snapshot: the control plane reads it from the primary (`CatalogueQueries`) and
/// replaces it whole. All names are bare (`name`) or qualified (`schema.name`), unquoted, in any
/// case; ASCII letters are folded here. A qualified name stands for its bare form as well where
/// that is the careful reading: a volatile `audit.log` makes every bare `log(…)` volatile, because
/// the `search_path` is not known here.
///
/// A function that neither the snapshot nor PostgreSQL itself knows counts as a write. What the
/// operator says about names is not part of it (`RoutingOverrides`).
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
    package init(
        volatileFunctions: [String] = [], safeFunctions: [String] = [],
        statefulFunctions: [String] = [], unloggedRelations: [String] = [],
        unsafeViews: [String] = [], unsafeOperators: [String] = []
    ) {
        let total = volatileFunctions.count + safeFunctions.count + unloggedRelations.count
            + unsafeViews.count
        var table = WordTable(absent: NameFacts(), capacity: max(total * 2, 16))
        table.add(volatileFunctions, .volatileFunction)
        table.add(safeFunctions, .safeFunction)
        table.add(statefulFunctions, [.statefulFunction, .volatileFunction])
        table.add(unloggedRelations, .unloggedRelation)
        table.add(unsafeViews, .unsafeRelation)
        names = table
        var operators = WordTable(absent: false, capacity: max(unsafeOperators.count, 8))
        for name in unsafeOperators { operators.update(WordKey(name.utf8)) { $0 = true } }
        self.operators = operators
    }
}

/// What a catalogue, or the operator (`RoutingOverrides`), says about one name.
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

    static let anyRelation: NameFacts = [.unloggedRelation, .unsafeRelation, .primaryRelation]
}

extension Catalogue {
    /// Builds a snapshot from the rows of `CatalogueQueries`; kinds it does not know are left out.
    package convenience init(rows: [(kind: String, name: String)]) {
        func names(_ kind: String) -> [String] { rows.filter { $0.kind == kind }.map(\.name) }
        self.init(
            volatileFunctions: names("volatile"), safeFunctions: names("safe"),
            statefulFunctions: names("stateful"), unloggedRelations: names("unlogged"),
            unsafeViews: names("unsafe"), unsafeOperators: names("operator"))
    }
}

extension Catalogue {
    /// Builds a snapshot from a server's answer to `CatalogueQueries`.
    package convenience init(answer rows: [[String?]]) {
        self.init(
            rows: rows.compactMap { row in
                guard row.count == 2, let kind = row[0], let name = row[1] else { return nil }
                return (kind, name)
            })
    }
}

extension Catalogue: Equatable {
    /// Whether both say the same of every name, whatever the order in which they were told.
    package static func == (left: Catalogue, right: Catalogue) -> Bool {
        left === right
            || left.names.hasSameEntries(as: right.names)
                && left.operators.hasSameEntries(as: right.operators)
    }
}
