// SPDX-License-Identifier: Apache-2.0

import Testing

/// The rules of the structure, on small pieces of code.
struct StructureRuleTests {
    private func core(_ files: [String: String], folder: String = "Pooler") -> Core {
        Core(
            files.sorted { $0.key < $1.key }.map {
                SwiftFile(path: "Sources/ProxyCore/\(folder)/\($0.key).swift", $0.value)
            })
    }

    private func properties(_ text: String) -> [Declarations.Property] {
        Declarations(SourceText(text)).types.flatMap(\.properties)
    }

    // MARK: Declarations

    @Test func `stored properties are told from computed ones`() {
        let found = properties(
            """
            struct A {
                var a = 1, b: Int = 2
                let c: [String: Int]
                var d: Int { 3 }
                var e: Int {
                    get { let f = 1; return f }
                }
                var g = 1 { didSet { h() } }
                var i: Int { willSet { h() } }
                static var j = 1
                lazy var k: Int = { let l = 1; return l }()
                weak var m: A?
                func n() { var o = 1 }
                var p: [Int] =
                    [1, 2].map { $0 }
                var q = true
            }
            """)
        #expect(found.map(\.name) == ["a", "b", "c", "g", "i", "k", "m", "p", "q"])
        #expect(found.last?.isBoolean == true)
        #expect(found.map(\.type)[6] == "A")
    }

    @Test func `who can assign a property is in its modifiers`() {
        let found = properties(
            """
            final class A {
                private var a = 1
                private(set) var b = 1
                package private(set) var c: Int
                package internal(set) var d = 1
                fileprivate var e = 1
                package let f: Int
                @safe package unowned var g: B
                var h: Bool = false
            }
            """)
        #expect(found.filter { !$0.isOwned }.map(\.name) == ["d", "g", "h"])
        #expect(found.filter { !$0.isVisible }.map(\.name) == ["a", "e"])
    }

    @Test func `types are named with those around them`() {
        let text = """
            extension A.B {
                struct C: OptionSet { var raw: Int }
                func f() { class func_ {} }
            }
            protocol P: class { var x: Int { get } }
            enum E { case a(class: Int), b }
            """
        let found = Declarations(SourceText(text))
        #expect(found.types.map(\.name).prefix(2) == ["A.B", "A.B.C"])
        #expect(found.types.map(\.name).suffix(2) == ["P", "E"])
        #expect(found.functions == [.init(name: "f", owner: "A.B")])
        #expect(found.types[1].inherited.contains("OptionSet"))
        #expect(found.types.last?.properties.isEmpty == true)
    }

    // MARK: Rules

    @Test func `a machine's fields are its own`() {
        let text = "final class A {\n    var a = 1\n    private(set) var b = 1\n    let c = 1\n}"
        #expect(StructureRules.openFields(core(["A": text])).map(\.line) == [2])
        #expect(StructureRules.openFields(core(["A": text], folder: "Routing")).isEmpty)
        #expect(StructureRules.openFields(core(["A": "struct Relay { var count = 1 }"])).isEmpty)
    }

    @Test func `a machine inside a machine may be called, but not replaced`() {
        let outer = "final class A {\n    var b = B()\n}"
        let inner = "struct B { private var x = 1; mutating func f() {} }"
        let calls = "func f(a: A) { a.b.f(); if a.b == c {} }"
        let assigns = "func f(a: A) { a.b = B() }"
        #expect(StructureRules.openFields(core(["A": outer, "B": inner, "C": calls])).isEmpty)
        #expect(
            StructureRules.openFields(core(["A": outer, "B": inner, "C": assigns])).map(\.line)
                == [2])
    }

    @Test func `a type has at most 20 stored properties`() {
        func type(_ count: Int) -> String {
            "struct A {\n" + (1...count).map { "    let a\($0): Int\n" }.joined() + "}"
        }
        #expect(StructureRules.largeTypes(core(["A": type(20)])).isEmpty)
        #expect(StructureRules.largeTypes(core(["A": type(21)])).map(\.line) == [1])
    }

    @Test func `state is not spread over Booleans`() {
        func type(_ count: Int) -> String {
            "struct A {\n" + (1...count).map { "    private var a\($0) = false\n" }.joined() + "}"
        }
        #expect(StructureRules.booleanStates(core(["A": type(3)])).isEmpty)
        #expect(StructureRules.booleanStates(core(["A": type(4)])).count == 1)
        let set = "struct A: OptionSet { let rawValue: Int }"
        #expect(StructureRules.booleanStates(core(["A": set])).count == 1)
        #expect(StructureRules.booleanStates(core(["A": set], folder: "Topology")).isEmpty)
    }

    @Test func `writers are files that assign fields of others`() {
        let owner = "final class A { var a = 1; var b: [Int] = []; func f() { a = 2 } }"
        let other = """
            extension A { func g() { a = 3; let b = [4] } }
            func h(x: A, y: B) { x.b[0] += 1; y.a = 1; if x.a == 2 { k(a: 1) } }
            """
        let unrelated = "struct B { var a = 1 }"
        let writes = core(["A": owner, "C": other, "B": unrelated]).writes
        #expect(writes.map(\.field) == ["A.a", "A.b", "B.a"])
        #expect(Set(writes.map(\.file)) == ["Sources/ProxyCore/Pooler/C.swift"])
    }

    // MARK: Calls

    private func graph(_ files: [String: String], coordinator: String? = nil) -> CallGraph {
        CallGraph(
            folder: "Sources/ProxyCore/Pooler", of: core(files), coordinator: coordinator)
    }

    @Test func `calls are found by name, and by the type before the dot`() {
        let found = graph([
            "A": "struct A { func f() {}; func append() {} }",
            "B": "struct B { func f() {}; func g(a: A) { a.f(); bytes.append(); f() } }",
            "C": "struct C { func h(x: D) { x.f(); b().g(); .g() } } // a.f()",
            "D": "enum D { case k(Int); func m() -> D { return .k(1) } }\nfunc n() { case .m(): 1 }",
        ])
        #expect(found.calls == ["B": ["A.swift": ["f"]], "C": ["B.swift": ["g"]]].mapKeys())
        #expect(found.circles.isEmpty)
    }

    @Test func `a circle is found, and one through the coordinator is none`() {
        let files = [
            "A": "struct A { func a(b: B) { b.b() } }",
            "B": "struct B { func b(c: C) { c.c() } }",
            "C": "struct C { func c(a: A) { a.a() } }",
            "D": "struct D { func d(a: A) { a.a() } }",
        ]
        #expect(graph(files).circles == [["A.swift", "B.swift", "C.swift"]])
        #expect(graph(files, coordinator: "A.swift").circles.isEmpty)
        #expect(StructureRules.circles(core(files)).map(\.path).count == 3)
    }

    @Test func `the picture has callers above those that they call`() {
        let files = [
            "A": "struct A { func a(b: B) { b.b() } }",
            "B": "struct B { func b(c: C) { c.c() } }",
            "C": "struct C { func c(b: B) { b.b() } }",
            "D": "struct D { func d(a: A) { a.a() } }",
            "E": "struct E {}",
        ]
        #expect(graph(files).picture == "D\nA\n(B C)  E")
        #expect(graph(files, coordinator: "D.swift").picture == "D\nA\n(B C)  E")
    }

    @Test func `a picture is read from the manual`() {
        let text = "# A\n<!-- layers: X/Y -->\n\n```\na\n  b\n```\n<!-- layers: Z -->\nno block"
        let found = StructureRules.pictures(in: text)
        #expect(found.map(\.folder) == ["X/Y", "Z"])
        #expect(found.map(\.line) == [2, 8])
        #expect(found.map(\.picture) == ["a\n  b", ""])
    }

    // MARK: Table and figures

    @Test func `the table only shrinks`() {
        let table = Ratchet(name: "t", allowed: ["a": 2, "b": 1])
        #expect(table.verdicts(["a": 2, "b": 1]).isEmpty)
        #expect(table.verdicts(["a": 3, "b": 1]).map(\.isError) == [true])
        #expect(table.verdicts(["a": 2, "c": 1]).map(\.isError) == [false, true])
    }

    @Test func `figures count fields, writers and circles`() {
        let text = Figures.text(
            of: core([
                "A": "final class A { var a = 1; private var b = true; func f(b: B) { b.g() } }",
                "B": "struct B { private(set) var c = 1; func g(a: A) { a.f(); a.a = 1 } }",
            ]))
        for line in [
            "stored fields of machines: 3", "  seen outside their file: 2",
            "  open to be assigned outside their file: 1", "  assigned outside their file: 1",
            "  Booleans: 1", "1 files, 1 pairs of file and field", "circles: 1, of 2 files",
            "openFields: [String: Int] = [\n        \"Sources/ProxyCore/Pooler/A.swift\": 1,\n    ]",
            "largeTypes: [String: Int] = [:]",
        ] {
            #expect(text.contains(line), "\(line)")
        }
    }
}

extension [String: [String: Set<String>]] {
    /// Names of files from names of types.
    fileprivate func mapKeys() -> Self {
        Dictionary(uniqueKeysWithValues: map { ($0.key + ".swift", $0.value) })
    }
}
