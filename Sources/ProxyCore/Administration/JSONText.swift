// SPDX-License-Identifier: Apache-2.0

/// Writes JSON (RFC 8259): the few shapes that martlet's own documents need.
package struct JSONText {
    /// The document as far as it is written.
    package private(set) var text = ""
    private var needsComma = false

    package init() {}

    package mutating func beginObject() { open("{") }
    package mutating func endObject() { close("}") }
    /// Begins an object that is a member of the present one.
    package mutating func beginObject(_ name: String) {
        key(name)
        open("{")
    }
    /// Begins an array that is a member of the present object.
    package mutating func beginArray(_ name: String) {
        key(name)
        open("[")
    }
    package mutating func endArray() { close("]") }

    /// A string in the present array.
    package mutating func element(_ value: String) {
        separate()
        put(Self.quoted(value))
    }

    /// A string; null for none.
    package mutating func member(_ name: String, _ value: String?) {
        key(name)
        put(value.map(Self.quoted) ?? "null")
    }

    /// A whole number; null for none.
    package mutating func member(_ name: String, _ value: UInt64?) {
        key(name)
        put(value.map { "\($0)" } ?? "null")
    }

    /// A truth value.
    package mutating func member(_ name: String, _ value: Bool) {
        key(name)
        put(value ? "true" : "false")
    }

    /// A number; null for what JSON cannot say.
    package mutating func member(_ name: String, _ value: Double?) {
        key(name)
        put(value.flatMap { $0.isFinite ? "\($0)" : nil } ?? "null")
    }

    private mutating func key(_ name: String) {
        separate()
        text += Self.quoted(name) + ":"
        needsComma = false
    }

    private mutating func open(_ bracket: String) {
        separate()
        text += bracket
        needsComma = false
    }

    private mutating func close(_ bracket: String) {
        text += bracket
        needsComma = true
    }

    private mutating func put(_ value: String) {
        text += value
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { text += "," }
    }

    /// A string with its quotes; what could end a line or confuse a terminal as escapes.
    package static func quoted(_ value: String) -> String {
        var result = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isUnsafe(scalar):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// Controls, line separators, and marks that reorder the text around them.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
