// SPDX-License-Identifier: Apache-2.0

import ProxyRuntime
import Testing

struct LineSplitterTests {
    @Test func `lines are cut wherever their pieces end, and are no longer than they may be`() {
        let text = Array("ab\n\ncde\nf\ng".utf8)
        let whole = ["ab", "cde", "f"].map { Array($0.utf8) }
        for size in 1...text.count {
            var splitter = LineSplitter(limit: 3)
            var lines: [[UInt8]] = []
            for start in stride(from: 0, to: text.count, by: size) {
                let piece = text[start..<min(start + size, text.count)]
                lines += splitter.append(piece) ?? [Array("too long".utf8)]
            }
            #expect(lines == whole)
            #expect(splitter.takeRest() == Array("g".utf8))
            #expect(splitter.takeRest() == nil)
        }
        var splitter = LineSplitter(limit: 3)
        #expect(splitter.append(Array("abcd\n".utf8)) == nil)
        #expect(splitter.append(Array("ab".utf8)) == [])
        #expect(splitter.append(Array("cd".utf8)) == nil)
    }
}
