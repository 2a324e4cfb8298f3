// SPDX-License-Identifier: Apache-2.0

import StatementClassifier

/// A byte of options, then a text as of a Query.
enum StatementFuzz {
    private static let classifier = StatementClassifier()
    private static let catalogue = Catalogue(rows: [
        (kind: "f", name: "price_of"), (kind: "r", name: "orders"), (kind: "o", name: "+"),
    ])

    static func run(_ input: Input) {
        var input = input
        let options = input.byte()
        // A Query ends at its first zero.
        let text = Array(input.rest.prefix { $0 != 0 })
        let result = classify(text, options)
        require(
            (result.destination == .primary) == (result.reason != .none),
            "a destination without a reason, or the other way round")
        require(
            result.statementCount == 1 || result.control == .none && result.command == .none,
            "details of one statement among \(result.statementCount)")
        require(
            classify(text + [0x0a], options) == result, "white space at the end makes a difference")
        let followed = classify(text + Array("\n;DELETE FROM users".utf8), options)
        require(followed.destination == .primary, "the text hides the write behind it")
        _ = unsafe classifier.shapeHash(text.span.bytes)
        decode(text, result.command)
    }

    private static func classify(_ text: [UInt8], _ options: UInt8) -> Classification {
        classifier.classify(
            text.span, catalogue: options & 1 == 0 ? nil : catalogue,
            standardConformingStrings: options & 2 == 0, encodingIsSafe: options & 4 == 0)
    }

    /// What a session reads of the commands that it keeps.
    private static func decode(_ text: [UInt8], _ command: Command) {
        _ = SettingText.deallocated(text.span)
        switch command {
        case .set(let name, let value, _):
            let decoded = SettingText.name(text.span, name)
            if let value { _ = SettingText.value(text.span, value, name: decoded) }
        case .setDefault(let name), .reset(let name), .show(let name):
            _ = SettingText.name(text.span, name)
        case .setConfig(let name, let value, _):
            _ = SettingText.string(text.span, name)
            _ = SettingText.string(text.span, value)
        case .prepare(let name), .execute(let name), .deallocate(let name), .listen(let name),
            .unlisten(let name), .declareCursor(let name, _), .closeCursor(let name):
            _ = SettingText.identifier(text.span, name)
        default: break
        }
    }
}
