// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore
internal import StatementClassifier

/// The output of `martlet explain` for one text.
struct ExplainReport: Equatable, Sendable {
    let classification: Classification
    /// Whether functions, views and relations of the database were known.
    let isCatalogueKnown: Bool

    /// Effects that keep a session on one primary server until their cause ends.
    static let pinning = StateInspection.pinning

    init(_ text: String, catalogue: Catalogue?, overrides: RoutingOverrides = .none) {
        classification = StatementClassifier().classify(
            Array(text.utf8).span, catalogue: catalogue, overrides: overrides)
        isCatalogueKnown = catalogue != nil
    }

    /// Whether a replica may run it.
    var isForReplicas: Bool {
        classification.destination == .replica
            && classification.effects.isDisjoint(with: Self.pinning)
    }

    /// One fact per line, after its name.
    var text: String { facts.map { "\($0.name): \($0.value)" }.joined(separator: "\n") }

    /// The same facts, for programs.
    var fields: Fields {
        Fields(
            class: isForReplicas ? "read" : "write",
            target: isForReplicas ? "replica" : "primary",
            reason: classification.reason.rawValue, why: reason,
            statements: classification.statementCount, hint: classification.hint?.rawValue,
            effects: classification.effects.list,
            pins: classification.effects.intersection(Self.pinning).list,
            changesSchema: classification.changesSchema, catalogue: isCatalogueKnown)
    }

    /// The report as an object.
    struct Fields: Encodable, Equatable, Sendable {
        let `class`: String
        let target: String
        let reason: String
        let why: String
        let statements: Int
        let hint: String?
        let effects: [String]
        let pins: [String]
        let changesSchema: Bool
        let catalogue: Bool
    }

    private var facts: [(name: String, value: String)] {
        let effects = classification.effects
        var facts = [
            ("class", isForReplicas ? "read" : "write"),
            ("target", isForReplicas ? "a replica, or the primary if none may" : "the primary"),
            ("reason", reason),
        ]
        if let hint = classification.hint {
            facts.append(("hint", "the text itself asks for the \(hint.rawValue)"))
        }
        switch classification.statementCount {
        case 0: facts.append(("statements", "none; the server answers with an empty result"))
        case 1: break
        case let count: facts.append(("statements", "\(count), which run on one server"))
        }
        for (effect, name, meaning) in SessionEffects.names where effects.contains(effect) {
            let pins = Self.pinning.contains(effect)
            facts.append((pins ? "pin" : "session", "\(name), it \(meaning)"))
        }
        if effects.isDisjoint(with: Self.pinning) {
            facts.append(("pin", "none"))
        }
        if case .begin = classification.control {
            facts.append(
                ("note", "martlet answers it, and sends it together with the next statement"))
        }
        if classification.changesSchema {
            facts.append(("note", "it may change the schema, so the catalogue is read again"))
        }
        if isCatalogueToBlame {
            facts.append(
                ("note", "with --database, functions of your own would be looked up"))
        }
        return facts
    }

    /// A pin needs the primary even where the text by itself does not.
    private var reason: String {
        guard classification.destination == .replica, !isForReplicas else {
            return classification.reason.description
        }
        return "what it leaves in the session must be kept on one primary server"
    }

    /// The verdict might be another one if the catalogue were known.
    private var isCatalogueToBlame: Bool {
        !isCatalogueKnown && classification.reason == .unknownFunction
    }
}
