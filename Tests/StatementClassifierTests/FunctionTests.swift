// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

struct FunctionTests {
    @Test func `harmless volatile functions run on replicas`() {
        let quiet: Catalogue? = nil
        for call in [
            "random()", "clock_timestamp()", "gen_random_uuid()", "pg_sleep(1)", "timeofday()",
            "now()",
            "pg_relation_size('t')", "inet_server_addr()", "inet_server_port()", "pg_backend_pid()",
            "pg_database_size('d')", "current_setting('work_mem')", "version()", "uuidv7()",
        ] {
            check("SELECT \(call)", "replica", catalogue: quiet)
            check("SELECT pg_catalog.\(call)", "replica", catalogue: quiet)
        }
    }

    // Edge cases: 88
    @Test func `functions whose answer or effect is the primary's go there`() {
        check("SELECT pg_is_in_recovery()", "asks-for-primary")
        check("select not pg_catalog.pg_is_in_recovery() as w", "asks-for-primary")
        check("SELECT txid_current()", "transaction-identity")
        check("SELECT pg_current_xact_id()", "transaction-identity")
        check("SELECT pg_current_wal_lsn()", "server-control")
        check("SELECT pg_switch_wal()", "server-control")
        check("SELECT pg_terminate_backend(1)", "server-control")
        check("SELECT pg_export_snapshot()", "snapshot")
        check("SELECT currval('s')", "sequence +sequence-state")
        check("SELECT lastval()", "sequence +sequence-state")
        check("SELECT setval('s', 1)", "sequence")
        check("SELECT pg_advisory_lock(1)", "advisory-lock +advisory-lock")
        check("SELECT pg_try_advisory_lock(1)", "advisory-lock +advisory-lock")
        check("SELECT pg_advisory_unlock_all()", "advisory-lock +advisory-lock")
        check("SELECT pg_advisory_xact_lock(1)", "advisory-lock")
        check("SELECT lo_get(1)", "large-object")
        check("SELECT pg_notify('a', 'b')", "notification +notify")
        check("SELECT setseed(0.1)", "session-function +opaque")
        check("SELECT query_to_xml('x', true, true, '')", "dynamic-query")
        check("SELECT * FROM ts_stat('x')", "dynamic-query")
        check("SELECT pg_last_wal_replay_lsn()", "node-answer")
        check("SELECT pg_stat_reset()", "node-answer")
    }

    @Test func `relations that describe one server are the primary's`() {
        for name in [
            "pg_stat_activity", "pg_statio_user_tables", "pg_locks", "pg_stat_replication",
            "pg_catalog.pg_stat_database", "\"pg_stat_activity\"", "pg_prepared_xacts",
            "pg_sequences",
        ] {
            check("SELECT * FROM \(name)", "node-answer")
        }
        for name in [
            "pg_statistic", "pg_stats", "pg_class", "pg_settings", "pg_stat", "\"pg_statistic\"",
        ] {
            check("SELECT * FROM \(name)", "replica")
        }
    }

    @Test func `questions for the primary are found in literals`() {
        check("SELECT current_setting('transaction_read_only')", "asks-for-primary")
        check("SELECT current_setting('In_Hot_Standby', true)", "asks-for-primary")
        check(
            "SELECT setting FROM pg_settings WHERE name = 'default_transaction_read_only'",
            "asks-for-primary")
        check("SELECT current_setting($1)", "asks-for-primary")
        check("SELECT current_setting(E'transaction\\x5fread_only')", "asks-for-primary")
        check("SELECT current_setting('app.user', true)", "replica")
    }

    @Test func `set_config tells by its arguments what it does`() {
        check("SELECT set_config('a.b', 'c', false)", "replica +settings")
        check("SELECT set_config('a.b', $1, true)", "replica +local-settings")
        check("SELECT set_config('a.b', c, false) FROM t", "replica +settings +local-settings")
        check("SELECT set_config('a.b', 'c', $1)", "replica +settings +local-settings")
        check("SELECT set_config($1, $2, false)", "replica +settings +local-settings +role")
        check("SELECT set_config('role', 'x', false)", "replica +settings +role")
        check(
            "SELECT set_config('transaction_read_only', 'off', false)", "asks-for-primary +settings"
        )
        check(
            "SELECT set_config('default_transaction_isolation', $1, false)",
            "serializable +settings")
    }

    @Test func `a lone set_config is reported with its ranges`() {
        let sql = "SELECT pg_catalog.set_config('search_path', '', false)"
        guard case .setConfig(let name, let value, let local) = classify(sql).command else {
            Issue.record("no command")
            return
        }
        #expect(part(sql, name) == "'search_path'")
        #expect(part(sql, value) == "''")
        #expect(!local)
        #expect(classify("SELECT set_config('a.b', 'c', false), 1").command == .none)
        #expect(classify("SELECT set_config('a.b', 'c', false) FROM t").command == .none)
        #expect(classify("SELECT 1, set_config('a.b', 'c', false)").command == .none)
        #expect(classify("SELECT set_config('a.b', $1, false)").command == .none)
    }

    // Edge cases: 84
    @Test func `the catalogue decides about the functions of users`() {
        check("SELECT app.add_tax(1)", "replica")
        check("SELECT add_tax(1)", "replica")
        check("SELECT ADD_TAX (1)", "replica")
        check("SELECT other.add_tax(1)", "unknown-function")
        check("SELECT touch(t) FROM t", "volatile-function")
        check("SELECT public.touch(t) FROM t", "unknown-function")
        check("SELECT app.log('x')", "replica")
        check("SELECT audit.log('x')", "volatile-function")
        // Bare, it could be either, and PostgreSQL has a third of that name.
        check("SELECT log('x')", "volatile-function")
        check("SELECT app.remember('x')", "volatile-function +opaque")
        check("SELECT a ~~! b FROM t", "volatile-operator")
        check("SELECT a ~~ b FROM t", "replica")
    }

    @Test func `attribute notation calls functions too`() {
        check("SELECT t.touch FROM t", "volatile-function")
        check("SELECT (t).touch FROM t", "volatile-function")
        check("SELECT t.full_name FROM t", "replica")
        check("SELECT app.log(1), t.log FROM t", "volatile-function")
    }

    @Test func `without a catalogue every foreign function is a write`() {
        check("SELECT app.add_tax(1)", "unknown-function", catalogue: nil)
        check("SELECT add_tax(1)", "unknown-function", catalogue: nil)
        check("SELECT lower('x')", "replica", catalogue: nil)
        check("SELECT * FROM cache", "replica", catalogue: nil)
    }

    // Edge cases: 89
    @Test func `relations of the catalogue are found wherever they stand`() {
        for sql in [
            "SELECT * FROM cache", "SELECT * FROM public.cache", "SELECT * FROM \"cache\"",
            "TABLE cache",
            "SELECT 1 WHERE EXISTS (SELECT FROM cache)", "SELECT * FROM t, queue",
            "SELECT * FROM app.queue q",
            "WITH a AS (TABLE cache) SELECT 1", "SELECT * FROM only cache", "select * from CACHE",
        ] {
            check(sql, "unlogged-relation")
        }
        check("SELECT * FROM other.cache", "replica")
        check("SELECT * FROM numbered", "unsafe-relation")
        check("SELECT last_value FROM ticket", "unsafe-relation")
        check("SELECT 5::watched", "unsafe-relation")
        check("SELECT * FROM \"odd.name\"", "unsafe-relation")
        check("SELECT 'cache'", "replica")
    }

    // Edge cases: 85
    @Test func `the configuration overrides the catalogue`() {
        let own = Catalogue(
            volatileFunctions: ["audit.log", "touch"], safeFunctions: ["app.price"],
            unloggedRelations: ["cache", "ledger"])
        func checkOverridden(_ sql: String, _ expected: String) {
            check(sql, expected, catalogue: own, overrides: Self.overrides)
        }
        checkOverridden("SELECT audit.log('x')", "replica")
        checkOverridden("SELECT log('x')", "volatile-function")
        checkOverridden("SELECT touch(t), t.touch FROM t", "replica")
        checkOverridden("SELECT app.price(1)", "configured")
        checkOverridden("SELECT price(1)", "configured")
        checkOverridden("SELECT other.price(1)", "configured")
        checkOverridden("SELECT lower('x')", "configured")
        checkOverridden("SELECT * FROM ledger", "configured")
        checkOverridden("SELECT * FROM cache", "unlogged-relation")
    }

    @Test func `the configuration holds where there is no catalogue`() {
        func checkOverridden(_ sql: String, _ expected: String) {
            check(sql, expected, catalogue: nil, overrides: Self.overrides)
        }
        checkOverridden("SELECT * FROM ledger", "configured")
        checkOverridden("SELECT * FROM public.ledger, t", "replica")
        checkOverridden("SELECT * FROM app.accounts", "configured")
        checkOverridden("SELECT * FROM accounts", "configured")
        checkOverridden("SELECT audit.log('x')", "replica")
        checkOverridden("SELECT touch(1)", "replica")
        checkOverridden("SELECT other.touch(1)", "replica")
        checkOverridden("SELECT lower('x')", "configured")
        checkOverridden("SELECT app.price(1)", "configured")
        checkOverridden("SELECT unheard_of(1)", "unknown-function")
    }

    private static let overrides = RoutingOverrides(
        readFunctions: ["audit.log", "touch"], writeFunctions: ["app.price", "lower"],
        primaryRelations: ["ledger", "app.accounts"])

    @Test func `catalogues are equal that say the same, in whatever order`() {
        let rows: [(kind: String, name: String)] = (0..<100).map { ("safe", "s.f\($0)") }
        let known = Catalogue(rows: rows + [("operator", "@@")])
        #expect(known == Catalogue(rows: [("operator", "@@")] + rows.reversed()))
        #expect(known != Catalogue(rows: rows))
        #expect(known != Catalogue(rows: rows.dropLast() + [("operator", "@@")]))
        #expect(known != Catalogue(rows: rows + [("operator", "@@"), ("volatile", "s.f7")]))
    }

    @Test func `long names are told apart`() {
        let long = String(repeating: "a_long_prefix_", count: 3)
        let own = Catalogue(volatileFunctions: [long + "writes"], safeFunctions: [long + "reads"])
        check("SELECT \(long)reads(1)", "replica", catalogue: own)
        check("SELECT \(long)writes(1)", "volatile-function", catalogue: own)
        check("SELECT \(long)others(1)", "unknown-function", catalogue: own)
        check("SELECT \(String(repeating: "x", count: 64)) FROM t", "unparsable +opaque")
        check("SELECT \(String(repeating: "x", count: 63)) FROM t", "replica")
    }

    @Test func `a catalogue is built from the rows of its query`() {
        let rows: [(kind: String, name: String)] = [
            ("safe", "app.a"), ("volatile", "app.b"), ("stateful", "app.c"), ("unlogged", "app.d"),
            ("unsafe", "app.e"), ("operator", "@@@@"), ("later", "app.f"),
        ]
        let own = Catalogue(rows: rows)
        check("SELECT a(1)", "replica", catalogue: own)
        check("SELECT b(1)", "volatile-function", catalogue: own)
        check("SELECT c(1)", "volatile-function +opaque", catalogue: own)
        check("SELECT * FROM d", "unlogged-relation", catalogue: own)
        check("SELECT * FROM e", "unsafe-relation", catalogue: own)
        check("SELECT 1 @@@@ 2", "volatile-operator", catalogue: own)
        check("SELECT f(1)", "unknown-function", catalogue: own)
    }

    @Test func `a catalogue of many names keeps them all`() {
        let safe = (0..<5_000).map { "s\($0 % 7).function_\($0)" }
        let own = Catalogue(volatileFunctions: ["v"], safeFunctions: safe)
        for name in safe { check("SELECT \(name)(1)", "replica", catalogue: own) }
        check("SELECT function_5000(1)", "unknown-function", catalogue: own)
    }
}
