// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ProxyCore

private func replay(_ applied: [String: String], _ wanted: [String: String]) -> [String]? {
    SettingsReplay.text(from: ParameterSet(applied), to: ParameterSet(wanted))?
        .split(separator: ";").map(String.init)
}

/// As the replay gives a setting a value; the name and the value are SQL.
private func sets(_ name: String, _ value: String) -> String {
    "SELECT pg_catalog.set_config(\(name),\(value),false) IS NULL"
}

struct SettingsReplayTests {
    @Test func `equal settings need nothing, in one object or in two`() {
        let one = ParameterSet(["work_mem": "1MB", "role": "r"])
        #expect(SettingsReplay.text(from: one, to: one) == nil)
        #expect(replay(["a": "1", "role": "r"], ["a": "1", "role": "r"]) == nil)
        #expect(replay([:], [:]) == nil)
    }

    @Test func `what is wanted is set, what is not wanted is reset, what agrees is left alone`() {
        #expect(
            replay(
                ["gone": "1", "same": "x", "other": "1"], ["same": "x", "other": "2", "new": "3"])
                == [#"RESET "gone""#, sets("E'new'", "E'3'"), sets("E'other'", "E'2'")])
    }

    @Test func `everything is in the order of the names`() {
        #expect(
            replay(["b": "", "a": "", "c": ""], [:])
                == [#"RESET "a""#, #"RESET "b""#, #"RESET "c""#])
        #expect(
            replay([:], ["b": "1", "a": "1"]) == [sets("E'a'", "E'1'"), sets("E'b'", "E'1'")])
    }

    /// What is between is done with the rights of the login.
    @Test(arguments: [
        ([:], ["role": "r", "zone": "1"], [sets("E'zone'", "E'1'"), sets("E'role'", "E'r'")]),
        (["role": "r", "zone": "1"], [:], ["RESET ROLE", #"RESET "zone""#]),
        (
            ["role": "r", "zone": "1"], ["role": "s", "area": "2"],
            [
                "RESET ROLE", #"RESET "zone""#, sets("E'area'", "E'2'"), sets("E'role'", "E's'"),
            ]
        ),
        // A role that stays is neither given back nor taken again.
        (["role": "r"], ["role": "r", "area": "2"], [sets("E'area'", "E'2'")]),
    ])
    func `a role is given back first and taken last`(
        applied: [String: String], wanted: [String: String], expected: [String]
    ) {
        #expect(replay(applied, wanted) == expected)
    }

    /// The transaction of the replay begins as the server's settings say, and one that is
    /// serializable cannot run on a standby.
    @Test func `on a server with serializable transactions the replay is not one`() {
        let serializable = ["default_transaction_isolation": "serializable"]
        #expect(
            replay(serializable, [:]) == [
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
                #"RESET "default_transaction_isolation""#,
            ])
        #expect(
            replay([:], serializable)
                == [sets("E'default_transaction_isolation'", "E'serializable'")])
        #expect(replay(serializable, serializable) == nil)
    }

    @Test(arguments: [
        ("it's", "E'it''s'"), (#"a\b"#, #"E'a\\b'"#), (#"\'"#, #"E'\\'''"#), ("", "E''"),
        (#"";DROP TABLE x;--"#, #"E'";DROP TABLE x;--'"#),
    ])
    func `values are quoted for every setting of standard_conforming_strings`(
        value: String, literal: String
    ) {
        #expect(SQLText.escapeLiteral(value) == literal)
        // The prefix is left out where nothing needs it.
        let plain = value.contains("\\") ? literal : String(literal.dropFirst())
        #expect(SQLText.literal(value) == plain)
        let text = SettingsReplay.text(
            from: .empty, to: ParameterSet(["application_name": value]))
        #expect(text == sets("E'application_name'", literal))
    }

    @Test func `names are quoted, each part by itself`() {
        #expect(SQLText.qualifiedName("work_mem") == #""work_mem""#)
        #expect(SQLText.qualifiedName("my.setting") == #""my"."setting""#)
        #expect(SQLText.qualifiedName(#"a"b.c"#) == #""a""b"."c""#)
        #expect(SQLText.qualifiedName("") == #""""#)
        #expect(replay(["my.setting": "1"], [:]) == [#"RESET "my"."setting""#])
    }

    /// The client encoding may be among what changes, so that no byte may depend on it.
    @Test func `what is not ASCII is sent as hexadecimal digits of UTF-8`() throws {
        let value = "pg_catalog.convert_from(pg_catalog.decode('c3a920f09f9880','hex'),'UTF8')"
        #expect(replay([:], ["application_name": "é 😀"])
            == [sets("E'application_name'", value)])
        let text = try #require(
            SettingsReplay.text(from: .empty, to: ParameterSet(["é.é": "é", "role": "rôle"])))
        #expect(text.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test func `literals are read by what the session has set, and read back as they were`() {
        #expect(SettingsReplay.constants(answer: nil).isEmpty)
        #expect(SettingsReplay.constants(answer: "").isEmpty)
        #expect(
            SettingsReplay.constants(answer: "datestyle=ISO, DMY\ntimezone=a=b\nxmloption=")
                == [
                    .init(name: "datestyle", value: "ISO, DMY"),
                    .init(name: "timezone", value: "a=b"), .init(name: "xmloption", value: ""),
                ])
        for name in SettingsReplay.constants {
            #expect(SettingsReplay.literalSettingsQuery.contains("E'\(name)'"))
        }
    }

    @Test func `settings are switched for a transaction, and switched back to what they were`() {
        let (there, back) = SettingsReplay.switching(
            ["datestyle", "timezone"], to: [.init(name: "timezone", value: "UTC")])
        #expect(
            there == """
                SELECT pg_catalog.set_config(E'martlet.kept_datestyle',\
                pg_catalog.current_setting(E'datestyle'),true) IS NULL,\
                pg_catalog.set_config(E'datestyle',NULL,true) IS NULL,\
                pg_catalog.set_config(E'martlet.kept_timezone',\
                pg_catalog.current_setting(E'timezone'),true) IS NULL,\
                pg_catalog.set_config(E'timezone',E'UTC',true) IS NULL
                """)
        #expect(
            back == """
                SELECT pg_catalog.set_config(E'datestyle',\
                pg_catalog.current_setting(E'martlet.kept_datestyle'),true) IS NULL,\
                pg_catalog.set_config(E'timezone',\
                pg_catalog.current_setting(E'martlet.kept_timezone'),true) IS NULL
                """)
    }
}
