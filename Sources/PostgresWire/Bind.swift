// SPDX-License-Identifier: Apache-2.0

/// Bind: makes a portal of a prepared statement and parameters.
package struct Bind: Equatable, Sendable {
    package var portal: Range<Int>
    package var statement: Range<Int>

    /// Reads the names only; parameters may be large and are the server's business.
    package init(bodyPrefix: RawSpan) throws(WireError) {
        var reader = WireReader(bodyPrefix)
        portal = try reader.terminated()
        statement = try reader.terminated()
    }
}
