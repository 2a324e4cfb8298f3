// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What the system refused.
package enum SocketError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A system call failed with this `errno`.
    case system(String, Int32)
    case unresolvable(host: String, reason: String)
    /// A path that does not fit into a `sockaddr_un`.
    case pathTooLong(String)

    package var description: String {
        switch self {
        case .system(let call, let code): "\(call): \(Self.text(of: code))"
        case .unresolvable(let host, let reason): "cannot resolve \(host): \(reason)"
        case .pathTooLong(let path): "socket path too long: \(path)"
        }
    }

    /// The system's words for an `errno`.
    package static func text(of code: Int32) -> String {
        guard let words = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: words)
    }
}
