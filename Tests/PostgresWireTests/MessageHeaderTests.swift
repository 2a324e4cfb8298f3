// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

private func message(_ kind: Character, _ body: Int) -> [UInt8] {
    let length = UInt32(body + 4)
    return [kind.asciiValue ?? 0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
        + [UInt8](repeating: 7, count: body)
}

private func end(_ bytes: [UInt8], from offset: Int = 0, maximumBody: Int = 100) -> Int {
    MessageHeader.endOfRun(
        of: BackendKind.dataRow, in: bytes.rawSpan, from: offset, maximumBody: maximumBody)
}

@Suite struct MessageHeaderTests {
    private let rows = message("D", 3) + message("D", 0) + message("D", 100)

    @Test func `a run ends where another kind begins`() {
        #expect(end(rows) == rows.count)
        #expect(end(rows + message("C", 2) + message("D", 1)) == rows.count)
        #expect(end(message("C", 2) + rows) == 0)
    }

    @Test func `a run begins at the offset`() {
        #expect(end(message("C", 2) + rows, from: 7) == 7 + rows.count)
        #expect(end(rows, from: rows.count) == rows.count)
    }

    @Test(arguments: 1..<8)
    func `a message that is not all there is not in the run`(missing: Int) {
        let whole = rows + message("D", 3)
        #expect(end([UInt8](whole.dropLast(missing))) == rows.count)
    }

    @Test func `a message that is too long is not in the run`() {
        #expect(end(rows + message("D", 101)) == rows.count)
        #expect(end(rows, maximumBody: 2) == 0)
    }

    @Test func `what is no header is not in the run`() {
        #expect(end(rows + [68, 0, 0, 0, 3, 1, 2, 3]) == rows.count)
        #expect(end(rows + [68, 255, 255, 255, 255, 1]) == rows.count)
    }
}
