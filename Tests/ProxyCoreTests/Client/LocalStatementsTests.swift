// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import StatementClassifier
import Testing

@testable import ProxyCore

/// Which statements martlet answers itself, and what they get, without a pooler.
struct LocalStatementsTests {
    /// Where the session's transaction is.
    enum State: Sendable, CaseIterable {
        case none, deferred, open, failed
        /// No server has it: the client does not know yet, or does.
        case lost, aborted
        /// The same, and how it began is not known either.
        case abortedUnknown
    }

    private static let classifier = StatementClassifier()
    private let hashing = ByteHash(seed: 3)

    private func statement(_ text: String) -> LocalStatement {
        let bytes = Array(text.utf8)
        return LocalStatement(bytes, Self.classifier.classify(bytes.span, catalogue: nil))
    }

    private func transaction(_ state: State) -> SessionTransaction {
        var transaction = SessionTransaction()
        if state == .none { return transaction }
        if state == .abortedUnknown {
            _ = transaction.ready(.inTransaction, at: Instant(1))
            _ = transaction.serverLost(mayHaveCommitted: false)
            return transaction
        }
        transaction.began(by: Array("BEGIN".utf8), TransactionModes(), at: Instant(1))
        if state == .deferred { return transaction }
        transaction.carried()
        transaction.replied()
        if state == .failed { _ = transaction.ready(.failed, at: Instant(2)) }
        if state == .lost { transaction.serverLost() }
        if state == .aborted { _ = transaction.serverLost(mayHaveCommitted: false) }
        return transaction
    }

    private func answer(
        _ text: String, _ state: State, isComplete: Bool = true
    ) -> LocalAnswer? {
        statement(text).answer(
            in: transaction(state), hasServer: state == .open || state == .failed,
            isComplete: isComplete
        ) { $0 == Array("mine".utf8) }
    }

    private static func modes(
        _ change: (inout TransactionModes) -> Void = { _ in }
    ) -> TransactionModes {
        var modes = TransactionModes()
        change(&modes)
        return modes
    }

    // MARK: Which ones

    @Test(arguments: [
        ("BEGIN", State.none, .begin(modes())),
        ("begin work;", .none, .begin(modes())),
        ("START TRANSACTION", .none, .begin(modes { $0.isStartTransaction = true })),
        ("BEGIN READ ONLY", .none, .begin(modes { $0.readOnly = true })),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE", .none,
            .begin(modes { ($0.isolation, $0.readOnly) = (.serializable, false) })
        ),
        // A second one gets a warning, which a server gives.
        ("BEGIN", .deferred, nil),
        ("BEGIN", .open, nil),
        ("BEGIN", .failed, nil),
        ("SET TRANSACTION READ ONLY", .deferred, .setTransaction(modes { $0.readOnly = true })),
        ("SET TRANSACTION READ ONLY", .none, nil),
        ("SET TRANSACTION READ ONLY", .open, nil),
        ("SET TRANSACTION SNAPSHOT '1-1'", .deferred, nil),
        ("COMMIT", .deferred, .end(isRollback: false)),
        ("END", .deferred, .end(isRollback: false)),
        ("ROLLBACK", .deferred, .end(isRollback: true)),
        ("ABORT", .deferred, .end(isRollback: true)),
        ("COMMIT", .none, nil),
        ("ROLLBACK", .open, nil),
        ("ROLLBACK", .failed, nil),
        ("COMMIT AND CHAIN", .deferred, nil),
        ("ROLLBACK AND CHAIN", .deferred, nil),
        ("SAVEPOINT a", .deferred, nil),
        ("PREPARE TRANSACTION 'a'", .deferred, nil),
        ("SELECT 1", .none, nil),
        ("BEGIN; COMMIT", .none, nil),
    ] as [(String, State, LocalAnswer?)])
    func `a transaction that no server knows of is martlet's`(
        text: String, state: State, expected: LocalAnswer?
    ) {
        #expect(answer(text, state) == expected)
    }

    @Test(arguments: [
        ("SET martlet.route = 'replica'", .set("martlet.route", to: "replica")),
        ("SET Martlet.Route TO primary", .set("martlet.route", to: "primary")),
        ("SET SESSION martlet.consistency = eventual", .set("martlet.consistency", to: "eventual")),
        ("SET martlet.route TO DEFAULT", .set("martlet.route", to: nil)),
        ("RESET martlet.position", .reset("martlet.position")),
        ("SHOW martlet.consistency", .show("martlet.consistency")),
        ("SET LOCAL martlet.route = 'replica'", nil),
        ("SET martlet.other = 'replica'", nil),
        ("SET work_mem = '1MB'", nil),
        ("RESET ALL", nil),
        ("SHOW ALL", nil),
        ("SHOW work_mem", nil),
        ("SELECT set_config('martlet.route', 'replica', false)", nil),
        ("SET martlet.route = 'replica'; SELECT 1", nil),
    ] as [(String, LocalAnswer?)])
    func `SET, RESET and SHOW of martlet's settings are answered in and outside transactions`(
        text: String, expected: LocalAnswer?
    ) {
        for state in [State.none, .deferred, .open] { #expect(answer(text, state) == expected) }
        #expect(answer(text, .failed) == nil)
        // An error would have to reach the server in the place of messages that are not there yet.
        #expect(answer(text, .open, isComplete: false) == nil)
        #expect(answer(text, .none, isComplete: false) == expected)
    }

    @Test(arguments: State.allCases)
    func `DEALLOCATE of a name that the protocol gave`(state: State) {
        let isLost = [.lost, .aborted, .abortedUnknown].contains(state)
        let expected: LocalAnswer? =
            isLost ? .aborted : state == .failed ? nil : .deallocate(name: Array("mine".utf8))
        #expect(answer("DEALLOCATE mine", state) == expected)
        #expect(answer("DEALLOCATE PREPARE \"mine\"", state) == expected)
        for other in ["DEALLOCATE \"Mine\"", "DEALLOCATE yours", "DEALLOCATE ALL"] {
            #expect(answer(other, state) == (isLost ? .aborted : nil))
        }
    }

    // MARK: What they get

    private func session(_ state: State) -> ClientSession {
        let session = ClientSession(
            id: ConnectionID(slot: 0, generation: 0), peer: "127.0.0.1:5000", route: nil,
            database: DatabaseState(name: "app"), bytes: BytePool(), units: UnitPool(),
            now: Instant(0))
        session.transaction = transaction(state)
        return session
    }

    private func run(_ texts: [String], in session: ClientSession) -> [String] {
        texts.map { text in
            let outcome = session.execute(
                statement(text), topology: Topology(), hashing: hashing, now: Instant(9))
            switch outcome {
            case .completed(let tag): return tag
            case .row(let column, let value, let tag): return "\(tag) \(column) \(value)"
            case .failed(let error): return error.sqlState.code
            }
        }
    }

    @Test(arguments: [
        (.none, ["BEGIN", "SET TRANSACTION READ ONLY"], ["BEGIN", "SET"], .inTransaction),
        (.deferred, ["SET TRANSACTION READ ONLY", "COMMIT"], ["SET", "COMMIT"], .idle),
        (.none, ["START TRANSACTION"], ["START TRANSACTION"], .inTransaction),
        (.deferred, ["ABORT"], ["ROLLBACK"], .idle),
        // It is news once.
        (.lost, ["SELECT 1", "SELECT 1"], ["40001", "25P02"], .failed),
        (.lost, ["ROLLBACK"], ["ROLLBACK"], .idle),
        (.lost, ["COMMIT"], ["40001"], .idle),
        (.lost, ["COMMIT AND CHAIN"], ["40001"], .idle),
        (.lost, ["ROLLBACK AND CHAIN"], ["ROLLBACK"], .inTransaction),
        (.aborted, ["COMMIT"], ["ROLLBACK"], .idle),
        (.aborted, ["COMMIT AND CHAIN", "COMMIT"], ["ROLLBACK", "COMMIT"], .idle),
        (.aborted, ["ROLLBACK AND CHAIN"], ["ROLLBACK"], .inTransaction),
        (.aborted, ["ROLLBACK TO a"], ["3B001"], .failed),
        (.aborted, ["BEGIN", "SHOW martlet.route"], ["25P02", "25P02"], .failed),
        (.abortedUnknown, ["COMMIT AND CHAIN"], ["25P02"], .failed),
        (.abortedUnknown, ["ROLLBACK"], ["ROLLBACK"], .idle),
    ] as [(State, [String], [String], TransactionStatus)])
    func `a transaction goes on as its client is told`(
        state: State, texts: [String], outcomes: [String], status: TransactionStatus
    ) {
        let session = session(state)
        #expect(run(texts, in: session) == outcomes)
        #expect(session.status == status)
    }

    @Test(arguments: [
        (["SHOW martlet.route"], ["SHOW martlet.route auto"]),
        (
            ["SET martlet.route = 'Replica'", "SHOW martlet.route"],
            ["SET", "SHOW martlet.route replica"]
        ),
        (
            ["SET martlet.route = 'away'", "SHOW martlet.route"],
            ["22023", "SHOW martlet.route auto"]
        ),
        (
            ["SET martlet.route = 'replica'", "RESET martlet.route", "SHOW martlet.route"],
            ["SET", "RESET", "SHOW martlet.route auto"]
        ),
        (["SET martlet.consistency TO DEFAULT"], ["SET"]),
        // The startup packet asked for it.
        (
            [
                "SET martlet.consistency = 'session'", "SHOW martlet.consistency",
                "RESET martlet.consistency", "SHOW martlet.consistency",
            ],
            ["SET", "SHOW martlet.consistency session", "RESET", "SHOW martlet.consistency strong"]
        ),
        (["SET martlet.position = 'nowhere'"], ["22023"]),
        (
            ["BEGIN", "SET martlet.route = 'replica'", "ROLLBACK", "SHOW martlet.route"],
            ["BEGIN", "SET", "ROLLBACK", "SHOW martlet.route auto"]
        ),
        (
            ["BEGIN", "SET martlet.route = 'replica'", "COMMIT", "SHOW martlet.route"],
            ["BEGIN", "SET", "COMMIT", "SHOW martlet.route replica"]
        ),
    ] as [([String], [String])])
    func `settings keep what was set, unless it was rolled back`(
        texts: [String], outcomes: [String]
    ) {
        let session = session(.none)
        let wrong = session.martletSettings.set(
            MartletSettings.consistency, to: "strong", position: &session.position, now: Instant(0))
        session.martletSettings.started()
        #expect(wrong == nil)
        #expect(run(texts, in: session) == outcomes)
    }

    // MARK: In extended messages

    private let registry = StatementRegistry(shard: ShardID(0), hashing: ByteHash(seed: 1))

    private func prepared(_ text: String) -> PreparedText {
        let bytes = Array(text.utf8)
        return registry.intern(
            bytes + [0, 0, 0], textCount: bytes.count, context: ParseContext(), constants: []
        ) { (Self.classifier.classify(bytes.span, catalogue: nil), fingerprint: 0) }
    }

    @Test func `a protocol-level statement is given up once`() {
        let session = session(.none)
        let name = Array("mine".utf8)
        session.statements.define(name, hash: hashing(name), prepared("SELECT 1"))
        #expect(run(["DEALLOCATE mine", "DEALLOCATE mine"], in: session) == ["DEALLOCATE", "26000"])
        #expect(session.statements.count == 0)
    }

    /// P and p define BEGIN and COMMIT without a name, B binds and S describes the same name, N
    /// binds what the session has under another name, D describes and E executes the unnamed
    /// portal, e a named one, C closes a statement, Z is Sync, Q a simple query.
    @Test(arguments: [
        ("PBDEZ", "BEGIN"), ("PSBEZ", "BEGIN"), ("PpBEZ", nil), ("PBEEZ", nil), ("PBeZ", nil),
        ("NEZ", "ROLLBACK"), ("PNEZ", nil), ("BEZ", nil), ("EZ", "END"), ("DEZ", "END"),
        ("CPBEZ", "BEGIN"), ("PBECZ", "BEGIN"), ("PCBEZ", nil), ("PBCDZ", nil), ("Q", nil),
        ("PBEQ", nil), ("Z", nil),
    ] as [(String, String?)])
    func `messages are about one statement that runs once`(script: String, expected: String?) {
        let known = prepared("ROLLBACK")
        let texts = ["BEGIN": prepared("BEGIN"), "COMMIT": prepared("COMMIT")]
        var messages = UnitMessages()
        for letter in script {
            let content: UnitMessage.Content =
                switch letter {
                case "P": .parse(name: 5..<5, hash: 1, text: messages.defines(texts["BEGIN"]!))
                case "p": .parse(name: 5..<5, hash: 1, text: messages.defines(texts["COMMIT"]!))
                case "B": .bind(portal: 5..<5, statement: 6..<6, hash: 1)
                case "N": .bind(portal: 5..<5, statement: 6..<7, hash: 2)
                case "S": .describeStatement(name: 6..<6, hash: 1)
                case "D": .describePortal(name: 6..<6)
                case "E": .execute(portal: 5..<5)
                case "e": .execute(portal: 5..<6)
                case "C": .closeStatement(name: 6..<7, hash: 9)
                case "Q": .query(text: 5..<6)
                default: .sync
                }
            messages.append(UnitMessage(content: content, byteCount: 10))
        }
        let found = messages.loneText(portal: prepared("END")) { _, hash in
            hash == 2 ? known : nil
        }
        #expect(found.map { String(decoding: LocalStatement($0).text, as: UTF8.self) } == expected)
        #expect(messages.onlyCloses == (script == "Z"))
    }

    @Test(arguments: [
        (.open, "SELECT 1", .goesOn), (.deferred, nil, .goesOn),
        (.lost, "SELECT 1", .executed), (.lost, nil, .executed), (.lost, "COMMIT", .goesOn),
        (.lost, "ROLLBACK TO a", .executed),
        (.aborted, "SELECT 1", .executed), (.aborted, nil, .missing), (.aborted, "END", .goesOn),
        (.aborted, "ROLLBACK TO a", .goesOn), (.aborted, "COMMIT AND CHAIN", .goesOn),
        (.abortedUnknown, "COMMIT AND CHAIN", .executed),
    ] as [(State, String?, SessionTransaction.Admission)])
    func `only what may end an aborted transaction is prepared in it`(
        state: State, text: String?, expected: SessionTransaction.Admission
    ) {
        #expect(transaction(state).admits(text.map { statement($0) }) == expected)
    }
}
