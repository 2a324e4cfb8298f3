// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

private func prepared(_ text: String) -> [UInt8] { PreparedPassword.bytes(of: Array(text.utf8)) }

@Suite struct PreparedPasswordTests {
    @Test(arguments: [
        ("user", "user"), ("USER", "USER"), ("I\u{ad}X", "IX"), ("\u{aa}", "a"),
        ("\u{2168}", "IX"), ("a\u{3000}b\u{a0}c", "a b c"), ("e\u{301}", "\u{e9}"),
        ("\u{fb01}\u{2460}", "fi1"), ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}"),
    ])
    func `passwords that look the same become the same`(typed: String, expected: String) {
        #expect(prepared(typed) == Array(expected.utf8))
    }

    @Test(arguments: [
        "\u{7}", "", "\u{627}1", "\u{ad}", "é\u{7}", "\u{e000}", "\u{1f600}", "\u{5d0}a\u{5d0}",
    ])
    func `what the profile prohibits stays as it is`(typed: String) {
        #expect(prepared(typed) == Array(typed.utf8))
    }

    @Test(arguments: [[0xff], [0x61, 0xe9], [0xc3], [0xed, 0xa0, 0x80]] as [[UInt8]])
    func `what is not UTF-8 stays as it is`(bytes: [UInt8]) {
        #expect(PreparedPassword.bytes(of: bytes) == bytes)
    }

    @Test func `all cases of another implementation come out alike`() {
        for (typed, expected) in preparedPasswordCases {
            let codes = typed.unicodeScalars.map { String($0.value, radix: 16) }
            #expect(prepared(typed) == Array((expected ?? typed).utf8), "\(codes)")
        }
        #expect(preparedPasswordCases.count > 400)
        #expect(preparedPasswordCases.contains { $0.1 == nil })
    }

    @Test func `a password that is prepared stays the same when it is prepared again`() {
        for (_, expected) in preparedPasswordCases {
            guard let expected else { continue }
            #expect(prepared(expected) == Array(expected.utf8))
        }
    }
}
