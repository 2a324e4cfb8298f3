// SPDX-License-Identifier: Apache-2.0

/// ParameterStatus: the present value of a setting that the server reports.
package enum ParameterStatus {
    package static func write(name: String, value: String, to queue: inout ByteQueue) {
        queue.message(BackendKind.parameterStatus) { body in
            body.append(terminated: name)
            body.append(terminated: value)
        }
    }

    package static func parse(body: RawSpan) throws(WireError) -> (name: String, value: String) {
        var reader = WireReader(body)
        let name = try reader.terminated()
        let value = try reader.terminated()
        guard reader.remaining == 0 else { throw .trailing }
        return (body.text(name), body.text(value))
    }
}
