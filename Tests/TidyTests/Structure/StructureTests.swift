// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The structure of the core, held against the table of its exceptions.
///
/// `MARTLET_FIGURES=. swift test --filter StructureTests` prints how many fields, writers and circles
/// there are, the pictures for ARCHITECTURE.md, and the tables for StructureExceptions; another path
/// than `.` names another checkout.
struct StructureTests {
    private static let sources = Core(Repository.swiftFiles.filter { $0.isSource })
    private static let core = Core(Repository.swiftFiles.filter { $0.target == "ProxyCore" })

    private func report(_ verdicts: [Ratchet.Verdict]) {
        for verdict in verdicts {
            Issue.record(
                Comment(rawValue: verdict.message), severity: verdict.isError ? .error : .warning)
        }
    }

    @Test func `machines own their state`() {
        let table = Ratchet(
            name: "StructureExceptions.openFields", allowed: StructureExceptions.openFields)
        report(table.verdicts(StructureRules.openFields(Self.core)))
    }

    @Test func `no type has more than 20 stored properties`() {
        let table = Ratchet(
            name: "StructureExceptions.largeTypes", allowed: StructureExceptions.largeTypes)
        report(table.verdicts(StructureRules.largeTypes(Self.sources)))
    }

    @Test func `no machine keeps its state in Booleans`() {
        let table = Ratchet(
            name: "StructureExceptions.booleanStates", allowed: StructureExceptions.booleanStates)
        report(table.verdicts(StructureRules.booleanStates(Self.core)))
    }

    @Test func `files call each other in one direction`() {
        let table = Ratchet(
            name: "StructureExceptions.circles", allowed: StructureExceptions.circles)
        report(table.verdicts(StructureRules.circles(Self.core)))
    }

    @Test func `the pictures of the architecture are true`() throws {
        let text = try #require(Repository.text("ARCHITECTURE.md"))
        let shown = StructureRules.pictures(in: text)
        for (folder, line, picture) in shown {
            let truth = StructureRules.graph(folder, Self.core).picture
            if picture != truth {
                Issue.record(
                    "ARCHITECTURE.md:\(line): the picture of \(folder) is not true; paste\n\(truth)")
            }
        }
        for folder in StructureExceptions.pictured.subtracting(shown.map(\.folder)).sorted() {
            Issue.record("ARCHITECTURE.md:1: no picture after <!-- layers: \(folder) -->")
        }
    }

    @Test func `no exception outlives what it was made for`() {
        let names = Set(Self.sources.files.flatMap(\.declarations.types).map(\.name))
        let excused = [
            StructureExceptions.values, StructureExceptions.wide, StructureExceptions.booleans,
        ]
        for (name, reason) in excused.joined() {
            if !names.contains(name) {
                Issue.record(
                    "StructureExceptions names '\(name)', which is not there", severity: .warning)
            }
            #expect(reason.count > 10, "'\(name)' is excused without a reason")
        }
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["MARTLET_FIGURES"] != nil))
    func `the figures are printed`() {
        let place = ProcessInfo.processInfo.environment["MARTLET_FIGURES"] ?? "."
        let text = Figures.text(of: place == "." ? Repository.root.path : place)
        #expect(text.contains("circles: "))
        // In one piece, so that the test's own lines do not come between.
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }
}
