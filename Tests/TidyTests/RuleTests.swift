// SPDX-License-Identifier: Apache-2.0

import Testing

/// The rules themselves, on small pieces of code.
struct RuleTests {
    private func check(
        _ rule: Rule, _ text: String, path: String = "Sources/ProxyCore/Thing.swift",
        finds lines: [Int], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let found = rule.check(SwiftFile(path: path, text)).map(\.line)
        #expect(found == lines, "\(rule.name)", sourceLocation: sourceLocation)
    }

    @Test func `a finding reads as compilers write`() {
        let finding = Finding(path: "Sources/A/B.swift", line: 7, message: "no")
        #expect("\(finding)" == "Sources/A/B.swift:7: no")
    }

    @Test func `strings, comments and quoted names are not code`() {
        let text = SourceText(
            ##"""
            let a = "print(1) \(print(2)) \"print(3)" // print(4)
            /* print(5) /* print(6) */ print(7) */
            let b = #"print(8) \(print(9)) \#(print(10))"#
            let c = """
                print(11) "print(12)" \(print("print(13)"))
                """; print(14)
            func `print(15)`() {}
            """##)
        #expect(text.places(of: ["print", "("]).map(\.line) == [1, 3, 5, 6])
    }

    @Test func `the licence comes first`() {
        let licence = "// SPDX-License-Identifier: Apache-2.0\n"
        check(Rules.licence, licence, finds: [])
        check(Rules.licence, "// swift-tools-version: 6.2\n" + licence, finds: [])
        check(Rules.licence, "\n" + licence, finds: [1])
    }

    @Test func `a file ends after its last allowed line`() {
        check(Rules.fileLength, String(repeating: "a\n", count: 450), finds: [])
        check(Rules.fileLength, String(repeating: "a\n", count: 451), finds: [451])
    }

    @Test func `a function's length is counted from its name to its brace`() {
        func body(_ head: String, _ count: Int) -> String {
            "\(head) {\n" + String(repeating: "    if x { y() }\n", count: count - 2) + "}\n"
        }
        for head in [
            "func f(a: Int = { 1 }())", "init()", "subscript(a: Int) -> Int", "var x: Int",
        ] {
            check(Rules.functionLength, body(head, 70), finds: [])
            check(Rules.functionLength, "\n" + body(head, 71), finds: [2])
        }
        // A requirement has no body, and a type is no function.
        check(
            Rules.functionLength,
            body("protocol P", 2) + "protocol Q { init(); func f() }\n"
                + body("struct S", 100), finds: [])
        check(Rules.functionLength, "let a = B.init(x)\n" + body("struct S", 100), finds: [])
    }

    @Test func `a file is named for what it declares`() {
        check(Rules.fileName, "struct Thing {}", finds: [])
        check(Rules.fileName, "package protocol Thing: ~Copyable {}", finds: [])
        check(Rules.fileName, "struct Other {}\n// struct Thing", finds: [1])
        let extensionPath = "Sources/ProxyCore/Thing+Text.swift"
        check(Rules.fileName, "extension Thing {}", path: extensionPath, finds: [])
        check(Rules.fileName, "struct Thing {}", path: extensionPath, finds: [1])
        let tests = "Tests/ProxyCoreTests/ThingTests.swift"
        check(Rules.fileName, "@Test func `a`() {}", path: tests, finds: [])
        check(Rules.fileName, "func a() {}", path: tests, finds: [1])
    }

    @Test func `imports follow the arrows of the layout`() {
        check(Rules.imports, "internal import PostgresWire", finds: [])
        check(Rules.imports, "internal import Dispatch\ninternal import Foundation", finds: [1, 2])
        check(Rules.imports, "import PostgresWire", finds: [1])
        check(Rules.imports, "public import PostgresWire", finds: [1])
        let wire = "Sources/PostgresWire/Thing.swift"
        check(Rules.imports, "internal import ProxyCore", path: wire, finds: [1])
        let runtime = "Sources/ProxyRuntime/Thing.swift"
        check(Rules.imports, "internal import Dispatch", path: runtime, finds: [])
        check(Rules.imports, "internal import NIOCore", path: runtime, finds: [1, 1])
        let other = "Sources/Simulator/Thing.swift"
        check(Rules.imports, "internal import ProxyCore", path: other, finds: [])
        check(Rules.imports, "internal import Dispatch", path: other, finds: [1])
        let tests = "Tests/ProxyCoreTests/Thing.swift"
        check(Rules.imports, "@testable import ProxyCore\nimport Dispatch", path: tests, finds: [])
    }

    @Test func `the core is told the time and throws no dice`() {
        check(Rules.coreWords, "let a = Date()", finds: [1])
        check(Rules.coreWords, "\nlet b = Clock.now", finds: [2])
        check(Rules.coreWords, "let c = Int.random(in: 0..<2)", finds: [1])
        check(Rules.coreWords, "print(a)", finds: [1])
        check(Rules.coreWords, "Task { b() }", finds: [1])
        check(Rules.coreWords, "let now = Instant(1), random = dice.next(), Date = now", finds: [])
        let runtime = "Sources/ProxyRuntime/Thing.swift"
        check(Rules.coreWords, "print(Date())", path: runtime, finds: [])
    }

    @Test func `sources do not give up`() {
        let text = "fatalError()\nlet a = try! b()\nlet c = d as! E"
        check(Rules.bannedWords, text, finds: [1, 2, 3])
        check(Rules.bannedWords, text, path: "Tests/A/Thing.swift", finds: [])
        check(Rules.bannedWords, "let a = try? b()\nlet c = d as? E // fatalError()", finds: [])
    }

    @Test func `the compiler is overruled with a reason`() {
        let bare = "nonisolated(unsafe) var a = 1\n@preconcurrency internal import Dispatch"
        check(Rules.overrules, bare, finds: [1, 2])
        check(Rules.overrules, "// Written once.\nnonisolated(unsafe) var a = 1", finds: [])
    }

    @Test func `a value is unwrapped by name, not by force`() {
        check(Rules.forceUnwraps, "a!\nb()!.c\nd[0]!\n_ = x! + y", finds: [1, 2, 3, 4])
        check(
            Rules.forceUnwraps, "!a\nif !b, a != c, (!d) { return !e }\nf.baseAddress! + 1",
            finds: [])
        check(Rules.forceUnwraps, "a!", path: "Tests/A/Thing.swift", finds: [])
    }

    @Test func `unsafe has its places`() {
        check(Rules.unsafePlaces, "let a = b\nlet c = unsafe d(unsafe e)", finds: [2])
        check(Rules.unsafePlaces, "let a = unsafeThing // unsafe", finds: [])
    }

    @Test func `an unchecked Sendable is listed and explained`() {
        let bare = "final class A: @unchecked Sendable {}"
        check(Rules.uncheckedSendable, bare, finds: [1, 1])
        check(Rules.uncheckedSendable, "// Confined.\n" + bare, finds: [2])
        check(Rules.uncheckedSendable, "// Confined.\n" + bare, path: "Tests/A/A.swift", finds: [])
    }

    @Test func `an error is not swallowed`() {
        check(
            Rules.emptyCatches, "do { try a() } catch {}\ndo { try a() } catch { b() }", finds: [1])
        check(Rules.emptyCatches, "do { try a() } catch {\n    // It is gone.\n}", finds: [])
    }
}
