// SPDX-License-Identifier: Apache-2.0

/// One key: its name, what may be written there, what it means, and where the value goes.
///
/// Lists of these are the only source of what can be configured: the file, the environment, the
/// sample file, the reference and error messages all derive from them. The default is not
/// written here; it is read from a fresh `Root`.
struct Setting<Root: Sendable>: Sendable {
    /// The full name for a setting (`pools.size`), the bare key for a field of a list's entry.
    let path: String
    /// What may be written, for people.
    let kind: String
    /// One sentence for the reference.
    let meaning: String
    /// Whether variables and flags are split at commas.
    let isList: Bool
    /// Whether its value may be shown.
    private(set) var isSecret = false
    /// Whether a reload leaves it as it was.
    private(set) var needsRestart = false
    /// Whether an entry of a list must have it.
    private(set) var isRequired = false
    /// What the sample file shows where there is no default.
    private(set) var example: String?
    /// Fields of the entries where this is a list of them.
    let fields: [FieldDescription]

    private let assigned: @Sendable (RawValue, String, inout Root, inout Problems) -> Void
    private let written: @Sendable (Root) -> String
    private let compared: @Sendable (Root, Root) -> Bool

    init<Value: Equatable & Sendable>(
        _ path: String, _ property: any WritableKeyPath<Root, Value> & Sendable,
        _ kind: SettingKind<Value>, _ meaning: String
    ) {
        self.path = path
        self.kind = kind.name
        self.meaning = meaning
        isList = kind.isList
        fields = kind.fields
        assigned = { raw, path, root, problems in
            guard let value = kind.read(raw, path, &problems) else { return }
            root[keyPath: property] = value
        }
        written = { kind.write($0[keyPath: property]) }
        compared = { $0[keyPath: property] == $1[keyPath: property] }
    }

    /// Reads what was written into `root`, or reports why it cannot.
    func assign(_ raw: RawValue, path: String, to root: inout Root, problems: inout Problems) {
        let hidden = problems.hidesValues
        problems.hidesValues = hidden || isSecret
        assigned(raw, path, &root, &problems)
        problems.hidesValues = hidden
    }

    /// The value as YAML.
    func text(_ root: Root) -> String { written(root) }

    /// The value for people: a secret is only said to be there.
    func shown(_ root: Root) -> String {
        let text = written(root)
        return isSecret && text != "null" && text != "[]" ? "********" : text
    }

    /// Whether both have the same value here.
    func isEqual(_ a: Root, _ b: Root) -> Bool { compared(a, b) }

    /// The variable that sets it.
    var variable: String {
        "MARTLET_" + path.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    // MARK: Adjectives

    /// Its value is never shown.
    var secret: Self { with { $0.isSecret = true } }
    /// A reload leaves it as it was.
    var restart: Self { with { $0.needsRestart = true } }
    /// An entry without it is an error.
    var required: Self { with { $0.isRequired = true } }
    /// Shown by the sample file in place of a default.
    func example(_ text: String) -> Self { with { $0.example = text } }

    private func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }
}

/// A field of a list's entry, for the reference.
struct FieldDescription: Sendable {
    /// The bare key.
    let name: String
    /// As `Setting.kind`, `meaning` and `isRequired`.
    let kind: String
    let meaning: String
    let isRequired: Bool
}
