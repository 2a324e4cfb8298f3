// SPDX-License-Identifier: Apache-2.0

import Testing

/// Something that a rule does not like, where it is, and what to do about it.
struct Finding: Equatable, CustomStringConvertible {
    var path: String
    var line: Int
    var message: String

    /// As compilers write it, so that editors jump there.
    var description: String { "\(path):\(line): \(message)" }
}

/// A Swift file of the repository.
struct SwiftFile {
    /// From the root of the repository.
    let path: String
    let text: SourceText

    init(path: String, _ text: String) {
        self.path = path
        self.text = SourceText(text)
    }

    /// `ProxyCore` of `Sources/ProxyCore/Pool/Pool.swift`; empty outside `Sources`.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : ""
    }

    var isSource: Bool { path.hasPrefix("Sources/") }

    /// The file's name without folder and ending.
    var name: String {
        String((path.split(separator: "/").last ?? "").dropLast(".swift".count))
    }

    func finding(_ line: Int, _ message: String) -> Finding {
        Finding(path: path, line: line, message: message)
    }
}

/// One rule of the project's style, over one Swift file.
struct Rule: CustomTestStringConvertible, Sendable {
    let name: String
    let check: @Sendable (SwiftFile) -> [Finding]

    var testDescription: String { name }
}
