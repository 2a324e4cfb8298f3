// SPDX-License-Identifier: Apache-2.0

/// Writes Prometheus' text format, version 0.0.4.
///
/// A family is begun once, with its help and type, and all its samples follow it: the format
/// forbids to come back to a family later, and this writer traps on it.
package struct PrometheusText {
    /// The media type of the format.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The page as far as it is written.
    package private(set) var text = ""
    private var family: MetricFamily?
    private var begun: Set<String> = []

    package init() { text.reserveCapacity(16 << 10) }

    /// Begins a family; the samples that follow belong to it.
    package mutating func begin(_ family: MetricFamily) {
        precondition(begun.insert(family.name).inserted, "a family is written once")
        self.family = family
        text += "# HELP \(family.name) \(Self.escaped(help: family.help))\n"
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
    }

    /// One sample without labels.
    package mutating func sample(_ value: some SampleValue) {
        line([], value.sampleText)
    }

    /// One sample; the labels keep their order.
    package mutating func sample(_ labels: [(String, String)], _ value: some SampleValue) {
        line(labels, value.sampleText)
    }

    /// All buckets of a histogram, its sum and its count.
    package mutating func histogram(_ labels: [(String, String)], _ values: DurationHistogram) {
        for index in 0..<DurationHistogram.boundCount {
            let bound = Self.seconds(microseconds: DurationHistogram.bound(index))
            line(labels + [("le", bound)], "\(values.cumulative(index))", suffix: "_bucket")
        }
        line(labels + [("le", "+Inf")], "\(values.count)", suffix: "_bucket")
        line(labels, values.sum.sampleText, suffix: "_sum")
        line(labels, "\(values.count)", suffix: "_count")
    }

    private mutating func line(
        _ labels: [(String, String)], _ value: String, suffix: String = ""
    ) {
        guard let family else { preconditionFailure("a sample outside a family") }
        text += family.name
        text += suffix
        if !labels.isEmpty {
            text += "{"
            text += labels.map { "\($0.0)=\"\(Self.escaped(label: $0.1))\"" }.joined(separator: ",")
            text += "}"
        }
        text += " \(value)\n"
    }

    /// A label value: backslash, quote and newline are escaped.
    package static func escaped(label: String) -> String {
        escape(label, quotes: true)
    }

    /// A help text: only backslash and newline are.
    package static func escaped(help: String) -> String {
        escape(help, quotes: false)
    }

    private static func escape(_ text: String, quotes: Bool) -> String {
        var result = ""
        // Scalars, not characters: "\r\n" is one character and must not slip through.
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// An exact decimal, so that a bound is the same text in every version.
    private static func seconds(microseconds: UInt64) -> String {
        let fraction = String(microseconds % 1_000_000)
        var digits = String(repeating: "0", count: 6 - fraction.count) + fraction
        while digits.hasSuffix("0") { digits.removeLast() }
        let whole = String(microseconds / 1_000_000)
        return digits.isEmpty ? "\(whole).0" : "\(whole).\(digits)"
    }
}

/// A number as a sample shows it.
package protocol SampleValue {
    var sampleText: String { get }
}

extension Int: SampleValue {
    package var sampleText: String { description }
}

extension UInt64: SampleValue {
    package var sampleText: String { description }
}

extension Double: SampleValue {
    /// Text that Go's `ParseFloat` reads; whole numbers have no fraction.
    package var sampleText: String {
        if isNaN { return "NaN" }
        if isInfinite { return self > 0 ? "+Inf" : "-Inf" }
        if self == rounded(), magnitude < 1e15 { return Int64(self).description }
        return description
    }
}
