// SPDX-License-Identifier: Apache-2.0

/// Everything that is wrong with a configuration, so that one run shows all of it.
package struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// In the order in which they were found; never empty.
    package let problems: [Problem]

    /// One line a problem; holds no password, even where one is the problem.
    package var description: String { problems.map(\.description).joined(separator: "\n") }

    /// One thing that is wrong, where, and what would be right.
    package struct Problem: Equatable, Sendable, CustomStringConvertible {
        package let origin: Origin
        /// The setting's full name, such as `pools.size`; empty when none is meant.
        package let path: String
        package let message: String
        package let suggestion: String?

        package var description: String {
            var text = origin == .standard ? "" : "\(origin): "
            if !path.isEmpty { text += "\(path): " }
            text += message
            if let suggestion { text += "; \(suggestion)" }
            return text
        }
    }
}

/// Collects problems while a configuration is read; reading goes on after each.
struct Problems {
    /// In the order of reporting.
    private(set) var found: [ConfigurationError.Problem] = []
    /// Set while a secret is read: messages then do not repeat what was written.
    var hidesValues = false

    /// Notes one problem; an empty path stands for the whole source.
    mutating func report(
        _ origin: Origin, _ path: String, _ message: String, suggestion: String? = nil
    ) {
        found.append(
            ConfigurationError.Problem(
                origin: origin, path: path, message: message, suggestion: suggestion))
    }

    /// A key that is none, for a message: as far as it looks like a key. What stands behind that in
    /// a damaged file may be a secret.
    static func name(_ key: String) -> String {
        let name = key.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        return name.count == key.count ? key : "\(name)..."
    }

    /// What was written, for a message; shortened, and never a secret.
    func quote(_ text: String) -> String {
        if hidesValues { return "what is written" }
        return text.count > 60 ? "'\(text.prefix(57))...'" : "'\(text)'"
    }
}
