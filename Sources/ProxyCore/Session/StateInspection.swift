// SPDX-License-Identifier: Apache-2.0

package import StatementClassifier

/// Asks a server what a unit left behind in its session, and reads the answer.
///
/// Statements say what they may change; only the server knows what they did (a SET inside a
/// function, a rolled-back savepoint, ON COMMIT DROP). So settings and pins are not computed but
/// read, once, when a unit that may have changed them is over. The client's ReadyForQuery waits
/// for the answer; when it has its prompt back, martlet knows its session.
package enum StateInspection {
    /// What was found.
    package struct Findings: Equatable, Sendable {
        package var settings: [String: String] = [:]
        package var pins: Set<Pin> = []
        /// The protocol-level statements that the server still has; nil where it was not asked.
        package var prepared: Set<String>?
        /// Names and texts of those prepared by SQL; nil where it was not asked.
        package var statements: [String: String]?
    }

    /// - Parameters:
    ///   - effects: what the unit may have done.
    ///   - pins: what held before.
    ///   - custom: names of settings that the catalogue does not list (`my.setting`).
    package static func query(
        effects: SessionEffects, pins: Set<Pin>, custom: Set<String>
    ) -> String {
        var parts = [
            """
            SELECT 's',name,\(value("pg_catalog.current_setting(name)")) \
            FROM pg_catalog.pg_settings \
            WHERE source='session' AND name !~ '^transaction_'
            """,
            """
            SELECT 's','role',pg_catalog.current_setting('role') \
            WHERE pg_catalog.current_setting('role')<>'none'
            """,
        ]
        for name in custom.sorted() {
            let literal = SQLText.escapeLiteral(name)
            parts.append(
                "SELECT 's',\(literal),\(value("pg_catalog.current_setting(\(literal),true)")) "
                    + "WHERE pg_catalog.current_setting(\(literal),true) IS NOT NULL")
        }
        for (pin, condition) in conditions where concerns(pin, effects, pins) {
            parts.append("SELECT 'p',\(SQLText.escapeLiteral(pin.rawValue)),'' WHERE \(condition)")
        }
        let mayPrepare = !effects.isDisjoint(with: [.sqlPrepare, .discard, .opaque])
        if mayPrepare || pins.contains(.preparedStatement) {
            parts.append("SELECT 'q','',''")
            parts.append(
                "SELECT 'q',\(value("name")),\(value("statement")) "
                    + "FROM pg_catalog.pg_prepared_statements WHERE from_sql")
        }
        if mayPrepare {
            parts.append("SELECT 'n','',''")
            parts.append(
                "SELECT 'n',name,'' FROM pg_catalog.pg_prepared_statements WHERE NOT from_sql")
        }
        return parts.joined(separator: " UNION ALL ")
    }

    /// A value in ASCII, so that it is the same in every client encoding; see `unescaped`.
    private static func value(_ expression: String) -> String {
        "pg_catalog.encode(pg_catalog.convert_to(\(expression),'UTF8'),'escape')"
    }

    /// The text that PostgreSQL's `escape` format stands for; nil where it is not of that format.
    private static func unescaped(_ text: String) -> String? {
        guard text.contains("\\") else { return text }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte != UInt8(ascii: "\\") {
                bytes.append(byte)
            } else if rest.first == byte {
                bytes.append(byte)
                rest.removeFirst()
            } else {
                let octal = String(decoding: rest.prefix(3), as: UTF8.self)
                guard octal.count == 3, let byte = UInt8(octal, radix: 8) else { return nil }
                bytes.append(byte)
                rest.removeFirst(3)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static let conditions: [(Pin, String)] = [
        (
            .temporary,
            """
            EXISTS(SELECT FROM pg_catalog.pg_class WHERE relnamespace=pg_catalog.pg_my_temp_schema()) \
            OR EXISTS(SELECT FROM pg_catalog.pg_proc WHERE pronamespace=pg_catalog.pg_my_temp_schema())
            """
        ),
        (.holdCursor, "EXISTS(SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"),
        (
            .advisoryLock,
            """
            EXISTS(SELECT FROM pg_catalog.pg_locks \
            WHERE locktype='advisory' AND pid=pg_catalog.pg_backend_pid())
            """
        ),
        (.listen, "EXISTS(SELECT FROM pg_catalog.pg_listening_channels())"),
        (
            .sessionAuthorization,
            """
            session_user<>(SELECT usename FROM pg_catalog.pg_stat_get_activity(\
            pg_catalog.pg_backend_pid()) a JOIN pg_catalog.pg_user u ON u.usesysid=a.usesysid)
            """
        ),
    ]

    private static func concerns(
        _ pin: Pin, _ effects: SessionEffects, _ pins: Set<Pin>
    ) -> Bool {
        if pins.contains(pin) || effects.contains(.opaque) || effects.contains(.discard) {
            return true
        }
        switch pin {
        case .temporary: return effects.contains(.temporary)
        case .holdCursor: return effects.contains(.holdCursor)
        case .advisoryLock: return effects.contains(.advisoryLock)
        case .listen: return effects.contains(.listen)
        case .sessionAuthorization: return effects.contains(.role)
        case .preparedStatement, .opaque, .replication: return false
        }
    }

    /// The rows of the answer; nil when they are not of its form.
    package static func findings(rows: [[String?]]) -> Findings? {
        var findings = Findings()
        for row in rows {
            guard row.count == 3, let name = row[1], let value = row[2] else { return nil }
            switch row[0] {
            case "s":
                guard let text = unescaped(value) else { return nil }
                findings.settings[name.lowercased()] = text
            case "n": findings.prepared = (findings.prepared ?? []).union([name])
            case "q":
                guard let name = unescaped(name), let text = unescaped(value) else { return nil }
                if findings.statements == nil { findings.statements = [:] }
                if !name.isEmpty { findings.statements?[name] = text }
            case "p":
                guard let pin = Pin(rawValue: name) else { return nil }
                findings.pins.insert(pin)
            default: return nil
            }
        }
        return findings
    }

    /// Effects that only the server can tell the outcome of.
    package static let unknowable: SessionEffects = [
        .settings, .role, .temporary, .holdCursor, .advisoryLock, .listen, .sqlPrepare, .discard,
        .opaque,
    ]

    /// Effects that need the primary and may pin the session there.
    package static let pinning: SessionEffects = [
        .temporary, .holdCursor, .advisoryLock, .listen, .sqlPrepare, .opaque, .discard,
    ]
}
