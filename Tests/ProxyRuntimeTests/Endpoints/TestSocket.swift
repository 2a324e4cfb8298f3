// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc

/// A client of an endpoint under test.
///
/// It blocks on a queue of its own: the endpoint's handlers need the pool that tests run on.
final class TestSocket: Sendable {
    private let queue = DispatchQueue(label: "test socket")
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        // A read that takes so long gives less than was expected, and the test fails.
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(errno: errno) }
    }

    struct Failure: Error {
        let errno: Int32
    }

    deinit { close(descriptor) }

    /// Sends all of it; false where the other side is gone.
    @discardableResult
    func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        } == bytes.count
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Everything up to the end of the stream.
    func readToEnd() async -> String {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                var result: [UInt8] = []
                while let bytes = readSome() { result += bytes }
                continuation.resume(returning: String(decoding: result, as: UTF8.self))
            }
        }
    }

    /// Up to the end of the first text that ends so.
    func read(until end: String) async -> String {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                var result = ""
                while !result.hasSuffix(end), let bytes = readSome(limit: 1) {
                    result += String(decoding: bytes, as: UTF8.self)
                }
                continuation.resume(returning: result)
            }
        }
    }

    private func readSome(limit: Int = 65536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe recv(descriptor, &bytes, limit, 0)
        return count > 0 ? Array(bytes[..<count]) : nil
    }
}
