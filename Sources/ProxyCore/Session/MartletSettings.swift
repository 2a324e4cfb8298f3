// SPDX-License-Identifier: Apache-2.0

/// A session's settings of martlet itself, as in `SET martlet.route = 'replica'`: their values now,
/// and those of the startup packet, to which RESET sets them back.
///
/// PostgreSQL accepts settings of any name with a dot, so the same statements run without martlet.
package struct MartletSettings: Sendable {
    /// The values at one time; nil where the session has chosen none.
    package struct Values: Equatable, Sendable {
        package fileprivate(set) var route: Route?
        package fileprivate(set) var consistency: Consistency?

        package init(route: Route? = nil, consistency: Consistency? = nil) {
            self.route = route
            self.consistency = consistency
        }
    }

    /// The values now.
    package private(set) var values = Values()
    private var startup = Values()

    /// The setting by which a session chooses where its reads run.
    package static let route = "martlet.route"
    /// The setting by which a session chooses what its reads must see.
    package static let consistency = "martlet.consistency"
    /// The setting by which a session passes on what it has seen.
    package static let position = "martlet.position"
    /// The names of all of them.
    package static let names = [route, consistency, position]

    package init() {}

    /// The startup packet was read: its values are what a reset sets back to.
    package mutating func started() { startup = values }

    /// Sets a value; the words of what is wrong with it, or nil.
    package mutating func set(
        _ name: String, to value: String, position: inout SessionPosition, now: Instant
    ) -> String? {
        switch name {
        case Self.route:
            guard let route = Route(rawValue: value.lowercased()) else {
                return Self.invalid(name, value, Route.allCases.map(\.rawValue))
            }
            values.route = route
        case Self.consistency:
            guard let consistency = Consistency(rawValue: value.lowercased()) else {
                return Self.invalid(name, value, Consistency.allCases.map(\.rawValue))
            }
            values.consistency = consistency
        case Self.position:
            guard let token = PositionToken(value) else {
                return "invalid value for parameter \"\(name)\": \"\(value)\""
            }
            position.adopt(token, at: now)
        default:
            return "unrecognized configuration parameter \"\(name)\""
        }
        return nil
    }

    /// Takes these settings out of what a server has; the words of what is wrong with their values.
    package mutating func adopt(
        from found: inout [String: String], position: inout SessionPosition, now: Instant
    ) -> [String] {
        var wrong: [String] = []
        for name in Self.names {
            // Empty is what remains of a name that was reset.
            guard let value = found.removeValue(forKey: name), !value.isEmpty else { continue }
            if let words = set(name, to: value, position: &position, now: now) {
                wrong.append(words)
            }
        }
        return wrong
    }

    /// Sets one back to what the startup packet said, or the position to none.
    package mutating func reset(_ name: String, position: inout SessionPosition) {
        switch name {
        case Self.route: values.route = startup.route
        case Self.consistency: values.consistency = startup.consistency
        case Self.position: position.reset()
        default: break
        }
    }

    /// Sets all but the position back to what the startup packet said.
    package mutating func resetAll() { values = startup }

    /// A transaction was rolled back, before which these were the values; nil where it set none.
    package mutating func rolledBack(to before: Values?) {
        if let before { values = before }
    }

    private static func invalid(_ name: String, _ value: String, _ words: [String]) -> String {
        "invalid value for parameter \"\(name)\": \"\(value)\" "
            + "(one of: \(words.joined(separator: ", ")))"
    }
}
