// SPDX-License-Identifier: Apache-2.0

/// SASLprep (RFC 4013): one spelling for passwords that look the same.
///
/// Step by step what PostgreSQL and libpq do, so that a secret made here is the one made there:
/// ASCII stays as it is, control characters included; a password that is not UTF-8, or that
/// SASLprep prohibits, is used as its bytes. Foundation's normalisation is not available to the
/// core, hence the tables.
package enum PreparedPassword {
    /// The bytes that go into the key derivation.
    package static func bytes(of password: [UInt8]) -> [UInt8] {
        if password.allSatisfy({ $0 < 0x80 }) { return password }
        guard let text = String(validating: password, as: UTF8.self),
            let prepared = SASLprep.shared.prepare(text.unicodeScalars.map(\.value))
        else { return password }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: prepared.compactMap(Unicode.Scalar.init))
        return Array(String(view).utf8)
    }
}

/// The profile itself, with its tables read; made when the first password needs it.
private struct SASLprep: Sendable {
    static let shared = SASLprep()

    private let spaces = CodeRanges(SASLprepTables.spaces)
    private let ignored = CodeRanges(SASLprepTables.ignored)
    private let prohibited = CodeRanges(SASLprepTables.prohibited)
    private let rightToLeft = CodeRanges(SASLprepTables.rightToLeft)
    private let leftToRight = CodeRanges(SASLprepTables.leftToRight)
    private let normalization = Normalization()

    /// Nil where the profile prohibits the password.
    func prepare(_ text: [UInt32]) -> [UInt32]? {
        let mapped = text.compactMap { code -> UInt32? in
            spaces.contains(code) ? 0x20 : ignored.contains(code) ? nil : code
        }
        guard !mapped.isEmpty else { return nil }
        let normal = normalization.compose(mapped)
        guard let first = normal.first, let last = normal.last,
            !normal.contains(where: prohibited.contains)
        else { return nil }
        // RFC 3454, section 6: text that runs to the left does so from end to end.
        if normal.contains(where: rightToLeft.contains) {
            guard !normal.contains(where: leftToRight.contains),
                rightToLeft.contains(first), rightToLeft.contains(last)
            else { return nil }
        }
        return normal
    }
}

/// A set of code points, from text like `A0 2000-200B`.
private struct CodeRanges: Sendable {
    private let ranges: [ClosedRange<UInt32>]

    init(_ table: StaticString) {
        ranges = TableText.items(of: table).compactMap(TableText.range)
    }

    func contains(_ code: UInt32) -> Bool {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < code { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(code)
    }
}

/// Unicode's normalisation form KC.
private struct Normalization: Sendable {
    private var decompositions: [UInt32: [UInt32]] = [:]
    private var compositions: [UInt64: UInt32] = [:]
    private var classes: [UInt32: Int] = [:]

    init() {
        for (key, value) in TableText.pairs(of: SASLprepTables.decompositions) {
            guard let code = TableText.codes(key).first else { continue }
            decompositions[code] = TableText.codes(value)
        }
        for (key, value) in TableText.pairs(of: SASLprepTables.compositions) {
            let parts = TableText.codes(key)
            guard parts.count == 2, let code = TableText.codes(value).first else { continue }
            compositions[UInt64(parts[0]) << 32 | UInt64(parts[1])] = code
        }
        for (key, value) in TableText.pairs(of: SASLprepTables.combiningClasses) {
            guard let range = TableText.range(key), let combining = Int(value) else { continue }
            for code in range { classes[code] = combining }
        }
    }

    func compose(_ text: [UInt32]) -> [UInt32] {
        let codes = ordered(text.flatMap(decompose))
        var result: [UInt32] = []
        // Where the last starter stands, and the class of what follows it so far.
        var starter: Int?
        var lastClass = 0
        for code in codes {
            let combining = classes[code] ?? 0
            let isBlocked = starter.map { result.count - 1 > $0 && lastClass >= combining } ?? true
            if let starter, !isBlocked, let composed = composition(result[starter], code) {
                result[starter] = composed
                continue
            }
            if combining == 0 { starter = result.count }
            lastClass = combining
            result.append(code)
        }
        return result
    }

    private func decompose(_ code: UInt32) -> [UInt32] {
        guard Hangul.syllables.contains(code) else { return decompositions[code] ?? [code] }
        let index = code - Hangul.syllables.lowerBound
        let (leading, rest) = index.quotientAndRemainder(dividingBy: Hangul.perLeading)
        let (vowel, trailing) = rest.quotientAndRemainder(dividingBy: Hangul.trailingCount)
        let pair = [Hangul.leadingBase + leading, Hangul.vowelBase + vowel]
        return trailing == 0 ? pair : pair + [Hangul.trailingBase + trailing]
    }

    /// Sorts the marks after a starter by class; equal ones keep their order.
    private func ordered(_ codes: [UInt32]) -> [UInt32] {
        var codes = codes
        for i in codes.indices.dropFirst() {
            let combining = classes[codes[i]] ?? 0
            guard combining > 0 else { continue }
            var j = i
            while j > 0, (classes[codes[j - 1]] ?? 0) > combining {
                codes.swapAt(j, j - 1)
                j -= 1
            }
        }
        return codes
    }

    private func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if Hangul.leading.contains(first), Hangul.vowels.contains(second) {
            return Hangul.syllables.lowerBound
                + (first - Hangul.leadingBase) * Hangul.perLeading
                + (second - Hangul.vowelBase) * Hangul.trailingCount
        }
        if Hangul.syllables.contains(first), Hangul.trailing.contains(second),
            (first - Hangul.syllables.lowerBound) % Hangul.trailingCount == 0
        {
            return first + (second - Hangul.trailingBase)
        }
        return compositions[UInt64(first) << 32 | UInt64(second)]
    }
}

/// Hangul syllables are computed (The Unicode Standard, section 3.12).
private enum Hangul {
    static let syllables: ClosedRange<UInt32> = 0xac00...0xd7a3
    static let leadingBase: UInt32 = 0x1100
    static let vowelBase: UInt32 = 0x1161
    /// The code point before the first: a remainder of zero means that there is none.
    static let trailingBase: UInt32 = 0x11a7
    static let leading: ClosedRange<UInt32> = 0x1100...0x1112
    static let vowels: ClosedRange<UInt32> = 0x1161...0x1175
    static let trailing: ClosedRange<UInt32> = 0x11a8...0x11c2
    static let trailingCount: UInt32 = 28
    static let perLeading: UInt32 = 28 * 21
}

/// Reads the text of the tables; what is malformed is left out, and the tests would miss it.
private enum TableText {
    static func items(of table: StaticString) -> [Substring] {
        table.description.split(separator: " ")
    }

    static func pairs(of table: StaticString) -> [(Substring, Substring)] {
        items(of: table).compactMap { item in
            guard let equals = item.firstIndex(of: "=") else { return nil }
            return (item[..<equals], item[item.index(after: equals)...])
        }
    }

    static func codes(_ text: Substring) -> [UInt32] {
        text.split(separator: ",").compactMap { UInt32($0, radix: 16) }
    }

    static func range(_ text: Substring) -> ClosedRange<UInt32>? {
        let ends = text.split(separator: "-").compactMap { UInt32($0, radix: 16) }
        guard let first = ends.first, let last = ends.last, first <= last else { return nil }
        return first...last
    }
}
