// SPDX-License-Identifier: Apache-2.0

/// Puts what was written into `Settings`: file first, then environment, then flags.
struct SettingsReader {
    /// What was read so far, over the defaults.
    private(set) var settings = Settings()
    /// Where each setting that was written came from; absent means default.
    private(set) var origins: [String: Origin] = [:]
    /// Everything that could not be read.
    private(set) var problems = Problems()
    /// False when not even groups could be told apart; what is missing then says nothing.
    private(set) var isFileIntelligible = true

    /// Variables with martlet's prefix that are no settings: the file's name, and what the build
    /// and the tests of martlet read.
    static let otherVariables = ["MARTLET_CONFIG", "MARTLET_STRICT", "MARTLET_TEST_CLUSTER"]

    /// Reads all sources, the weakest first.
    mutating func read(_ sources: ConfigurationSources) {
        if let file = sources.file {
            readFile(file.text, name: file.name)
        }
        readEnvironment(sources.environment)
        for flag in sources.flags {
            readFlag(flag)
        }
    }

    // MARK: File

    private mutating func readFile(_ text: String, name: String) {
        guard let root = RawValue.file(text, name: name, problems: &problems) else {
            isFileIntelligible = false
            return
        }
        guard !root.isNull else { return }
        guard case .map(let entries, _) = root else {
            isFileIntelligible = false
            problems.report(root.origin, "", "expected groups of settings, found \(root.shape)")
            return
        }
        for entry in entries {
            readTopLevel(entry)
        }
    }

    private mutating func readTopLevel(_ entry: RawValue.Entry) {
        if let setting = Settings.setting(entry.key), !entry.key.contains(".") {
            assign(entry.value, to: setting)
            return
        }
        guard Settings.groups.contains(where: { $0.name == entry.key }) else {
            reportUnknown(entry.key, entry.keyOrigin, shown: entry.shownKey)
            return
        }
        switch entry.value {
        case .map(let entries, _):
            for inner in entries {
                let path = "\(entry.key).\(inner.key)"
                if let setting = Settings.setting(path) {
                    assign(inner.value, to: setting)
                } else {
                    reportUnknown(
                        path, inner.keyOrigin, shown: "\(entry.key).\(inner.shownKey)")
                }
            }
        case .scalar, .list:
            // A group without settings is one whose settings are all commented out.
            guard !entry.value.isNull else { return }
            problems.report(
                entry.value.origin, entry.key,
                "expected a group of settings, found \(entry.value.shape)")
        }
    }

    // MARK: Environment and flags

    private mutating func readEnvironment(_ environment: [String: String]) {
        for variable in environment.keys.sorted() where variable.hasPrefix("MARTLET_") {
            let text = environment[variable] ?? ""
            // Composed environments pass a variable on as empty where nothing was set.
            guard !Self.otherVariables.contains(variable), !text.isEmpty,
                !Self.isServiceLink(variable, text)
            else { continue }
            guard let setting = Settings.registry.first(where: { $0.variable == variable }) else {
                let known = Settings.registry.map(\.variable) + Self.otherVariables
                let meant = EditDistance.nearest(to: variable, among: known).map {
                    "did you mean \($0)?"
                }
                problems.report(
                    .environment(variable), "", "unknown variable",
                    suggestion: meant ?? "`martlet settings` lists the known ones")
                continue
            }
            assign(text, .environment(variable), to: setting)
        }
    }

    /// Kubernetes sets variables for every service of the namespace; for one that is named
    /// `martlet`, or begins so, they look like settings.
    static func isServiceLink(_ variable: String, _ text: String) -> Bool {
        if variable.hasSuffix("_SERVICE_HOST") || variable.hasSuffix("_SERVICE_PORT")
            || variable.contains("_SERVICE_PORT_")
        {
            return true
        }
        if variable.hasSuffix("_PORT"), text.contains("://") { return true }
        guard let port = variable.range(ofLast: "_PORT_") else { return false }
        let rest = variable[port...].split(separator: "_").dropFirst()
        guard let number = rest.first, UInt16(number) != nil else { return false }
        return rest.dropFirst().first.map { ["TCP", "UDP", "SCTP"].contains($0) } ?? false
    }

    private mutating func readFlag(_ flag: ConfigurationSources.Flag) {
        guard let setting = Settings.setting(flag.path) else {
            reportUnknown(flag.path, .flag(flag.name))
            return
        }
        assign(flag.text, .flag(flag.name), to: setting)
    }

    // MARK: Both

    private mutating func assign(
        _ text: String, _ origin: Origin, to setting: Setting<Settings>
    ) {
        let raw = RawValue.text(
            text, origin: origin, isList: setting.isList, problems: &problems, path: setting.path)
        if let raw { assign(raw, to: setting) }
    }

    private mutating func assign(_ raw: RawValue, to setting: Setting<Settings>) {
        origins[setting.path] = raw.origin
        if case .list(let items, _) = raw {
            for (index, item) in items.enumerated() {
                origins["\(setting.path)[\(index)]"] = item.origin
            }
        }
        setting.assign(raw, path: setting.path, to: &settings, problems: &problems)
    }

    /// Looks for what was meant among the neighbours first, then everywhere.
    private mutating func reportUnknown(
        _ path: String, _ origin: Origin, shown: String? = nil
    ) {
        let all = Settings.registry.map(\.path)
        let last = path.split(separator: ".").last.map(String.init) ?? path
        let group = path.split(separator: ".").first.map(String.init) ?? path
        let siblings = all.filter { $0.hasPrefix("\(group).") && path.contains(".") }
        let near =
            EditDistance.nearest(
                to: last, among: siblings.map { String($0.dropFirst(group.count + 1)) }
            )
            .map { "\(group).\($0)" }
        let meant =
            near ?? all.first { $0.hasSuffix(".\(last)") }
            ?? EditDistance.nearest(to: path, among: all + Settings.groups.map(\.name))
        let known =
            siblings.isEmpty
            ? "`martlet settings` lists the known ones"
            : "known here: \(siblings.joined(separator: ", "))"
        problems.report(
            origin, shown ?? path, "unknown setting",
            suggestion: meant.map { "did you mean \($0)?" } ?? known)
    }
}

extension String {
    /// Where the last occurrence of `part` begins.
    fileprivate func range(ofLast part: String) -> Index? {
        var found: Index?
        var from = startIndex
        while from < endIndex {
            if self[from...].hasPrefix(part) { found = from }
            from = index(after: from)
        }
        return found
    }
}
