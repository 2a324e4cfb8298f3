// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

struct TransactionTests {
    private func modes(
        readOnly: Bool? = nil, isolation: IsolationLevel? = nil, deferrable: Bool? = nil,
        start: Bool = false, snapshot: Bool = false
    ) -> TransactionModes {
        var modes = TransactionModes()
        modes.readOnly = readOnly
        modes.isolation = isolation
        modes.deferrable = deferrable
        modes.isStartTransaction = start
        modes.snapshot = snapshot
        return modes
    }

    private func expect(
        _ sql: String, _ control: TransactionControl, at location: SourceLocation = #_sourceLocation
    ) {
        let result = classify(sql)
        #expect(result.control == control, "\(sql)", sourceLocation: location)
        #expect(result.containsTransactionControl, "\(sql)", sourceLocation: location)
    }

    // Edge cases: 56
    @Test func `begin is read with its modes`() {
        expect("BEGIN", .begin(modes()))
        expect("begin;", .begin(modes()))
        expect("BEGIN WORK", .begin(modes()))
        expect("/* x */ BEGIN TRANSACTION -- y", .begin(modes()))
        expect("BEGIN READ ONLY", .begin(modes(readOnly: true)))
        expect("BEGIN TRANSACTION READ WRITE", .begin(modes(readOnly: false)))
        expect(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            .begin(modes(readOnly: true, isolation: .repeatableRead)))
        expect(
            "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
            .begin(modes(readOnly: true, isolation: .serializable, deferrable: true)))
        expect(
            "BEGIN NOT DEFERRABLE ISOLATION LEVEL READ UNCOMMITTED",
            .begin(modes(isolation: .readUncommitted, deferrable: false)))
        expect("START TRANSACTION", .begin(modes(start: true)))
        expect(
            "START TRANSACTION ISOLATION LEVEL READ COMMITTED",
            .begin(modes(isolation: .readCommitted, start: true)))
        expect("BEGIN READ ONLY READ WRITE", .begin(modes(readOnly: false)))
    }

    @Test func `the other commands are told apart`() {
        expect("COMMIT", .commit)
        expect("END TRANSACTION", .commit)
        expect("COMMIT AND NO CHAIN", .commit)
        expect("END WORK AND CHAIN", .commitAndChain)
        expect("ROLLBACK", .rollback)
        expect("ABORT WORK", .rollback)
        expect("ROLLBACK AND CHAIN", .rollbackAndChain)
        expect("ABORT AND CHAIN", .rollbackAndChain)
        expect("SAVEPOINT a", .savepoint)
        expect("SAVEPOINT \"A b\"", .savepoint)
        expect("RELEASE a", .releaseSavepoint)
        expect("RELEASE SAVEPOINT a", .releaseSavepoint)
        expect("RELEASE SAVEPOINT", .releaseSavepoint)
        expect("ROLLBACK TO a", .rollbackToSavepoint)
        expect("ROLLBACK WORK TO SAVEPOINT a", .rollbackToSavepoint)
        expect("PREPARE TRANSACTION 'x'", .prepareTransaction)
        expect("COMMIT PREPARED 'x'", .commitPrepared)
        expect("ROLLBACK PREPARED 'x'", .rollbackPrepared)
        expect("SET TRANSACTION READ ONLY", .setTransaction(modes(readOnly: true)))
        expect(
            "SET LOCAL TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            .setTransaction(modes(isolation: .repeatableRead)))
        expect("SET TRANSACTION SNAPSHOT 'x'", .setTransaction(modes(snapshot: true)))
    }

    @Test func `what the grammar would refuse is no transaction command`() {
        for sql in [
            "BEGIN NOW", "BEGIN READ", "BEGIN READ ONLY,", "BEGIN , READ ONLY",
            "BEGIN WORK TRANSACTION",
            "BEGIN ISOLATION LEVEL SNAPSHOT", "BEGIN ISOLATION READ COMMITTED", "START",
            "START WORK",
            "COMMIT NOW", "COMMIT AND", "COMMIT AND NO", "COMMIT TO a", "ABORT TO a",
            "ABORT PREPARED 'x'",
            "ROLLBACK TO", "SAVEPOINT", "SAVEPOINT a b", "SAVEPOINT 'a'", "SAVEPOINT select",
            "RELEASE",
            "PREPARE TRANSACTION", "PREPARE TRANSACTION x", "SET TRANSACTION",
            "SET TRANSACTION READ",
            "BEGIN \"READ\" ONLY", "BEGIN READ ONLY (", "BEGIN 'x", "END PREPARED 'x'",
        ] {
            #expect(classify(sql).control == .none, "\(sql)")
            check(
                sql,
                classify(sql).effects.contains(.localSettings)
                    ? "unparsable +local-settings +opaque"
                    : classify(sql).reason == .twoPhase ? "two-phase +opaque" : "unparsable +opaque"
            )
        }
    }

    @Test func `only read-only transactions may begin on a replica`() {
        check("BEGIN", "transaction-may-write")
        check("BEGIN READ WRITE", "transaction-may-write")
        check("BEGIN READ ONLY", "replica")
        check("START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "replica")
        check("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY", "serializable")
        check("SET TRANSACTION READ ONLY", "replica +local-settings")
        check("SET TRANSACTION READ WRITE", "read-write-transaction +local-settings")
        check("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "serializable +local-settings")
        check("SET TRANSACTION SNAPSHOT 'x'", "snapshot +local-settings")
        check("COMMIT", "replica")
        check("ROLLBACK TO a", "replica")
        check("PREPARE TRANSACTION 'x'", "two-phase")
        check("COMMIT PREPARED 'x'", "two-phase")
    }

    @Test func `several statements are no single command but contain it`() {
        let result = classify("BEGIN READ ONLY; SELECT 1; COMMIT")
        #expect(result.destination == .replica)
        #expect(result.control == .none)
        #expect(result.containsTransactionControl)
        #expect(result.statementCount == 3)
        check("BEGIN; SELECT 1", "transaction-may-write")
        check("BEGIN READ ONLY; DELETE FROM t", "data-modification")
        #expect(!classify("SELECT 1; SELECT 2").containsTransactionControl)
        #expect(classify("SELECT 1; COMMIT").containsTransactionControl)
    }

    @Test func `cursors follow their query`() {
        check("DECLARE c CURSOR FOR SELECT 1", "replica +cursor")
        check("DECLARE c NO SCROLL CURSOR WITHOUT HOLD FOR SELECT 1", "replica +cursor")
        check("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "held-cursor +hold-cursor +cursor")
        check("DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE", "locking-clause +cursor")
        check("FETCH 5 FROM c", "replica +cursor")
        check("MOVE ALL IN c", "replica +cursor")
        check("CLOSE c", "replica +cursor")
        check("CLOSE ALL", "replica +cursor")
        let sql = "DECLARE \"C\" CURSOR WITH HOLD FOR SELECT 1"
        guard case .declareCursor(let name, let hold) = classify(sql).command else {
            Issue.record("no command")
            return
        }
        #expect(part(sql, name) == "\"C\"")
        #expect(hold)
        #expect(classify("CLOSE ALL").command == .closeAllCursors)
    }

    @Test func `prepared statements of SQL are reported`() {
        check("PREPARE p AS SELECT 1", "replica +sql-prepare")
        check("PREPARE p (int, numeric(10, 2)) AS SELECT $1", "replica +sql-prepare")
        check("PREPARE p AS DELETE FROM t", "data-modification +sql-prepare")
        check("EXECUTE p(1)", "executes-prepared +sql-execute")
        check("DEALLOCATE p", "replica +sql-prepare")
        let prepare = "PREPARE \"p q\" (int) AS SELECT $1"
        guard case .prepare(let name) = classify(prepare).command else {
            Issue.record("no command")
            return
        }
        #expect(part(prepare, name) == "\"p q\"")
        check("PREPARE transaction AS SELECT 1", "replica +sql-prepare")
        #expect(!classify("PREPARE transaction AS SELECT 1").containsTransactionControl)
        #expect(classify("COPY public.from TO STDOUT").command == .copyToStdout)
        #expect(classify("EXECUTE p").command == .execute(name: 8..<9))
        #expect(classify("DEALLOCATE PREPARE p").command == .deallocate(name: 19..<20))
        #expect(classify("DEALLOCATE PREPARE").command == .deallocate(name: 11..<18))
        #expect(classify("DEALLOCATE PREPARE ALL").command == .deallocateAll)
        #expect(classify("DEALLOCATE ALL").command == .deallocateAll)
    }

    @Test func `listening is reported`() {
        check("LISTEN a", "notification +listen")
        check("NOTIFY a, 'b'", "notification +notify")
        check("UNLISTEN *", "notification +listen")
        #expect(classify("LISTEN a").command == .listen(name: 7..<8))
        #expect(classify("UNLISTEN a").command == .unlisten(name: 9..<10))
        #expect(classify("UNLISTEN *").command == .unlistenAll)
        check("NOTIFY a 'b'", "notification +opaque +notify")
    }
}
