// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

/// The settings of a session: what the client is told of them, and how they get to other servers.
struct SettingsTests {
    // Edge cases: 108
    @Test func `a reset is told with the value of the startup packet, before the prompt`() {
        let world = World()
        let client = world.client(settings: ["application_name", "started"])
        #expect(client.ask("SET application_name = 'changed'").kinds == "SCZ")
        let answer = client.ask("RESET application_name")
        #expect(answer.kinds == "SCSZ")
        let told = answer.last { $0.kind == "S" }?.strings()
        #expect(told?.prefix(2) == ["application_name", "started"])
    }

    @Test(arguments: [
        "RESET my.own", "SET my.own TO DEFAULT", "RESET my.own; SELECT 1",
        "SELECT 1; SET my.own TO DEFAULT",
    ])
    func `a name with a dot that is reset has the value of the startup packet again`(
        reset: String
    ) {
        let world = World()
        let client = world.client(settings: ["my.own", "started"])
        #expect(client.ask("SET my.own = 'changed'").kinds == "CZ")
        #expect(client.ask(reset).kinds.hasSuffix("CZ"))
        #expect(client.ask("SHOW my.own").rows == ["started"])
    }

    @Test func `a value is replayed in ASCII, whatever the client encoding is`() {
        let wanted = ParameterSet(["client_encoding": "LATIN1", "my.own": "\u{e9}"])
        #expect(
            SettingsReplay.text(from: .empty, to: wanted) == """
                SELECT pg_catalog.set_config(E'client_encoding',E'LATIN1',false) IS NULL;\
                SELECT pg_catalog.set_config(E'my.own',\
                pg_catalog.convert_from(pg_catalog.decode('c3a9','hex'),'UTF8'),false) IS NULL
                """)
    }

    // Edge cases: 69
    @Test func `a standby whose transactions would be serializable can be given other settings`() {
        let applied = ParameterSet(["default_transaction_isolation": "serializable"])
        #expect(
            SettingsReplay.text(from: applied, to: .empty) == """
                SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\
                RESET "default_transaction_isolation"
                """)
    }

    // Edge cases: 60
    @Test func `a session with serializable transactions reads on the primary`() {
        let world = World()
        let client = world.client(settings: ["default_transaction_isolation", "serializable"])
        #expect(client.ask("SELECT 1").rows == ["1"])
        #expect(world["a1"].heard.contains { $0.kind == "Q" && $0.strings().first == "SELECT 1" })
    }

    @Test func `a value is read back from ASCII`() {
        let rows = [["s", "My.Own", #"a\303\251\\b"#]]
        #expect(StateInspection.findings(rows: rows)?.settings == ["my.own": "a\u{e9}\\b"])
    }

    @Test(arguments: [#"\"#, #"\30"#, #"\999"#, #"\377"#])
    func `a value that is not of the format is not guessed at`(value: String) {
        #expect(StateInspection.findings(rows: [["s", "my.own", value]]) == nil)
    }
}
