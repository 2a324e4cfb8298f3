// SPDX-License-Identifier: Apache-2.0

/// What became of an HTTP request.
package enum HTTPAnswer: Equatable, Sendable {
    case answered(status: Int, body: [UInt8])
    /// Refused, timed out, too long, not HTTP: libcurl's words.
    case failed(String)
}
