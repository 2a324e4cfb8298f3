// SPDX-License-Identifier: Apache-2.0

/// Describe and Close: a prepared statement (S) or a portal (P), by name.
package struct Target: Equatable, Sendable {
    package var isStatement: Bool
    package var name: Range<Int>

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        switch try reader.byte() {
        case UInt8(ascii: "S"): isStatement = true
        case UInt8(ascii: "P"): isStatement = false
        default: throw .invalid
        }
        name = try reader.terminated()
        guard reader.remaining == 0 else { throw .trailing }
    }

    /// Writes a Describe or a Close of a prepared statement.
    package static func write(
        _ kind: UInt8, statement name: [UInt8], to queue: inout ByteQueue
    ) {
        queue.message(kind) { body in
            body.append(byte: UInt8(ascii: "S"))
            body.append(terminated: name)
        }
    }
}
