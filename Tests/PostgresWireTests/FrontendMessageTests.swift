// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

/// The parts of a Parse as copies.
private func parse(_ body: [UInt8]) throws -> [[UInt8]] {
    let parse = try Parse(body: body.rawSpan)
    return [parse.name, parse.text, parse.types].map { body.rawSpan.copy($0) }
}

private func bind(_ body: [UInt8]) throws -> [String] {
    let bind = try Bind(bodyPrefix: body.rawSpan)
    return [bind.portal, bind.statement].map { body.rawSpan.text($0) }
}

private func query(_ body: [UInt8]) throws -> Range<Int> { try Query.text(body: body.rawSpan) }

struct ParseTests {
    private let text = Array("SELECT $1, 'é'".utf8)

    @Test(arguments: [
        [0, 0] as [UInt8], [0, 1, 0, 0, 0, 23], [0, 2, 0, 0, 0, 23, 0xff, 0xff, 0xff, 0xff],
    ])
    func `a Parse is a name, a text and the types of parameters`(types: [UInt8]) throws {
        for name in ["", "s", "name with spaces"] {
            let read = try parse(terminated(name) + text + [0] + types)
            #expect(read == [Array(name.utf8), text, types])
        }
    }

    @Test func `text and types follow each other, so that they are one definition`() throws {
        let body = terminated("s") + text + [0, 0, 1, 0, 0, 0, 25]
        let parse = try Parse(body: body.rawSpan)
        #expect(parse.text.lowerBound == 2 && parse.types.upperBound == body.count)
        #expect(parse.types.lowerBound == parse.text.upperBound + 1)
    }

    private static let malformed: [(start: [UInt8], rest: [UInt8], fault: WireError)] = [
        ([], [], .unterminated),
        ([], [65], .unterminated),
        (terminated("s"), [], .unterminated),
        (terminated("s"), [65], .unterminated),
        (terminated("s", "t"), [], .truncated),
        (terminated("s", "t"), [0], .truncated),
        (terminated("s", "t"), [0, 1], .truncated),
        (terminated("s", "t"), [0, 1, 0, 0, 0], .truncated),
        (terminated("s", "t"), [0x7f, 0xff, 0, 0, 0, 23], .truncated),
        (terminated("s", "t"), [0xff, 0xff], .invalid),
        (terminated("s", "t"), [0, 0, 0], .trailing),
        (terminated("s", "t"), [0, 1, 0, 0, 0, 23, 0], .trailing),
    ]

    @Test(arguments: malformed)
    func `a Parse that is cut short, or longer than it says, is refused`(
        start: [UInt8], rest: [UInt8], expected: WireError
    ) {
        #expect(fault { _ = try parse(start + rest) } == expected)
    }

    @Test func `a Parse under another name has the same definition`() throws {
        let definition = text + [0, 0, 1, 0, 0, 0, 23]
        let message = try #require(
            message { Parse.write(name: Array("n".utf8), definition: definition, to: &$0) })
        #expect(message.kind == FrontendKind.parse)
        #expect(message.body == terminated("n") + definition)
        #expect(try parse(message.body)[1] == text)
    }
}

struct BindTests {
    @Test func `a Bind names a portal and then a statement`() throws {
        #expect(try bind(terminated("p", "s") + [0, 0, 0, 0, 0, 0]) == ["p", "s"])
        #expect(try bind(terminated("", "") + [0, 0, 0, 0, 0, 0]) == ["", ""])
    }

    @Test func `nothing after the names is looked at, so that a beginning is enough`() throws {
        #expect(try bind(terminated("p", "s")) == ["p", "s"])
        #expect(try bind(terminated("p", "s") + [0xff, 0xff, 0xff]) == ["p", "s"])
    }

    @Test func `names that do not end in what is there are refused`() {
        for body in [[], [65], terminated("p"), terminated("p") + [66]] as [[UInt8]] {
            #expect(fault { _ = try bind(body) } == .unterminated)
        }
    }
}

struct TargetTests {
    @Test func `a Describe or a Close means a statement or a portal`() throws {
        let statement = Array("Sname\0".utf8)
        let target = try Target(body: statement.rawSpan)
        #expect(target.isStatement && statement.rawSpan.text(target.name) == "name")
        let portal = try Target(body: Array("P\0".utf8).rawSpan)
        #expect(!portal.isStatement && portal.name.isEmpty)
    }

    @Test(arguments: [
        ("", WireError.truncated), ("Xname\0", .invalid), ("sname\0", .invalid), ("\0", .invalid),
        ("S", .unterminated), ("Pname", .unterminated), ("S\0x", .trailing), ("Pa\0\0", .trailing),
    ])
    func `anything else is refused`(body: String, expected: WireError) {
        #expect(fault { _ = try Target(body: Array(body.utf8).rawSpan) } == expected)
    }

    @Test(arguments: [FrontendKind.describe, FrontendKind.close])
    func `one that is written means a statement`(kind: UInt8) throws {
        let message = try #require(
            message { Target.write(kind, statement: Array("s1".utf8), to: &$0) })
        #expect(message.kind == kind && message.body == Array("Ss1\0".utf8))
    }
}

struct QueryTests {
    @Test func `a Query is a text and nothing else`() throws {
        #expect(try query(terminated("SELECT 1")) == 0..<8)
        #expect(try query(terminated("")) == 0..<0)
        #expect(fault { _ = try query([]) } == .unterminated)
        #expect(fault { _ = try query([65]) } == .unterminated)
        #expect(fault { _ = try query(terminated("a", "b")) } == .trailing)
    }

    @Test func `a Query that is written ends with a zero`() {
        #expect(written { Query.write("é", to: &$0) } == [0x51, 0, 0, 0, 7, 0xc3, 0xa9, 0])
    }
}
