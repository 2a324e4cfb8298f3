// SPDX-License-Identifier: Apache-2.0

/// Client encodings in which a byte of a character may look like an ASCII character.
enum ClientEncoding {
    private static let unsafe: Set<String> = [
        "SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB",
    ]

    static func isSafe(_ name: String?) -> Bool { name.map { !unsafe.contains($0) } ?? true }
}
