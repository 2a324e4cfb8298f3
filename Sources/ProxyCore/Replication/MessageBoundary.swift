// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// Follows a stream of messages that is not interpreted, to know when it is between two of them.
package struct MessageBoundary: Equatable, Sendable {
    private var length = 0
    private var headerCount = 0
    private var remaining = 0
    /// Type of the message that came last, in whole or in part; 0 before the first.
    package private(set) var kind: UInt8 = 0

    package init() {}

    /// Whether everything that came is whole messages.
    package var isBetweenMessages: Bool { headerCount == 0 && remaining == 0 }

    /// More of the stream.
    ///
    /// - Throws: where a message has a length that there is not, or is longer than the limit.
    package mutating func pass(_ bytes: RawSpan, limit: Int) throws(WireError) {
        var offset = 0
        while offset < bytes.byteCount {
            if headerCount == 0 && remaining > 0 {
                let count = min(remaining, bytes.byteCount - offset)
                remaining -= count
                offset += count
                continue
            }
            let byte = bytes.byte(at: offset)
            offset += 1
            if headerCount == 0 {
                (kind, length) = (byte, 0)
            } else {
                length = length << 8 | Int(byte)
            }
            headerCount += 1
            guard headerCount == MessageHeader.size else { continue }
            guard length >= 4, length - 4 <= limit else { throw .invalid }
            (headerCount, remaining) = (0, length - 4)
        }
    }
}
