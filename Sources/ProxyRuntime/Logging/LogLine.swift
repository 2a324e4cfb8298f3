// SPDX-License-Identifier: Apache-2.0

package import Logging
internal import ProxyCore

/// One event as it is written: a line of text or of JSON, whatever it contains.
package struct LogLine: Equatable, Sendable {
    /// How a line looks.
    package enum Format: Equatable, Sendable {
        case text, json
    }

    /// Nanoseconds since 1970.
    package var time: UInt64
    package var level: Logger.Level
    package var message: String
    /// In the order in which they are shown.
    package var fields: [Field]

    /// A key and its value, as they came.
    package struct Field: Equatable, Sendable {
        package var key: String
        package var value: String
        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    package init(time: UInt64, level: Logger.Level, message: String, fields: [Field] = []) {
        self.time = time
        self.level = level
        self.message = message
        self.fields = fields
    }

    /// The line with its end; never more than one, so that no value can forge an event.
    package func rendered(as format: Format) -> String {
        switch format {
        case .text: text
        case .json: json
        }
    }

    private var text: String {
        let word = level.rawValue
        let padding = String(repeating: " ", count: max(0, 8 - word.count))
        var line = "\(Timestamp.text(nanoseconds: time)) \(word)\(padding) "
        line += Self.escapingControls(message)
        for field in fields { line += " \(Self.key(field.key))=\(Self.value(field.value))" }
        return line + "\n"
    }

    private var json: String {
        var json = JSONText()
        json.beginObject()
        json.member("time", Timestamp.text(nanoseconds: time))
        json.member("level", level.rawValue)
        json.member("message", message)
        var taken: Set = ["time", "level", "message"]
        // A key twice in an object means what its reader likes; the first one counts.
        for field in fields where taken.insert(field.key).inserted {
            json.member(field.key, field.value)
        }
        json.endObject()
        return json.text + "\n"
    }

    /// A key without anything that would end it.
    private static func key(_ key: String) -> String {
        String(key.map { $0.isWhitespace || "=\"".contains($0) ? "_" : $0 })
    }

    /// A value, in quotes where it would otherwise not end where it does.
    private static func value(_ value: String) -> String {
        let quoted = JSONText.quoted(value)
        let isPlain =
            !value.isEmpty && quoted.utf8.count == value.utf8.count + 2
            && !value.contains { $0 == "=" || $0.isWhitespace }
        return isPlain ? value : quoted
    }

    /// A message needs no quotes, only what escapes there would be between them.
    private static func escapingControls(_ text: String) -> String {
        let quoted = JSONText.quoted(text)
        guard quoted.utf8.count != text.utf8.count + 2 else { return text }
        return String(quoted.dropFirst().dropLast())
    }
}

/// A time of the wall clock as ISO 8601 writes it, in UTC, to the millisecond.
enum Timestamp {
    static func text(nanoseconds: UInt64) -> String {
        let seconds = Int(nanoseconds / 1_000_000_000)
        let (year, month, day) = date(days: seconds / 86400)
        let ofDay = seconds % 86400
        let milliseconds = Int(nanoseconds / 1_000_000 % 1000)
        return "\(pad(year, 4))-\(pad(month))-\(pad(day))T\(pad(ofDay / 3600)):"
            + "\(pad(ofDay / 60 % 60)):\(pad(ofDay % 60)).\(pad(milliseconds, 3))Z"
    }

    /// The Gregorian date so many days after 1970-01-01.
    ///
    /// Years are counted from March, so that the leap day is a year's last.
    private static func date(days: Int) -> (Int, Int, Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * march + 2) / 5 + 1
        let month = march < 10 ? march + 3 : march - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func pad(_ value: Int, _ width: Int = 2) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
