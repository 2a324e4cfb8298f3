// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// A number with one of PostgreSQL's units, in the smallest of them.
private struct Quantity: Sendable {
    /// Largest first.
    let units: [(name: String, factor: UInt64)]
    /// What people write by habit, and what they mean.
    let habits: [String: String]

    static let time = Quantity(
        units: [
            ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("min", 60_000_000_000),
            ("s", 1_000_000_000), ("ms", 1_000_000),
        ],
        habits: [
            "m": "min", "mins": "min", "minute": "min", "minutes": "min", "sec": "s", "secs": "s",
            "second": "s", "seconds": "s", "hour": "h", "hours": "h", "day": "d", "days": "d",
            "msec": "ms",
        ])

    static let size = Quantity(
        units: [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)],
        habits: [
            "b": "B", "k": "kB", "kb": "kB", "kib": "kB", "ki": "kB", "m": "MB", "mb": "MB",
            "mib": "MB", "mi": "MB", "g": "GB", "gb": "GB", "gib": "GB", "gi": "GB", "t": "TB",
            "tb": "TB", "tib": "TB", "ti": "TB",
        ])

    /// As PostgreSQL: digits, perhaps a fraction, perhaps a space, a unit. Only 0 needs no unit.
    func parse(_ text: String, in range: ClosedRange<UInt64>) -> Parsed<UInt64> {
        let digits = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let unit = trimmed(text[digits.endIndex...])
        let names = units.reversed().map(\.name).joined(separator: ", ")
        guard let number = Double(digits), digits.first != ".", digits.last != "." else {
            return .wrong("is not a number with a unit", suggestion: "units are \(names)")
        }
        if unit.isEmpty, number != 0 {
            return .wrong(
                "has no unit", suggestion: "write \(digits)\(units[units.count - 2].name)?")
        }
        let factor = unit.isEmpty ? 1 : units.first { $0.name == unit }?.factor
        guard let factor else {
            let meant = habits[unit.lowercased()].map { "did you mean \(digits)\($0)?" }
            return .wrong(
                "has an unknown unit", suggestion: meant ?? "units are \(names)")
        }
        let product = (number * Double(factor)).rounded()
        guard product < 0x1p63, range.contains(UInt64(product)) else {
            return .wrong(
                "is not between \(format(range.lowerBound)) and \(format(range.upperBound))")
        }
        return .value(UInt64(product))
    }

    /// In the largest unit that needs no fraction.
    func format(_ value: UInt64) -> String {
        guard value > 0, let unit = units.first(where: { value.isMultiple(of: $0.factor) }) else {
            return "0"
        }
        return "\(value / unit.factor)\(unit.name)"
    }
}

extension Parsed {
    /// The same verdict over a converted value.
    func map<Other: Sendable>(_ convert: (Value) -> Other) -> Parsed<Other> {
        switch self {
        case .value(let value): .value(convert(value))
        case .wrong(let message, let suggestion): .wrong(message, suggestion: suggestion)
        case .unspeakable(let message): .unspeakable(message)
        }
    }
}

extension SettingKind where Value == Instant.Span {
    /// At least a millisecond, at most thirty days.
    static let duration = length(Instant.Span.milliseconds(1)...maximum)
    /// The same, or 0 for none.
    static let durationOrZero = length(Instant.Span.zero...maximum)

    /// A month: more is a mistake of units.
    static let maximum = Instant.Span.seconds(30 * 86_400)

    /// Within bounds that the error names.
    static func length(_ range: ClosedRange<Instant.Span>) -> Self {
        let bounds = range.lowerBound.nanoseconds...range.upperBound.nanoseconds
        return scalar("duration", write: formatDuration) { text in
            let parsed = Quantity.time.parse(text, in: bounds)
            return parsed.map { Instant.Span(nanoseconds: $0) }
        }
    }
}

/// A length of time as the configuration writes it, such as `150ms`.
@Sendable func formatDuration(_ span: Instant.Span) -> String {
    Quantity.time.format(span.nanoseconds)
}

/// A number of bytes as the configuration writes it, such as `16MB`.
func formatSize(_ bytes: some BinaryInteger) -> String {
    Quantity.size.format(UInt64(bytes))
}

extension SettingKind where Value: BinaryInteger {
    /// A number of bytes within bounds.
    static func size(_ range: ClosedRange<UInt64>) -> Self {
        scalar("size", write: { formatSize($0) }) { text in
            Quantity.size.parse(text, in: range).map { Value($0) }
        }
    }
}
