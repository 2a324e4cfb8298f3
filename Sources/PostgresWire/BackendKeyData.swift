// SPDX-License-Identifier: Apache-2.0

/// BackendKeyData: what a CancelRequest must name.
package struct BackendKeyData: Equatable, Sendable {
    package var processID: UInt32
    /// Four bytes in protocol 3.0, up to 256 in 3.2.
    package var secret: [UInt8]

    package init(processID: UInt32, secret: [UInt8]) {
        self.processID = processID
        self.secret = secret
    }

    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        processID = UInt32(bitPattern: try reader.int32())
        guard (4...256).contains(reader.remaining) else { throw .invalid }
        secret = body.copy(4..<body.byteCount)
    }

    package func write(to queue: inout ByteQueue) {
        queue.message(BackendKind.backendKeyData) { body in
            body.append(int32: Int32(bitPattern: processID))
            body.append(secret)
        }
    }

    /// The CancelRequest that names this session.
    package func cancelRequest() -> [UInt8] {
        var bytes: [UInt8] = []
        for word in [UInt32(12 + secret.count), 80_877_102, processID] {
            bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
        }
        return bytes + secret
    }
}
