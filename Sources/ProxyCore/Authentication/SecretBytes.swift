// SPDX-License-Identifier: Apache-2.0

/// Bytes for nonces, salts and cancel keys: the core's only source of them.
///
/// HMAC-SHA-256 of a counter under a key that the runtime took from the kernel. Who knows all that
/// came out so far cannot tell what comes next, as one could of a seeded generator (whose numbers
/// are for choices, never for secrets); and with a fixed key a test gets the same bytes again.
package struct SecretBytes: Sendable {
    private let key: [UInt8]
    private var counter: UInt64 = 0

    /// - Parameters:
    ///   - processKey: at least 16 random bytes, new for each process.
    ///   - stream: which of several that share the key, a shard for instance; no two are alike.
    package init(processKey: [UInt8], stream: Int) {
        precondition(processKey.count >= 16, "secrets must not be guessable")
        key = Digests.hmacSHA256(key: processKey, Array("stream \(stream)".utf8))
    }

    /// The next bytes; none is given out twice.
    package mutating func next(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            bytes += Digests.hmacSHA256(key: key, Array("\(counter)".utf8))
            counter += 1
        }
        return Array(bytes.prefix(count))
    }
}
