// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// Ciphertext on its way between the kernel and libssl; one for all TLS connections of a shard.
///
/// libssl reads and writes through a BIO of our own that copies from and to here, so that TLS makes
/// the system calls of plain sockets: one `recv` for all records that are there, one `send` for all
/// that a wake-up produced. Nothing stays in here between two calls of a session: what libssl did
/// not take, and what the kernel did not, is kept by the session, and is almost always nothing.
@safe
package final class RecordBuffer {
    /// Smaller than the driver's buffer, into which all of it must fit when it is decrypted.
    package static let inputSize = 224 << 10
    private static let outputSize = 256 << 10
    /// Plaintext that is encrypted at a time; what encryption adds fits into the rest.
    static let plaintextLimit = 192 << 10

    private let input = UnsafeMutableRawBufferPointer.allocate(
        byteCount: RecordBuffer.inputSize, alignment: 4096)
    private let output = UnsafeMutableRawBufferPointer.allocate(
        byteCount: RecordBuffer.outputSize, alignment: 4096)
    private var head = 0
    private var tail = 0
    private var produced = 0

    package init() {}

    deinit {
        unsafe input.deallocate()
        unsafe output.deallocate()
    }

    /// A BIO that reads and writes here; the buffer must outlive it, or be replaced in it.
    func makeBIO() -> OpaquePointer? {
        guard let method = unsafe Self.method, let bio = unsafe BIO_new(method) else { return nil }
        unsafe serve(bio)
        return unsafe bio
    }

    /// Makes a BIO that was made for another buffer read and write here.
    func serve(_ bio: OpaquePointer) {
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        unsafe BIO_set_init(bio, 1)
    }

    // MARK: Input

    /// Where the next read of a socket goes; what was in here must have been used up.
    var space: UnsafeMutableRawBufferPointer {
        precondition(head == tail, "ciphertext of another connection is still here")
        return unsafe input
    }

    /// So many bytes were read into `space`.
    func filled(_ count: Int) { (head, tail) = (0, count) }

    /// What libssl has not taken; the buffer is empty after that.
    func takeInput() -> [UInt8] {
        defer { (head, tail) = (0, 0) }
        return unsafe Array(UnsafeRawBufferPointer(rebasing: input[head..<tail]))
    }

    // MARK: Output

    /// Whether libssl wants something to be sent.
    var hasOutput: Bool { produced > 0 }

    /// Sends it once.
    func sendOutput(on socket: Socket) -> SendResult {
        let bytes = unsafe RawSpan(
            _unsafeBytes: UnsafeRawBufferPointer(rebasing: output[..<produced]))
        return socket.send(bytes)
    }

    /// What comes behind so many bytes that were sent; the buffer is empty after that.
    func takeOutput(after count: Int) -> [UInt8] {
        defer { produced = 0 }
        return unsafe Array(UnsafeRawBufferPointer(rebasing: output[count..<produced]))
    }

    // MARK: libssl's calls

    private func read(into bytes: UnsafeMutablePointer<CChar>, _ count: Int) -> Int {
        let count = min(count, tail - head)
        if count > 0 {
            unsafe UnsafeMutableRawPointer(bytes).copyMemory(
                from: input.baseAddress! + head, byteCount: count)
            head += count
        }
        return count
    }

    private func write(_ bytes: UnsafePointer<CChar>, _ count: Int) -> Int {
        let count = min(count, Self.outputSize - produced)
        if count > 0 {
            unsafe (output.baseAddress! + produced).copyMemory(from: bytes, byteCount: count)
            produced += count
        }
        return count
    }

    private static func buffer(of bio: OpaquePointer) -> RecordBuffer? {
        guard let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<RecordBuffer>.fromOpaque(data).takeUnretainedValue()
    }

    // Made once, before the first connection, and never changed.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = unsafe BIO_meth_new(kind, "martlet") else { return nil }
        unsafe BIO_meth_set_read(method) { bio, bytes, count in
            guard let bio = unsafe bio, let bytes = unsafe bytes,
                let buffer = unsafe RecordBuffer.buffer(of: bio)
            else { return -1 }
            unsafe martlet_bio_clear_retry(bio)
            let taken = unsafe buffer.read(into: bytes, Int(count))
            if taken > 0 { return Int32(taken) }
            unsafe martlet_bio_retry_read(bio)
            return -1
        }
        unsafe BIO_meth_set_write(method) { bio, bytes, count in
            guard let bio = unsafe bio, let bytes = unsafe bytes,
                let buffer = unsafe RecordBuffer.buffer(of: bio)
            else { return -1 }
            unsafe martlet_bio_clear_retry(bio)
            let taken = unsafe buffer.write(bytes, Int(count))
            if taken > 0 { return Int32(taken) }
            unsafe martlet_bio_retry_write(bio)
            return -1
        }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
            // libssl gives up when a flush, which is nothing here, seems to fail.
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
        return unsafe method
    }()
}
