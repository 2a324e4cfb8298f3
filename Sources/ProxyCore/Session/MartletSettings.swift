// SPDX-License-Identifier: Apache-2.0

/// Settings that are martlet's own: `SET martlet.route = 'replica'`.
///
/// PostgreSQL accepts settings of any name with a dot, so the same statements run without martlet.
package struct MartletSettings: Equatable, Sendable {
    package var route: Route?
    package var consistency: Consistency?

    package static let route = "martlet.route"
    package static let consistency = "martlet.consistency"
    package static let position = "martlet.position"
    package static let names = [route, consistency, position]

    package init() {}

    /// Sets a value; the words of what is wrong with it, or nil.
    package mutating func set(
        _ name: String, to value: String, position: inout SessionPosition, now: Instant
    ) -> String? {
        switch name {
        case Self.route:
            guard let route = Route(rawValue: value.lowercased()) else {
                return Self.invalid(name, value, Route.allCases.map(\.rawValue))
            }
            self.route = route
        case Self.consistency:
            guard let consistency = Consistency(rawValue: value.lowercased()) else {
                return Self.invalid(name, value, Consistency.allCases.map(\.rawValue))
            }
            self.consistency = consistency
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

    /// Sets a value back to what the startup packet said.
    package mutating func reset(_ name: String, to start: MartletSettings) {
        switch name {
        case Self.route: route = start.route
        case Self.consistency: consistency = start.consistency
        default: break
        }
    }

    private static func invalid(_ name: String, _ value: String, _ words: [String]) -> String {
        "invalid value for parameter \"\(name)\": \"\(value)\" "
            + "(one of: \(words.joined(separator: ", ")))"
    }
}

/// `martlet.*` of one session: as it set them, and as its startup packet did.
struct SessionMartletSettings {
    private(set) var current = MartletSettings()
    private var atStart = MartletSettings()

    /// Sets a value; returns what is wrong with it, or nil.
    mutating func set(
        _ name: String, to value: String, position: inout SessionPosition, now: Instant
    ) -> String? {
        current.set(name, to: value, position: &position, now: now)
    }

    /// The startup packet has been read.
    mutating func started() { atStart = current }

    /// `RESET` of one.
    mutating func reset(_ name: String) { current.reset(name, to: atStart) }

    /// `RESET ALL`.
    mutating func resetAll() { current = atStart }

    /// A transaction that changed them was rolled back.
    mutating func restore(_ before: MartletSettings) { current = before }
}
