// SPDX-License-Identifier: Apache-2.0

/// What is logged, and how it is written.
package struct LogSettings: Equatable, Sendable {
    /// Less important events are left out.
    package var level = Level.info
    /// How a line looks.
    package var format = Format.text
    /// Whether a statement's text may appear; it may hold what nobody should read.
    package var statements = false

    /// The defaults.
    package init() {}

    /// swift-log's levels.
    package enum Level: String, Equatable, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    /// Lines for people, or objects for collectors.
    package enum Format: String, Equatable, Sendable, CaseIterable {
        case text, json
    }
}
