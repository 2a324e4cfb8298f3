// SPDX-License-Identifier: Apache-2.0

/// What can be configured, written out for people; made from the same keys that are read.
package enum ConfigurationReference {
    /// Every key's full name, in the order of the sample file.
    package static var keys: [String] { Settings.registry.map(\.path) }

    /// A file with every setting, its default and its meaning. Where there is no default there is
    /// an example, so that the file works as it is.
    package static var sampleFile: String {
        var lines = [
            "# SPDX-License-Identifier: Apache-2.0",
            "#",
            "# Every setting of martlet, with its default. Three suffice: patroni.urls, the",
            "# service account, and listen where clients come from other machines.",
            "# Each can also be set by environment, as MARTLET_POOLS_SIZE for pools.size.",
            "# Units: ms, s, min, h, d; B, kB, MB, GB, TB (of 1024).",
        ]
        var group = ""
        for setting in Settings.registry {
            let parts = setting.path.split(separator: ".").map(String.init)
            let name = parts.count > 1 ? parts[0] : ""
            if name != group || name.isEmpty { lines.append("") }
            if name != group, let about = Settings.groups.first(where: { $0.name == name }) {
                lines += ["# \(about.meaning)", "\(name):"]
            }
            group = name
            lines += sampleLines(setting, key: parts.last ?? "", indent: name.isEmpty ? "" : "  ")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// Tables of all keys in Markdown, one a group.
    package static var markdown: String {
        var sections: [String] = []
        for group in Settings.groups {
            let settings = Settings.registry.filter { $0.path.hasPrefix("\(group.name).") }
            sections.append("### \(group.name)\n\n\(group.meaning)\n\n\(table(settings))")
        }
        let single = Settings.registry.filter { !$0.path.contains(".") }
        sections.append("### Outside of groups\n\n\(table(single))")
        return sections.joined(separator: "\n\n") + "\n"
    }

    /// One paragraph a key, for a terminal.
    package static var plainText: String {
        Settings.registry.map { setting in
            var lines = [
                "\(setting.path)  (\(setting.kind))",
                "    \(setting.meaning)",
            ]
            lines += setting.fields.map { "      \($0.name): \($0.kind). \($0.meaning)" }
            lines.append("    default \(standard(setting)), variable \(setting.variable)")
            return lines.joined(separator: "\n")
        }.joined(separator: "\n\n") + "\n"
    }

    // MARK: Parts

    private static func sampleLines(
        _ setting: Setting<Settings>, key: String, indent: String
    ) -> [String] {
        var lines = ["\(indent)# \(setting.meaning)"]
        if !setting.fields.isEmpty {
            let fields = setting.fields.map { "\($0.name): \($0.kind)" }
            lines += wrapped("Entries: {\(fields.joined(separator: ", "))}").map {
                "\(indent)# \($0)"
            }
        } else if setting.kind.contains("|") {
            lines.append("\(indent)# \(setting.kind)")
        }
        lines.append("\(indent)\(key): \(setting.example ?? setting.text(Settings()))")
        return lines
    }

    /// Broken at spaces, so that no line of the sample exceeds 100 columns.
    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + word.count < 90 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    private static func standard(_ setting: Setting<Settings>) -> String {
        let text = setting.text(Settings())
        return text == "null" ? "none" : text
    }

    private static func table(_ settings: [Setting<Settings>]) -> String {
        var rows = [
            "| setting | type | default | meaning | variable |",
            "| --- | --- | --- | --- | --- |",
        ]
        func row(_ name: String, _ kind: String, _ standard: String, _ rest: [String]) {
            let cells = ["`\(name)`", kind.replacingBars, standard] + rest
            rows.append("| \(cells.joined(separator: " | ")) |")
        }
        for setting in settings {
            let mark = setting.needsRestart ? " *(restart)*" : ""
            row(
                setting.path, setting.kind, "`\(standard(setting))`",
                [setting.meaning + mark, "`\(setting.variable)`"])
            for field in setting.fields {
                row(
                    "\(setting.path)[].\(field.name)", field.kind,
                    field.isRequired ? "required" : "`none`", [field.meaning, ""])
            }
        }
        return rows.joined(separator: "\n")
    }
}

extension String {
    /// A bar would end the cell of a Markdown table.
    fileprivate var replacingBars: String {
        split(separator: "|").map(trimmed).joined(separator: ", ")
    }
}
