// SPDX-License-Identifier: Apache-2.0

/// Where a value was written, so that an error can point at it.
package enum Origin: Hashable, Sendable, CustomStringConvertible {
    /// Nowhere: martlet's own default.
    case standard
    /// Line and column count from 1; both are 0 when the whole file is meant.
    case file(String, line: Int, column: Int)
    /// A variable, by its name.
    case environment(String)
    /// A flag, as the user typed it.
    case flag(String)

    /// What an operator can jump to: `file:line:column`, a variable, or a flag.
    package var description: String {
        switch self {
        case .standard: "default"
        case .file(let name, line: 0, column: _): name
        case .file(let name, let line, let column): "\(name):\(line):\(column)"
        case .environment(let variable): variable
        case .flag(let flag): flag
        }
    }

    /// Higher wins: flags over environment over file over default.
    var rank: Int {
        switch self {
        case .standard: 0
        case .file: 1
        case .environment: 2
        case .flag: 3
        }
    }
}
