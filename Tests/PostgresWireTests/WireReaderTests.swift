// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing

/// One read of a body.
private enum Field {
    case byte, int16, int32, string
    case skip(Int)
}

/// What reads of a body gave, and how they ended.
private struct Reading: Equatable {
    var values: [Int] = []
    var offset = 0
    var fault: WireError?

    init(_ values: [Int], offset: Int, _ fault: WireError? = nil) {
        self.values = values
        self.offset = offset
        self.fault = fault
    }

    /// Strings count as the place where they begin and the one where they end.
    init(_ bytes: [UInt8], _ fields: [Field]) {
        var reader = WireReader(bytes.rawSpan)
        do {
            for field in fields {
                switch field {
                case .byte: values.append(Int(try reader.byte()))
                case .int16: values.append(Int(try reader.int16()))
                case .int32: values.append(Int(try reader.int32()))
                case .skip(let count): try reader.skip(count)
                case .string:
                    let range = try reader.terminated()
                    values += [range.lowerBound, range.upperBound]
                }
            }
        } catch {
            fault = error
        }
        offset = reader.offset
        if reader.remaining != bytes.count - offset { values.append(.min) }
    }
}

struct WireReaderTests {
    @Test func `fields follow each other, highest byte first`() {
        #expect(
            Reading([7, 1, 2, 0, 1, 0, 0], [.byte, .int16, .int32])
                == Reading([7, 258, 65_536], offset: 7))
        #expect(
            Reading([0xff, 0xff, 0xfe, 0x80, 0, 0, 0], [.byte, .int16, .int32])
                == Reading([255, -2, Int(Int32.min)], offset: 7))
    }

    @Test(arguments: [
        (Field.byte, 1), (.int16, 2), (.int32, 4), (.skip(1), 1), (.skip(9), 9),
    ])
    private func `a field that is not all there is truncated, and nothing is read of it`(
        field: Field, size: Int
    ) {
        for count in 0..<size {
            let bytes = [UInt8](repeating: 1, count: count)
            #expect(Reading(bytes, [field]) == Reading([], offset: 0, .truncated))
            #expect(Reading([5] + bytes, [.byte, field]) == Reading([5], offset: 1, .truncated))
        }
        #expect(Reading([UInt8](repeating: 0, count: size), [field]).fault == nil)
    }

    @Test func `a string is where it was, without its zero`() {
        let bytes = terminated("ab", "", "é")
        #expect(
            Reading(bytes, [.string, .string, .string]) == Reading([0, 2, 3, 3, 4, 6], offset: 7))
        #expect(bytes.rawSpan.text(4..<6) == "é")
    }

    @Test func `a string without its zero is unterminated`() {
        #expect(Reading([], [.string]).fault == .unterminated)
        #expect(Reading([65, 66], [.string]).fault == .unterminated)
        #expect(Reading([65, 0, 66], [.string, .string]).fault == .unterminated)
    }

    @Test(arguments: [-1, Int.min, Int.max, 4])
    func `no more is skipped than there is`(count: Int) {
        #expect(Reading([1, 2, 3], [.skip(count)]) == Reading([], offset: 0, .truncated))
        #expect(Reading([1, 2, 3], [.skip(3), .skip(0)]) == Reading([], offset: 3))
    }

    @Test func `a reader of a part stays in it`() {
        let bytes: [UInt8] = [1, 2, 3, 0, 5]
        var reader = WireReader(bytes.rawSpan.extracting(1..<3))
        #expect((try? reader.byte()) == 2)
        #expect((try? reader.terminated()) == nil)
    }

    @Test func `ranges are copied, compared and made text of`() {
        let bytes: [UInt8] = [0x61, 0xc3, 0xa9, 0xff, 0x62]
        #expect(bytes.rawSpan.copy(1..<3) == [0xc3, 0xa9] && bytes.rawSpan.copy(5..<5) == [])
        #expect(bytes.rawSpan.text(0..<5) == "aé\u{fffd}b")
        #expect(bytes.rawSpan.byte(at: 3) == 0xff)
        let span = bytes.rawSpan
        let answers = [
            span.equals([0xc3, 0xa9], in: 1..<3), span.equals([0xc3, 0xa8], in: 1..<3),
            span.equals([0xc3], in: 1..<3), span.equals([], in: 2..<2),
        ]
        #expect(answers == [true, false, false, true])
    }
}
