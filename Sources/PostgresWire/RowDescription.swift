// SPDX-License-Identifier: Apache-2.0

/// RowDescription of one column of type text, as SHOW answers.
package enum RowDescription {
    package static func writeText(column: String, to queue: inout ByteQueue) {
        queue.message(BackendKind.rowDescription) { body in
            body.append(int16: 1)
            body.append(terminated: column)
            body.append(int32: 0)  // no table
            body.append(int16: 0)  // no attribute
            body.append(int32: 25)  // text
            body.append(int16: -1)
            body.append(int32: -1)
            body.append(int16: 0)  // text format
        }
    }
}
