// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import Testing

/// Which descriptions are the same to PostgreSQL when it looks at a cached plan.
struct DescribedColumnsTests {
    /// One column of a RowDescription.
    private struct Column {
        var name = "a"
        var table = 0
        var attribute = 0
        var type = 23
        var size = 4
        var modifier = -1
        var format = 0

        var bytes: [UInt8] {
            Message.text(name) + Message.int32(table) + Message.int16(attribute)
                + Message.int32(type) + Message.int16(size) + Message.int32(modifier)
                + Message.int16(format)
        }
    }

    private func columns(_ all: Column...) -> ResultColumns? {
        columns(body: Message.int16(all.count) + all.flatMap(\.bytes))
    }

    private func columns(body: [UInt8]) -> ResultColumns? {
        ResultColumns(rowDescription: body.rawSpan, hashing: ByteHash(seed: 1))
    }

    @Test func `names, types, sizes and modifiers count`() {
        let usual = columns(Column())
        #expect(usual != nil && usual == columns(Column()))
        for other in [
            Column(name: "b"), Column(name: ""), Column(type: 25), Column(size: 8),
            Column(modifier: 4),
        ] {
            #expect(columns(other) != usual)
        }
    }

    @Test func `where a column comes from and its format do not count`() {
        let usual = columns(Column())
        for same in [Column(table: 16_384), Column(attribute: 3), Column(format: 1)] {
            #expect(columns(same) == usual)
        }
    }

    @Test func `number and order of columns count`() {
        let (a, b) = (Column(name: "a"), Column(name: "b"))
        let all = [columns(), columns(a), columns(a, b), columns(b, a), columns(a, a)]
        for (index, one) in all.enumerated() {
            #expect(one != nil && all.firstIndex(of: one) == index)
        }
        #expect(columns(Column(name: "ab"), Column(name: "c"))
            != columns(Column(name: "a"), Column(name: "bc")))
    }

    @Test func `what was described is neither unknown nor nothing`() {
        for columns in [columns(), columns(Column())] {
            #expect(columns != .unknown && columns != ResultColumns.none)
        }
    }

    @Test func `a description of fewer than no columns is none, and ends nothing`() {
        #expect(columns(body: Message.int16(-1)) == nil)
        #expect(columns(body: Message.int16(-1) + Column().bytes) == nil)
    }

    @Test func `a description that is cut short is none`() {
        let whole = Message.int16(2) + Column().bytes + Column(name: "bc").bytes
        #expect(columns(body: whole) != nil)
        for count in 0..<whole.count {
            #expect(columns(body: Array(whole[..<count])) == nil, "\(count) bytes")
        }
    }
}
