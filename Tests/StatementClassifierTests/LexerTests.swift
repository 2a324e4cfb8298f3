// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

struct LexerTests {
    // Edge cases: 90
    @Test func `comments and strings hide what is in them`() {
        check("SELECT '; DELETE FROM t; --'", "replica")
        check("SELECT 1 -- ; DELETE FROM t", "replica")
        check("SELECT 1 /* ; DELETE FROM t */", "replica")
        check("SELECT 1 /* /* */ ; DELETE FROM t */", "replica")
        check("SELECT $$ ; DELETE FROM t; $$", "replica")
        check("SELECT $a$ $$ ; DELETE FROM t; $b$ $a$", "replica")
        check("SELECT \"; DELETE FROM t\" FROM x", "replica")
        check("SELECT E'\\'; DELETE FROM t; --'", "replica")
        check("SELECT 'a''; DELETE FROM t; --'", "replica")
        check("SELECT E'a'\n'\\'; DELETE FROM t; --'", "replica")
        check("SELECT E'a' -- x\n '\\'; DELETE FROM t; --'", "replica")
        check("SELECT N'x; DELETE', B'01', X'FF', U&'\\0061; DELETE'", "replica")
    }

    @Test func `what follows them is seen`() {
        check("SELECT 'a'; DELETE FROM t", "data-modification")
        check("SELECT 'a\\'; DELETE FROM t; --'", "data-modification")
        check("SELECT E'a'; DELETE FROM t", "data-modification")
        check("SELECT E'a' '\\'; DELETE FROM t", "data-modification")
        check("SELECT E'a'\n'\\\\'; DELETE FROM t", "data-modification")
        check("SELECT $$a$$; DELETE FROM t", "data-modification")
        check("SELECT $a$ $b$ $a$; DELETE FROM t", "data-modification")
        check("SELECT a$b$; DELETE FROM t; SELECT a$b$", "data-modification")
        check("SELECT $1; DELETE FROM t", "data-modification")
        check("SELECT 1 /* x */; DELETE FROM t", "data-modification")
        check("SELECT 1 -- x\n; DELETE FROM t", "data-modification")
        check("SELECT 1 -- x\r; DELETE FROM t", "data-modification")
        check("SELECT U&'a\\'; DELETE FROM t", "data-modification")
        check("SELECT 1+--x\n2; DELETE FROM t", "data-modification")
        check("SELECT 1*/*x*/2; DELETE FROM t", "data-modification")
        check("SELECT \"a\"\"b\"; DELETE FROM t", "data-modification")
        check("SELECT 1for update", "locking-clause")
    }

    // Edge cases: 90
    @Test func `a backslash escapes in plain strings when the session says so`() {
        let sql = "SELECT 'a\\'; DELETE FROM t; --'"
        #expect(classify(sql, conforming: false).summary == "replica")
        #expect(classify(sql, conforming: true).summary == "data-modification")
        let other = "SELECT 'a\\\\'; DELETE FROM t"
        #expect(classify(other, conforming: false).summary == "data-modification")
        let continued = "SELECT 'a'\n'\\'; DELETE FROM t; --'"
        #expect(classify(continued, conforming: false).summary == "replica")
        #expect(classify("SELECT N'\\'; DELETE'", conforming: false).summary == "replica")
    }

    @Test func `what never ends or cannot be is unparsable`() {
        for sql in [
            "SELECT 'a", "SELECT E'a\\'", "SELECT \"a", "SELECT $$a", "SELECT $a$ $b$",
            "SELECT /* a",
            "SELECT /* /* */", "SELECT (1", "SELECT 1)", "SELECT (1; SELECT 2)", "SELECT \\ 1",
            "SELECT {1}",
            "SELECT U&\"d\\0061t\" FROM t", "SELECT \"\" FROM t", "SELECT 'a\0b'", "'a", "/* x",
            "SELECT $a", "SELECT \u{7F}", "SELECT \(String(repeating: "(", count: 70))",
        ] {
            let result = classify(sql)
            #expect(result.destination == .primary, "\(sql)")
            #expect(result.effects.contains(.opaque), "\(sql)")
            #expect(result.control == .none && result.command == .none, "\(sql)")
        }
    }

    @Test func `deep but finite nesting is read`() {
        let nested = String(repeating: "(", count: 60) + "1" + String(repeating: ")", count: 60)
        check("SELECT \(nested)", "replica")
    }

    @Test func `operators end where PostgreSQL ends them`() {
        check("SELECT 1=-1, 2<>-1, 3*-1, @-1, a->>'b', a#>>'{c}', a@>b, a?|b", "replica")
        #expect(classify("SET a=-1").command == .set(name: 4..<5, value: 6..<8, local: false))
        check("SELECT a ~~!b FROM t", "volatile-operator")
        check("SELECT a ~~!- 1 FROM t", "replica")
    }

    @Test func `hints stand in a leading comment`() {
        #expect(classify("/* martlet: primary */ SELECT 1").hint == .primary)
        #expect(classify("/*MARTLET:Replica*/SELECT 1").hint == .replica)
        #expect(classify("  -- x\n /* a */ /*\n martlet :\tprimary */ SELECT 1").hint == .primary)
        #expect(classify("/* martlet: primary */").hint == .primary)
        #expect(classify("SELECT 1 /* martlet: primary */").hint == nil)
        #expect(classify("/* martlet: other */ SELECT 1").hint == nil)
        #expect(classify("/* not martlet: primary */ SELECT 1").hint == nil)
        #expect(classify("SELECT '/* martlet: primary */'").hint == nil)
        #expect(classify("/* martlet: replica */ DELETE FROM t").destination == .primary)
    }

    // Edge cases: 90
    @Test func `encodings with ASCII in their characters are trusted only in ASCII`() {
        #expect(classify("SELECT 'abc'", encodingIsSafe: false).destination == .replica)
        let result = classify("SELECT 'é'", encodingIsSafe: false)
        #expect(result.summary == "unsafe-encoding +opaque")
        #expect(result.containsTransactionControl && result.changesSchema)
        #expect(classify("SELECT 'é'").destination == .replica)
    }

    // Edge cases: 91
    @Test func `a text beyond the limit is not looked at`() {
        let bytes = Array("SELECT 1".utf8)
        let classifier = StatementClassifier(maximumLength: 7)
        #expect(classifier.classify(bytes.span, catalogue: nil).summary == "too-long +opaque")
        let fitting = StatementClassifier(maximumLength: 8)
        #expect(fitting.classify(bytes.span, catalogue: nil).summary == "replica")
    }

    @Test func `raw spans are read as bytes`() {
        let bytes = Array("BEGIN READ ONLY".utf8)
        let result = unsafe StatementClassifier().classify(bytes.span.bytes, catalogue: nil)
        #expect(result == classify("BEGIN READ ONLY"))
    }
}
