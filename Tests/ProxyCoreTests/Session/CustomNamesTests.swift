// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

@testable import ProxyCore

struct CustomNamesTests {
    private func names(_ text: String, known: Set<String> = []) -> Set<String> {
        var names = known
        CustomNames.collect(from: Array(text.utf8).rawSpan, into: &names)
        return names
    }

    @Test(arguments: [
        ("SET app.user = 'x'", ["app.user"]), ("set APP.User to 1", ["app.user"]),
        ("SELECT set_config('app.tenant_id','7',false)", ["app.tenant_id"]),
        (#"SET "app"."user" = 1"#, []), ("SET work_mem = '1MB'", []), ("", []),
        ("SET _a._b = 1; RESET c.d$1", ["_a._b", "c.d$1"]), ("SET é.ü = 1", ["é.ü"]),
        // Words that cannot be such a name: numbers, more than two parts, missing parts.
        ("SELECT 1.5, 2.e, x.5, a.b.c, .x, y., ..", []),
    ] as [(String, Set<String>)])
    func `names of two parts are taken from the text, in lower case`(
        text: String, expected: Set<String>
    ) {
        #expect(names(text) == expected)
    }

    @Test func `what was known stays, up to a limit`() {
        #expect(names("SET a.b = 1", known: ["c.d"]) == ["a.b", "c.d"])
        let many = (0..<300).map { "a.n\($0)" }.joined(separator: ",")
        let found = names(many)
        #expect(found.count == CustomNames.limit)
        #expect(names("SET late.name = 1", known: found) == found)
    }

    @Test func `only the beginning of a long text is looked at, and it may end anywhere`() {
        let filler = String(repeating: " ", count: 16_384)
        #expect(names("SET a.b = 1" + filler + "SET c.d = 1") == ["a.b"])
        // Within a character, too.
        #expect(names(String(repeating: "é", count: 9_000)).isEmpty)
    }
}
