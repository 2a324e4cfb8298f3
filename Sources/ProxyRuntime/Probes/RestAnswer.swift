// SPDX-License-Identifier: Apache-2.0

/// What became of an HTTP request.
package enum RestAnswer: Equatable, Sendable {
    case answered(status: Int, body: [UInt8])
    /// Refused, timed out, too long, not HTTP: libcurl's words.
    case failed(String)
}

/// How https servers are checked and how we show who we are.
package struct RestSecurity: Equatable, Sendable {
    /// A file of CA certificates; nil means the system's.
    package var authorityFile: String?
    package var certificateFile: String?
    package var keyFile: String?

    package init() {}
}
