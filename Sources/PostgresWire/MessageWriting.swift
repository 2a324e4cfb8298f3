// SPDX-License-Identifier: Apache-2.0

extension ByteQueue {
    /// Appends a message whose length is filled in once its body is written.
    package mutating func message(_ kind: UInt8, _ body: (inout ByteQueue) -> Void) {
        append(byte: kind)
        let start = count
        append(int32: 0)
        body(&self)
        set(int32: Int32(count - start), at: start)
    }

    /// Appends a message without a body.
    package mutating func message(_ kind: UInt8) {
        append(byte: kind)
        append(int32: 4)
    }

    /// Appends bytes and the zero that ends a string.
    package mutating func append(terminated bytes: [UInt8]) {
        append(bytes)
        append(byte: 0)
    }

    package mutating func append(terminated text: String) {
        append(Array(text.utf8))
        append(byte: 0)
    }
}
