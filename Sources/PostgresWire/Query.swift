// SPDX-License-Identifier: Apache-2.0

/// Query: the simple protocol.
package enum Query {
    package static func write(_ text: String, to queue: inout ByteQueue) {
        queue.message(FrontendKind.query) { $0.append(terminated: text) }
    }

    /// The range of the text in a body, without the terminating zero.
    package static func text(body: RawSpan) throws(WireError) -> Range<Int> {
        var reader = WireReader(body)
        let text = try reader.terminated()
        guard reader.remaining == 0 else { throw .trailing }
        return text
    }
}
