// SPDX-License-Identifier: Apache-2.0

import StatementClassifier
import Testing

@testable import ProxyCore

struct StateInspectionTests {
    private static let every: Set<Pin> = [
        .temporary, .holdCursor, .advisoryLock, .listen, .sessionAuthorization,
    ]

    /// What a query asks for beside the settings.
    private struct Asked: Equatable {
        var pins: Set<Pin>
        /// Statements prepared by SQL, with their texts.
        var statements = false
        /// Names of statements of the protocol.
        var prepared = false

        init(_ pins: Set<Pin>, statements: Bool = false, prepared: Bool = false) {
            self.pins = pins
            self.statements = statements
            self.prepared = prepared
        }

        init(effects: SessionEffects, pins: Set<Pin>) {
            let query = StateInspection.query(effects: effects, pins: pins, custom: [])
            let parts = query.replacing(" UNION ALL ", with: "\n").split(separator: "\n")
            self.pins = Set(
                Pin.allCases.filter { pin in
                    parts.contains { $0.hasPrefix("SELECT 'p',E'\(pin.rawValue)','' WHERE ") }
                })
            // Each with a row that says that it was asked, if there are none.
            statements = parts.contains("SELECT 'q','',''")
                && parts.contains { $0.hasSuffix("pg_prepared_statements WHERE from_sql") }
            prepared = parts.contains("SELECT 'n','',''")
                && parts.contains { $0.hasSuffix("pg_prepared_statements WHERE NOT from_sql") }
        }
    }

    private static let cases: [(SessionEffects, Set<Pin>, Asked)] = [
        ([], [], Asked([])), (.settings, [], Asked([])), (.localSettings, [], Asked([])),
        (.cursor, [], Asked([])), (.sqlExecute, [], Asked([])),
        (.role, [], Asked([.sessionAuthorization])), (.temporary, [], Asked([.temporary])),
        (.holdCursor, [], Asked([.holdCursor])), (.advisoryLock, [], Asked([.advisoryLock])),
        (.listen, [], Asked([.listen])),
        ([.listen, .temporary], [], Asked([.listen, .temporary])),
        (.sqlPrepare, [], Asked([], statements: true, prepared: true)),
        (.discard, [], Asked(every, statements: true, prepared: true)),
        (.opaque, [], Asked(every, statements: true, prepared: true)),
        // What held before may be gone now, whatever the unit did.
        (.settings, [.listen], Asked([.listen])),
        (.temporary, [.advisoryLock], Asked([.temporary, .advisoryLock])),
        ([], [.preparedStatement], Asked([], statements: true)),
        (.sqlPrepare, [.preparedStatement], Asked([], statements: true, prepared: true)),
    ]

    @Test(arguments: cases)
    private func `what a unit may have left, and what held before, is asked for and no more`(
        effects: SessionEffects, pins: Set<Pin>, expected: Asked
    ) {
        #expect(Asked(effects: effects, pins: pins) == expected)
    }

    @Test func `settings and the role are always asked for, values in ASCII`() {
        let query = StateInspection.query(effects: [], pins: [], custom: [])
        #expect(
            query == """
                SELECT 's',name,pg_catalog.encode(pg_catalog.convert_to(\
                pg_catalog.current_setting(name),'UTF8'),'escape') FROM pg_catalog.pg_settings \
                WHERE source='session' AND name !~ '^transaction_' UNION ALL \
                SELECT 's','role',pg_catalog.current_setting('role') \
                WHERE pg_catalog.current_setting('role')<>'none'
                """)
    }

    @Test func `settings that no catalogue lists are asked for by name, in order, and quoted`() {
        let query = StateInspection.query(effects: [], pins: [], custom: ["b.x", "a.it's"])
        let parts = query.replacing(" UNION ALL ", with: "\n").split(separator: "\n").dropFirst(2)
        #expect(
            Array(parts) == ["E'a.it''s'", "E'b.x'"].map { name in
                "SELECT 's',\(name),pg_catalog.encode(pg_catalog.convert_to("
                    + "pg_catalog.current_setting(\(name),true),'UTF8'),'escape') "
                    + "WHERE pg_catalog.current_setting(\(name),true) IS NOT NULL"
            })
    }

    // MARK: The answer

    @Test func `no rows are no findings, and nothing that was not asked`() {
        #expect(StateInspection.findings(rows: []) == StateInspection.Findings())
    }

    @Test func `rows are settings, pins and statements`() throws {
        let findings = try #require(
            StateInspection.findings(rows: [
                ["s", "TimeZone", "UTC"], ["s", "role", "app"], ["p", "listen", ""],
                ["p", "temporary objects", ""], ["n", "", ""], ["n", "s1", ""], ["n", "s2", ""],
                ["q", "", ""], ["q", "x", "PREPARE x AS SELECT 1"],
            ]))
        #expect(findings.settings == ["timezone": "UTC", "role": "app"])
        #expect(findings.pins == [.listen, .temporary])
        // The empty name says that they were asked for, and is the unnamed statement's, too.
        #expect(findings.prepared == ["", "s1", "s2"])
        #expect(findings.statements == ["x": "PREPARE x AS SELECT 1"])
    }

    @Test func `statements that were asked for and are none differ from those not asked for`() {
        let asked = StateInspection.findings(rows: [["q", "", ""], ["n", "", ""]])
        #expect(asked?.statements == [:] && asked?.prepared == [""])
        let unasked = StateInspection.findings(rows: [["s", "a", "1"]])
        #expect(unasked?.statements == nil && unasked?.prepared == nil)
    }

    @Test(arguments: [
        [[]], [["s", "name"]], [["s", "a", "b", "c"]], [["x", "a", "b"]], [[nil, "a", "b"]],
        [["s", nil, "b"]], [["s", "a", nil]], [["p", "no such pin", ""]], [["S", "a", "b"]],
        [["s", "a", #"\1"#]], [["q", #"\"#, "b"]], [["q", "a", #"\400"#]],
        // Well-formed rows do not make up for one that is not.
        [["s", "a", "1"], ["p", "listen", ""], ["?", "", ""]],
    ] as [[[String?]]])
    func `rows of another form are no answer at all`(rows: [[String?]]) {
        #expect(StateInspection.findings(rows: rows) == nil)
    }

    @Test(arguments: [
        ("plain", "plain"), ("", ""), (#"\\"#, #"\"#), (#"a\\b\\"#, #"a\b\"#), (#"\303\251"#, "é"),
        (#"\360\237\230\200!"#, "😀!"), (#"\\303"#, #"\303"#), (#"\000"#, "\0"), ("it's", "it's"),
        // No escape, no octal digits, too few of them, more than a byte, no UTF-8.
        (#"\x41"#, nil), (#"\8"#, nil), (#"\30"#, nil), (#"\"#, nil), (#"\400"#, nil),
        (#"\303"#, nil), (#"\377\376"#, nil), (#"\-12"#, nil),
    ])
    func `values are in the escape format of PostgreSQL`(value: String, text: String?) {
        let findings = StateInspection.findings(rows: [["s", "a", value]])
        #expect(findings?.settings["a"] == text)
        #expect((findings == nil) == (text == nil))
    }
}
