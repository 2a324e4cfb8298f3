// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Scenarios message by message, as they stand in `Fixtures/traces`.
///
/// `UPDATE_FIXTURES=1 swift test --filter TraceTests` records them anew; the review is the diff.
struct TraceTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Fixtures/traces").standardizedFileURL
    private static let updates =
        ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] == "1"

    @Test(arguments: Scenario.all) func `each message goes where it is recorded to go`(
        scenario: Scenario
    ) throws {
        let world = scenario.world()
        world.trace.isOn = true
        scenario.play(world)
        world.run()
        let text = world.trace.lines.map { $0 + "\n" }.joined()
        let file = Self.folder.appending(path: scenario.name + ".trace")
        if Self.updates { try Data(text.utf8).write(to: file) }
        let recorded = try String(contentsOf: file, encoding: .utf8)
        #expect(text == recorded)
    }

    @Test func `each recorded trace has its scenario`() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(files) == Set(Scenario.all.map { $0.name + ".trace" }))
        #expect(Scenario.all.count == files.count)
    }
}
