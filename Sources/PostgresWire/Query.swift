// SPDX-License-Identifier: Apache-2.0

/// Query: the simple protocol.
package enum Query {
    package static func write(_ text: String, to queue: inout ByteQueue) {
        queue.message(FrontendKind.query) { $0.append(terminated: text) }
    }

    /// Where the text is in a body, without the zero that must end it.
    package static func text(body: RawSpan) throws(WireError) -> Range<Int> {
        var reader = WireReader(body)
        let text = try reader.terminated()
        guard reader.remaining == 0 else { throw .trailing }
        return text
    }
}
