// SPDX-License-Identifier: Apache-2.0

/// Settings that are martlet's own: `SET martlet.route = 'replica'`.
///
/// PostgreSQL accepts settings of any name with a dot, so the same statements run without martlet.
package struct OwnSettings: Equatable, Sendable {
    package var route: Route?
    package var consistency: Consistency?

    package static let names = ["martlet.route", "martlet.consistency", "martlet.position"]

    package init() {}

    /// Sets a value; the words of what is wrong with it, or nil.
    package mutating func set(
        _ name: String, to value: String, position: inout SessionPosition, now: Instant
    ) -> String? {
        switch name {
        case "martlet.route":
            guard let route = Route(rawValue: value.lowercased()) else {
                return Self.invalid(name, value, Route.allCases.map(\.rawValue))
            }
            self.route = route
        case "martlet.consistency":
            guard let consistency = Consistency(rawValue: value.lowercased()) else {
                return Self.invalid(name, value, Consistency.allCases.map(\.rawValue))
            }
            self.consistency = consistency
        case "martlet.position":
            guard let token = PositionToken(value) else {
                return "invalid value for parameter \"\(name)\": \"\(value)\""
            }
            position.adopt(token, at: now)
        default:
            return "unrecognized configuration parameter \"\(name)\""
        }
        return nil
    }

    package mutating func reset(_ name: String) {
        switch name {
        case "martlet.route": route = nil
        case "martlet.consistency": consistency = nil
        default: break
        }
    }

    private static func invalid(_ name: String, _ value: String, _ words: [String]) -> String {
        "invalid value for parameter \"\(name)\": \"\(value)\" "
            + "(one of: \(words.joined(separator: ", ")))"
    }
}
