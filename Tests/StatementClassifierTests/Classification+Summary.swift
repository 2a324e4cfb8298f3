// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

/// A small database: something of every kind that a catalogue can tell.
let catalogue = Catalogue(
    volatileFunctions: ["audit.log", "touch", "app.remember", "public.random"],
    safeFunctions: ["app.log", "app.add_tax", "full_name", "public.lower_all"],
    statefulFunctions: ["app.remember"], unloggedRelations: ["public.cache", "app.queue"],
    unsafeViews: ["numbered", "public.odd.name", "watched", "ticket"], unsafeOperators: ["~~!"])

func classify(
    _ sql: String, catalogue: Catalogue? = catalogue, overrides: RoutingOverrides = .none,
    conforming: Bool = true, encodingIsSafe: Bool = true
) -> Classification {
    let bytes = Array(sql.utf8)
    return StatementClassifier().classify(
        bytes.span, catalogue: catalogue, overrides: overrides,
        standardConformingStrings: conforming, encodingIsSafe: encodingIsSafe)
}

/// Compares the summary of a text.
func check(
    _ sql: String, _ expected: String, catalogue: Catalogue? = catalogue,
    overrides: RoutingOverrides = .none, at location: SourceLocation = #_sourceLocation
) {
    #expect(
        classify(sql, catalogue: catalogue, overrides: overrides).summary == expected, "\(sql)",
        sourceLocation: location)
}

extension Classification {
    /// `replica`, or the reason for the primary, then the effects.
    var summary: String {
        let route = destination == .replica ? "replica" : reason.rawValue
        return ([route] + effects.list.map { "+\($0)" }).joined(separator: " ")
    }
}

/// The part of a text that a range of a command covers.
func part(_ sql: String, _ range: Range<Int>?) -> String? {
    range.map { String(decoding: Array(sql.utf8)[$0], as: UTF8.self) }
}
