// SPDX-License-Identifier: Apache-2.0

/// DataRow: the values of one row, each with its length.
package enum DataRow {
    package static func write(_ value: String, to queue: inout ByteQueue) {
        queue.message(BackendKind.dataRow) { body in
            let bytes = Array(value.utf8)
            body.append(int16: 1)
            body.append(int32: Int32(bytes.count))
            body.append(bytes)
        }
    }

    /// The columns as text; nil for NULL.
    package static func parse(body: RawSpan) throws(WireError) -> [String?] {
        var reader = WireReader(body)
        var columns: [String?] = []
        for _ in 0..<max(0, try reader.int16()) {
            let length = Int(try reader.int32())
            if length < 0 {
                columns.append(nil)
                continue
            }
            let start = reader.offset
            try reader.skip(length)
            columns.append(body.text(start..<start + length))
        }
        return columns
    }
}
