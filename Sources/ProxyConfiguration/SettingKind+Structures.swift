// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

extension SettingKind {
    /// `null` or a value of another kind.
    static func optional<Wrapped>(_ kind: SettingKind<Wrapped>) -> Self
    where Value == Wrapped? {
        Self(
            name: kind.name,
            read: { raw, path, problems in
                raw.isNull ? .some(nil) : kind.read(raw, path, &problems).map { .some($0) }
            },
            write: { $0.map(kind.write) ?? "null" })
    }

    /// A list, or one value that stands for a list of one.
    static func list<Element>(of kind: SettingKind<Element>) -> Self where Value == [Element] {
        Self(
            name: "list of \(kind.name)", isList: true, fields: kind.fields,
            read: { raw, path, problems in
                guard case .list(let items, _) = raw else {
                    if raw.isNull {
                        problems.report(
                            raw.origin, path, "expected a list, found nothing",
                            suggestion: "write [] for none")
                        return nil
                    }
                    return kind.read(raw, path, &problems).map { [$0] }
                }
                let values = items.enumerated().map { index, item in
                    kind.read(item, "\(path)[\(index)]", &problems)
                }
                let present = values.compactMap(\.self)
                return present.count == items.count ? present : nil
            },
            write: { "[\($0.map(kind.write).joined(separator: ", "))]" })
    }

    /// A group of fields; what is not written keeps the value that `make` gives.
    static func record(
        _ name: String, _ fields: [Setting<Value>], make: @escaping @Sendable () -> Value
    ) -> Self {
        Self(
            name: name,
            fields: fields.map {
                FieldDescription(
                    name: $0.path, kind: $0.kind, meaning: $0.meaning, isRequired: $0.isRequired)
            },
            read: { raw, path, problems in
                guard case .map(let entries, let origin) = raw else {
                    problems.report(
                        raw.origin, path, "expected \(name), found \(raw.shape)",
                        suggestion: "write {\(fields[0].path): ...}")
                    return nil
                }
                let before = problems.found.count
                var value = make()
                for entry in entries {
                    fields.assign(entry, path: path, to: &value, problems: &problems)
                }
                for field in fields where field.isRequired {
                    if !entries.contains(where: { $0.key == field.path }) {
                        problems.report(origin, path, "has no \(field.path)")
                    }
                }
                return problems.found.count == before ? value : nil
            },
            write: { value in
                // A secret inside is masked: this text is only ever for people.
                let shown = fields.map { ($0.path, $0.shown(value)) }.filter { $0.1 != "null" }
                return "{\(shown.map { "\($0.0): \($0.1)" }.joined(separator: ", "))}"
            })
    }
}

extension Array {
    /// Reads one entry of a record into the field of its name.
    fileprivate func assign<Root>(
        _ entry: RawValue.Entry, path: String, to root: inout Root, problems: inout Problems
    ) where Element == Setting<Root> {
        if let field = first(where: { $0.path == entry.key }) {
            field.assign(
                entry.value, path: "\(path).\(entry.key)", to: &root, problems: &problems)
            return
        }
        let names = map(\.path)
        let meant = EditDistance.nearest(to: entry.key, among: names).map { "did you mean \($0)?" }
        problems.report(
            entry.keyOrigin, "\(path).\(entry.shownKey)", "unknown setting",
            suggestion: meant ?? "known here: \(names.joined(separator: ", "))")
    }
}

extension SettingKind where Value == Configuration.Listener {
    /// `host:port`, or a group that also fixes a route.
    static let listener: Self = {
        let address = SettingKind<HostAndPort>.address("address")
        let fields: [Setting<Configuration.Listener>] = [
            Setting("address", \.address, address, "Where clients connect.").required,
            Setting(
                "route", \.route, .optional(.choice),
                "Where everything goes that comes in here."),
        ]
        let group = record("address", fields) {
            Configuration.Listener(address: HostAndPort(host: "*", port: 0))
        }
        return Self(
            name: "address", fields: group.fields,
            read: { raw, path, problems in
                if case .map = raw { return group.read(raw, path, &problems) }
                return address.read(raw, path, &problems).map {
                    Configuration.Listener(address: $0)
                }
            },
            write: { $0.route == nil ? address.write($0.address) : group.write($0) })
    }()
}
