// SPDX-License-Identifier: Apache-2.0
internal import StatementClassifier
internal import Testing

struct ShapeHashTests {
    private func shape(_ sql: String) -> UInt64 {
        let bytes = Array(sql.utf8)
        return StatementClassifier().shapeHash(bytes.span)
    }

    @Test func `constants, case, spaces and comments make no difference`() {
        let shapes = [
            "SELECT * FROM t WHERE a = 1", "select * from t where a=2",
            "SELECT * FROM t WHERE a = 'x'",
            "SELECT /* c */ *\nFROM t -- d\nWHERE a = $$x$$",
            "SELECT * FROM \"t\" WHERE a = E'\\''",
        ].map(shape)
        #expect(Set(shapes.dropLast()).count == 1)
        // A quoted name may be another one than it seems, so it may have a shape of its own.
        #expect(shapes.last != shape("SELECT * FROM u WHERE a = 1"))
    }

    @Test func `lists of constants have one shape whatever their length`() {
        #expect(shape("SELECT 1 WHERE a IN (1)") == shape("SELECT 1 WHERE a IN (1, 2, 3)"))
        #expect(
            shape("SELECT 1 WHERE a IN ('x', 'y')") == shape("SELECT 1 WHERE a IN (1, 2, 3, 4)"))
        #expect(shape("SELECT f(1, a)") != shape("SELECT f(1, 2)"))
    }

    @Test func `different statements differ`() {
        let all = [
            "SELECT 1", "SELECT a", "SELECT b", "SELECT a, b", "SELECT b, a", "SELECT a FROM t",
            "SELECT a FROM u", "SELECT f(a)", "SELECT a + b", "SELECT a - b", "SELECT $1",
            "DELETE FROM t",
            "SELECT 1 FROM t WHERE a", "SELECT 1; SELECT 1", "", "SELECT (a)", "SELECT a.b",
            "SELECT a b",
        ]
        #expect(Set(all.map(shape)).count == all.count)
    }
}
