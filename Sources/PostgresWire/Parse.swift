// SPDX-License-Identifier: Apache-2.0

/// Parse: makes a prepared statement of a text.
package struct Parse: Equatable, Sendable {
    package var name: Range<Int>
    package var text: Range<Int>
    /// Count and OIDs of the parameter types, as they stand in the message.
    package var types: Range<Int>

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        name = try reader.terminated()
        text = try reader.terminated()
        let start = reader.offset
        let count = try reader.int16()
        guard count >= 0 else { throw .invalid }
        try reader.skip(Int(count) * 4)
        guard reader.remaining == 0 else { throw .trailing }
        types = start..<body.byteCount
    }

    /// Writes a Parse of text and types that follow each other in `definition`, zero included.
    package static func write(name: [UInt8], definition: [UInt8], to queue: inout ByteQueue) {
        queue.message(FrontendKind.parse) { body in
            body.append(terminated: name)
            body.append(definition)
        }
    }
}
