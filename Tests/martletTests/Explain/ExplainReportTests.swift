// SPDX-License-Identifier: Apache-2.0

import StatementClassifier
import Testing

@testable import martlet

struct ExplainReportTests {
    /// The whole report of a text, one fact a line.
    private func check(
        _ text: String, _ expected: String, catalogue: Catalogue? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let report = ExplainReport(text, catalogue: catalogue)
        #expect(report.text == expected, sourceLocation: sourceLocation)
    }

    @Test func `a read goes to replicas`() {
        check(
            "SELECT 1",
            """
            class: read
            target: a replica, or the primary if none may
            reason: it only reads, so any replica may answer it
            pin: none
            """)
    }

    @Test func `a text without a statement is said to be one`() {
        check(
            "-- nothing",
            """
            class: read
            target: a replica, or the primary if none may
            reason: it only reads, so any replica may answer it
            statements: none; the server answers with an empty result
            pin: none
            """)
    }

    @Test func `a write says why`() {
        check(
            "/* martlet: replica */ UPDATE t SET a = 1; SELECT 1",
            """
            class: write
            target: the primary
            reason: it inserts, updates, deletes or merges rows
            hint: the text itself asks for the replica
            statements: 2, which run on one server
            pin: none
            """)
    }

    @Test func `a pin is named, and needs the primary`() {
        check(
            "PREPARE p AS SELECT 1",
            """
            class: write
            target: the primary
            reason: what it leaves in the session must be kept on one primary server
            pin: sql-prepare, it prepares or forgets a statement by SQL
            """)
        let report = ExplainReport("LISTEN news", catalogue: nil)
        #expect(report.fields.pins == ["listen"] && report.fields.target == "primary")
    }

    @Test func `session state that is replayed does not pin`() {
        let fields = ExplainReport("SET work_mem = '1MB'", catalogue: nil).fields
        #expect(fields.class == "read" && fields.pins.isEmpty && fields.effects == ["settings"])
    }

    @Test func `an unknown function is blamed on the missing catalogue only where it is missing`() {
        let note = "note: with --database, functions of your own would be looked up"
        #expect(ExplainReport("SELECT f(1)", catalogue: nil).text.hasSuffix(note))
        let empty = ExplainReport("SELECT f(1)", catalogue: Catalogue())
        #expect(!empty.text.contains("note") && empty.fields.reason == "unknown-function")
        let known = ExplainReport("SELECT f(1)", catalogue: Catalogue(safeFunctions: ["f"]))
        #expect(known.isForReplicas && known.fields.catalogue)
    }

    @Test func `what the configuration says needs no catalogue`() {
        let overrides = RoutingOverrides(readFunctions: ["f"], primaryRelations: ["ledger"])
        let call = ExplainReport("SELECT f(1)", catalogue: nil, overrides: overrides)
        #expect(call.isForReplicas && !call.fields.catalogue)
        let table = ExplainReport("SELECT * FROM ledger", catalogue: nil, overrides: overrides)
        #expect(table.fields.target == "primary" && table.fields.reason == "configured")
    }

    @Test func `BEGIN is said to be deferred`() {
        #expect(
            ExplainReport("BEGIN", catalogue: nil).text.hasSuffix(
                "note: martlet answers it, and sends it together with the next statement"))
    }
}
