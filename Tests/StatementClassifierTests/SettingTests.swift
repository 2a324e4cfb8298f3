// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

struct SettingTests {
    /// `name = value`, decoded, or nil when the text is no `SET`.
    private func decoded(_ sql: String, conforming: Bool = true) -> String? {
        let bytes = Array(sql.utf8)
        switch classify(sql, conforming: conforming).command {
        case .set(let name, let value?, let local):
            let key = SettingText.name(bytes.span, name)
            let text = SettingText.value(
                bytes.span, value, name: key, standardConformingStrings: conforming)
            let shown = text.map { String(decoding: $0, as: UTF8.self) } ?? "?"
            return (local ? "local " : "") + String(decoding: key, as: UTF8.self) + " = " + shown
        case .setDefault(let name):
            return String(decoding: SettingText.name(bytes.span, name), as: UTF8.self) + " default"
        case .reset(let name), .show(let name):
            return String(decoding: SettingText.name(bytes.span, name), as: UTF8.self)
        default: return nil
        }
    }

    @Test(arguments: [
        ("SET work_mem = 1", true), ("SHOW work_mem", true), ("SET CONSTRAINTS ALL DEFERRED", true),
        ("LOCK TABLE t", true), ("NOTIFY n", true), ("LISTEN n", true), ("BEGIN", true),
        ("EXECUTE p(1)", true), ("PREPARE p AS SELECT 1", true), ("FETCH c", true),
        ("SELECT 1", false), ("INSERT INTO t VALUES (1)", false), ("CREATE TABLE t AS SELECT 1", false),
        ("SELECT set_config('a.b', 'c', true)", false), ("DECLARE c CURSOR FOR SELECT 1", false),
        ("COPY (SELECT 1) TO STDOUT", false), ("CALL p('1')", false),
    ])
    func `what has constants that are read at Parse is known`(sql: String, isLate: Bool) {
        #expect(classify(sql).isReadWhenExecuted == isLate)
    }

    @Test func `simple values are decoded`() {
        #expect(decoded("SET work_mem = '2MB'") == "work_mem = 2MB")
        #expect(decoded("set Work_Mem to 1024;") == "work_mem = 1024")
        #expect(decoded("SET x.Y TO -1.5e3") == "x.y = -1.5e3")
        #expect(decoded("SET a=+ 2") == "a = 2")
        #expect(decoded("SET enable_seqscan TO OFF") == "enable_seqscan = off")
        #expect(decoded("SET a TO true") == "a = true")
        #expect(decoded("SET LOCAL a = 'b'") == "local a = b")
        #expect(decoded("SET SESSION a = 'b'") == "a = b")
        #expect(decoded("SET \"Martlet\".\"Route\" = 'replica'") == "martlet.route = replica")
        #expect(decoded("SET martlet.route TO Primary") == "martlet.route = primary")
        #expect(decoded("SET a TO \"Mixed \"\"q\"") == "a = Mixed \"q")
        #expect(decoded("SET a = ''") == "a = ")
    }

    @Test func `strings of every spelling are decoded`() {
        #expect(decoded("SET a = 'it''s'") == "a = it's")
        #expect(decoded("SET a = E'tab\\t\\x41\\101\\u0042\\'\\\\'") == "a = tab\tAAB'\\")
        #expect(decoded("SET a = $$it's$$") == "a = it's")
        #expect(decoded("SET a = $q$$$$q$") == "a = $$")
        #expect(decoded("SET a = 'one'\n  'two'") == "a = onetwo")
        #expect(decoded("SET a = 'one' -- x 'y'\n 'two'") == "a = onetwo")
        #expect(decoded("SET a = 'back\\slash'") == "a = back\\slash")
        #expect(decoded("SET a = 'back\\\\slash\\''", conforming: false) == "a = back\\slash'")
        #expect(decoded("SET a = U&'d\\0061t'") == "a = ?")
        #expect(decoded("SET a = 'one' 'two'") == nil)
    }

    @Test func `lists are joined as the server joins them`() {
        #expect(
            decoded("SET search_path TO app, Public, \"$user\", 'Other'")
                == "search_path = app, public, \"$user\", \"Other\"")
        #expect(decoded("SET search_path = 'a, b'") == "search_path = \"a, b\"")
        #expect(decoded("SET search_path = ''") == "search_path = \"\"")
        #expect(decoded("SET DateStyle = ISO, DMY") == "datestyle = iso, dmy")
        #expect(decoded("SET datestyle = 'ISO, MDY'") == "datestyle = ISO, MDY")
        #expect(decoded("SET search_path TO \"select\"") == "search_path = \"select\"")
    }

    @Test func `the spellings of their own name their setting`() {
        #expect(decoded("SET TIME ZONE 'Europe/Berlin'") == "timezone = Europe/Berlin")
        #expect(decoded("SET LOCAL TIME ZONE -5") == "local timezone = -5")
        #expect(decoded("SET TIME /* x */ ZONE LOCAL") == "timezone default")
        #expect(decoded("SET TIME ZONE INTERVAL '1' HOUR") == "timezone = ?")
        #expect(decoded("SET NAMES 'UTF8'") == "client_encoding = UTF8")
        #expect(decoded("SET NAMES") == "client_encoding default")
        #expect(decoded("SET SCHEMA 'App'") == "search_path = \"App\"")
        #expect(decoded("SET ROLE Reader") == "role = reader")
        #expect(decoded("SET ROLE NONE") == "role = none")
        #expect(decoded("SET SESSION AUTHORIZATION 'x'") == "session_authorization = x")
        #expect(decoded("SET SESSION AUTHORIZATION DEFAULT") == "session_authorization default")
        #expect(decoded("SHOW TIME ZONE") == "timezone")
        #expect(decoded("SHOW TRANSACTION ISOLATION LEVEL") == "transaction_isolation")
        #expect(decoded("RESET SESSION AUTHORIZATION") == "session_authorization")
        #expect(decoded("RESET martlet.route") == "martlet.route")
        #expect(decoded("SHOW \"martlet\".position") == "martlet.position")
    }

    @Test func `settings run anywhere and say what they change`() {
        check("SET a.b = 1", "replica +settings")
        check("SET LOCAL a.b = 1", "replica +local-settings")
        check("SET a.b TO DEFAULT", "replica +settings")
        check("SET ROLE x", "replica +settings +role")
        check("SET role = x", "replica +settings +role")
        check("SET LOCAL ROLE x", "replica +local-settings")
        check("SET SESSION AUTHORIZATION x", "replica +settings +role")
        check("SET session_authorization = x", "replica +settings +role")
        check("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "replica +settings")
        check("RESET ALL", "replica +settings")
        check("RESET ROLE", "replica +settings +role")
        check("DISCARD ALL", "replica +settings +role +discard")
        check("DISCARD PLANS", "replica +discard")
        check("SET search_path TO public, pg_temp", "replica +settings")
        check("SET search_path TO pg_temp, public", "temporary-object +settings +temporary")
        check("SET search_path TO 'pg_temp'", "temporary-object +settings +temporary")
    }

    @Test func `settings that a standby has not go to the primary`() {
        check("SET transaction_read_only = off", "transaction-may-write +settings")
        check("SET default_transaction_isolation TO 'serializable'", "serializable +settings")
        check("SET default_transaction_isolation = SERIALIZABLE", "serializable +settings")
        check("SET default_transaction_isolation = 'repeatable read'", "replica +settings")
        check(
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "serializable +settings")
    }

    @Test func `show answers anywhere but for the questions of drivers`() {
        check("SHOW work_mem", "replica")
        check("SHOW transaction_isolation", "replica")
        for name in [
            "transaction_read_only", "Transaction_Read_Only", "\"in_hot_standby\"",
            "in_hot_standby",
            "default_transaction_read_only", "ALL",
        ] {
            check("SHOW \(name)", "asks-for-primary")
        }
        #expect(classify("SHOW ALL").command == .showAll)
    }

    @Test func `what is not understood is opaque and no command`() {
        for sql in [
            "SET", "SET a", "SET a =", "SET a TO", "SET a = b c", "SET a = 'b' 'c'", "SET a TO b,",
            "SET = 1",
            "SET a FROM CURRENT", "SET TIME", "SET a.", "SET select = 1", "RESET", "RESET a b",
            "SHOW",
            "SHOW a b", "DISCARD", "DISCARD a", "SET a = (1)", "SET 'a' = 1", "SET a == 1",
        ] {
            let result = classify(sql)
            #expect(result.command == .none, "\(sql)")
            #expect(result.destination == .primary, "\(sql)")
            #expect(result.effects.contains(.opaque), "\(sql)")
        }
    }

    @Test func `commands with fixed words are told apart`() {
        #expect(classify("RESET ALL").command == .resetAll)
        #expect(classify("DISCARD ALL").command == .discardAll)
        #expect(classify("DISCARD TEMPORARY").command == .discardTemporary)
        #expect(classify("DISCARD SEQUENCES").command == .discardSequences)
        var modes = TransactionModes()
        modes.readOnly = true
        #expect(
            classify("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").command
                == .setCharacteristics(modes))
    }

    @Test func `names keep their case in quotes`() {
        func name(_ text: String) -> String {
            let bytes = Array(text.utf8)
            return String(
                decoding: SettingText.identifier(bytes.span, 0..<bytes.count), as: UTF8.self)
        }
        #expect(name("Plan") == "plan")
        #expect(name("\"Plan \"\"b\"") == "Plan \"b")
        #expect(name("É") == "É")
    }

    @Test func `literals of set_config are decoded`() {
        func value(_ text: String) -> String? {
            let bytes = Array(text.utf8)
            return SettingText.string(bytes.span, 0..<bytes.count).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        #expect(value("'a''b'") == "a'b")
        #expect(value("E'\\101'") == "A")
        #expect(value("12") == nil)
        #expect(value("B'1'") == nil)
    }
}
