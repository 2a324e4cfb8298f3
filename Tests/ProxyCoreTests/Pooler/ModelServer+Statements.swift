// SPDX-License-Identifier: Apache-2.0

/// What a model server makes of a statement: just enough for its answers to be told apart.
extension ModelServer {
    enum Outcome {
        case done(columns: [String]?, rows: [[String]], tag: String)
        case copyIn
        case copyOut([String])
        case failed(String, String)
        /// It runs until the test releases it.
        case busy
    }

    private static func command(_ text: String) -> String {
        String(withoutComment(text).prefix { $0.isLetter }).uppercased()
    }

    private static func withoutComment(_ text: String) -> Substring {
        guard text.hasPrefix("/*"), let end = text.firstRange(of: "*/") else { return text[...] }
        return text[end.upperBound...].drop { $0 == " " }
    }

    static func isSyntaxError(_ text: String) -> Bool { command(text) == "SELEC" }

    static func endsTransaction(_ text: String) -> Bool {
        ["COMMIT", "END", "ROLLBACK", "ABORT"].contains(command(text))
    }

    /// Of a statement that returns rows.
    func columns(of text: String) -> [String]? {
        switch Self.command(text) {
        case "SELECT", "VALUES": node.columns
        case "SHOW": [String(text.dropFirst(5))]
        default: nil
        }
    }

    func outcome(of text: String) -> Outcome {
        if Self.isSyntaxError(text) {
            return .failed("42601", "syntax error at or near \"SELEC\"")
        }
        if status == "E" && !Self.endsTransaction(text) {
            return .failed("25P02", "current transaction is aborted")
        }
        switch Self.command(text) {
        case "BEGIN", "START": return begin(text)
        case "COMMIT", "END": return end(commits: status == "T")
        case "ROLLBACK", "ABORT": return end(commits: false)
        case "SELECT": return select(text)
        case "SHOW":
            let name = String(text.dropFirst(5))
            return .done(columns: [name], rows: [[settings[name] ?? ""]], tag: "SHOW")
        case "SET": return set(text)
        case "RESET": return reset(String(text.dropFirst(6)))
        case "DEALLOCATE" where !text.hasSuffix("ALL"): return deallocate(text)
        case "DISCARD", "DEALLOCATE": return discard(text)
        case "PREPARE": return prepare(text)
        case "EXECUTE": return execute(text)
        case "COPY" where text.hasSuffix("FROM STDIN"):
            return isReadOnly ? refuse("COPY FROM") : .copyIn
        case "COPY": return .copyOut(["1", "2"])
        default: return write(text)
        }
    }

    private var isReadOnly: Bool { node.isStandby || settings["transaction_read_only"] == "on" }

    private func refuse(_ command: String) -> Outcome {
        .failed("25006", "cannot execute \(command) in a read-only transaction")
    }

    // MARK: Transactions

    private func begin(_ text: String) -> Outcome {
        if node.refusesBegin { return .failed("22023", "no transactions today") }
        status = "T"
        settingsBefore = settings
        if text.contains("READ ONLY") { settings["transaction_read_only"] = "on" }
        return .done(columns: nil, rows: [], tag: "BEGIN")
    }

    private func end(commits: Bool) -> Outcome {
        status = "I"
        settings["transaction_read_only"] = nil
        settingsBefore?["transaction_read_only"] = nil
        if commits { commit() } else { rollBack() }
        return .done(columns: nil, rows: [], tag: commits ? "COMMIT" : "ROLLBACK")
    }

    private func write(_ text: String) -> Outcome {
        if isReadOnly { return refuse(Self.command(text)) }
        written.append(text)
        if text.hasPrefix("CREATE TEMP") { hasTemporaryTable = true }
        let tag = Self.command(text) == "INSERT" ? "INSERT 0 1" : Self.command(text)
        return .done(columns: nil, rows: [], tag: tag)
    }

    // MARK: Queries

    /// `SELECT x` gives x; `replayed` how much of the log is seen here; `series(n)` many rows;
    /// `sleep` takes its time; `1/0` fails; what names `sneaky` writes without showing it; a standby
    /// has no `new_table` yet.
    private func select(_ text: String) -> Outcome {
        if text.contains("'s',name") { return inspection(text) }
        if text.contains("set_config(") { return configure(text) }
        if text.contains("sneaky") {
            if isReadOnly { return refuse("INSERT") }
            written.append(text)
        }
        if text.contains("sleep") { return .busy }
        if text.contains("1/0") { return .failed("22012", "division by zero") }
        if text.contains("new_table") && node.isStandby {
            return .failed("42P01", "relation \"new_table\" does not exist")
        }
        if text.contains("conflict") && node.isStandby {
            return .failed("40001", "canceling statement due to conflict with recovery")
        }
        var rows = [[String(Self.withoutComment(text).dropFirst(7))]]
        if rows[0][0] == "replayed" { rows = [["\(node.position)"]] }
        if let series = text.firstRange(of: "generate_series(1, ") {
            let count = min(Int(text[series.upperBound...].prefix { $0.isNumber }) ?? 0, 10_000)
            rows = Array(repeating: [String(repeating: "x", count: 1000)], count: count)
        }
        rows = rows.map { $0 + node.columns.dropFirst() }
        return .done(columns: node.columns, rows: rows, tag: "SELECT \(rows.count)")
    }

    // MARK: PREPARE in SQL

    private func prepare(_ text: String) -> Outcome {
        let name = String(text.split(separator: " ")[1])
        if sqlPrepared[name] != nil {
            return .failed("42P05", "prepared statement \"\(name)\" already exists")
        }
        let inner = Self.inner(text)
        if inner.contains("new_table") && node.isStandby || inner.contains(node.goneTable) {
            return .failed("42P01", "relation does not exist")
        }
        sqlPrepared[name] = text
        return .done(columns: nil, rows: [], tag: "PREPARE")
    }

    private static func inner(_ text: String) -> String {
        text.firstRange(of: " AS ").map { String(text[$0.upperBound...]) } ?? text
    }

    private func execute(_ text: String) -> Outcome {
        let name = String(Self.withoutComment(text).dropFirst(8).prefix { $0 != "(" })
        guard let prepared = sqlPrepared[name] else {
            return .failed("26000", "prepared statement \"\(name)\" does not exist")
        }
        return outcome(of: Self.inner(prepared))
    }

    private func deallocate(_ text: String) -> Outcome {
        let name = String(text.dropFirst(11)).replacing("\"", with: "")
        guard sqlPrepared.removeValue(forKey: name) != nil
            || prepared.removeValue(forKey: name) != nil
        else { return .failed("26000", "prepared statement \"\(name)\" does not exist") }
        return .done(columns: nil, rows: [], tag: "DEALLOCATE")
    }

    private func inspection(_ text: String) -> Outcome {
        var rows = settings.sorted { $0.key < $1.key }.map { ["s", $0.key, $0.value] }
        if text.contains("NOT from_sql") {
            rows.append(["n", "", ""])
            rows += prepared.keys.filter { !$0.isEmpty }.sorted().map { ["n", $0, ""] }
        }
        if text.contains("'q'") {
            rows.append(["q", "", ""])
            rows += sqlPrepared.sorted { $0.key < $1.key }.map { ["q", $0.key, $0.value] }
        }
        if hasTemporaryTable && text.contains("pg_my_temp_schema") {
            rows.append(["p", "temporary objects", ""])
        }
        return .done(columns: ["a", "b", "c"], rows: rows, tag: "SELECT \(rows.count)")
    }

    // MARK: Settings

    /// `set_config(E'name',E'value',false)`
    private func configure(_ text: String) -> Outcome {
        let words = text.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
        guard words.count > 3 else { return .failed("42601", "syntax error") }
        assign(words[1], words[3])
        return .done(columns: ["set_config"], rows: [[words[3]]], tag: "SELECT 1")
    }

    /// `SET name = 'value'` and `SET name TO value`.
    private func set(_ text: String) -> Outcome {
        let words = text.split(whereSeparator: { " ='".contains($0) }).map(String.init)
        guard words.count > 2, let value = words.last, value != "invalid" else {
            return .failed("22023", "invalid value for parameter \"\(words.last ?? "")\"")
        }
        if value == "DEFAULT" {
            unset(words[1])
            return .done(columns: nil, rows: [], tag: "SET")
        }
        assign(words[1], value)
        return .done(columns: nil, rows: [], tag: "SET")
    }

    private func assign(_ name: String, _ value: String) {
        settingsBefore = settingsBefore ?? settings
        settings[name] = value
        if name == "application_name" { say(.parameter(name, value)) }
    }

    /// Sets all settings to what they were.
    func restore(_ before: [String: String]) {
        let name = "application_name"
        if settings[name] != before[name] { say(.parameter(name, before[name] ?? "")) }
        settings = before
    }

    private func reset(_ quoted: String) -> Outcome {
        unset(quoted.filter { $0 != "\"" })
        return .done(columns: nil, rows: [], tag: "RESET")
    }

    /// A name with a dot is empty afterwards, and not gone.
    private func unset(_ name: String) {
        settingsBefore = settingsBefore ?? settings
        settings[name] = name.contains(".") && settings[name] != nil ? "" : nil
        if name == "application_name" { say(.parameter(name, "")) }
    }

    private func discard(_ text: String) -> Outcome {
        if text == "DISCARD ALL" { restore([:]) }
        prepared.removeAll()
        sqlPrepared.removeAll()
        return .done(columns: nil, rows: [], tag: text)
    }
}
