// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A TCP server on a loopback port of the system's choice; each connection is handled by a thread
/// that runs `serve` and then closes it.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)

    /// Connections that came so far.
    var connectionCount: Int { accepted.withLock { $0 } }

    init(_ serve: @escaping @Sendable (ScriptedPeer) -> Void) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = unsafe bind(listener, generic, length)
                _ = unsafe getsockname(listener, generic, &length)
            }
        }
        listen(listener, 64)
        self.listener = listener
        port = UInt16(bigEndian: address.sin_port)
        Self.thread { [self] in
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                accepted.withLock { $0 += 1 }
                Self.thread {
                    serve(ScriptedPeer(descriptor: descriptor))
                    close(descriptor)
                }
            }
        }
    }

    /// No connections from now on; the port stays taken for as long as the tests run, so that
    /// nobody else answers on it.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private static func thread(_ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var handle = pthread_t()
        let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
        unsafe pthread_create(
            &handle, nil,
            { context in
                unsafe Unmanaged<Box>.fromOpaque(context!).takeRetainedValue().body()
                return nil
            }, box)
        pthread_detach(handle)
    }
}

/// The server's end of one connection.
struct ScriptedPeer: Sendable {
    let descriptor: Int32

    func send(_ text: String) { send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) {
        _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Nil at the end of the stream.
    func receive(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let more = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe recv(descriptor, buffer.baseAddress! + have, count - have, 0)
            }
            guard more > 0 else { return nil }
            have += more
        }
        return bytes
    }

    /// Reads a request's head, up to the empty line.
    func receiveHead() -> String {
        var head = ""
        while !head.hasSuffix("\r\n\r\n"), let byte = receive(1) {
            head += String(decoding: byte, as: UTF8.self)
        }
        return head
    }

    /// Waits until the other side closes.
    func waitForEnd() { while receive(1) != nil {} }
}

/// The few words of PostgreSQL that libpq needs to hear.
extension ScriptedPeer {
    /// The type and body of a frontend message.
    func receiveMessage() -> (type: UInt8, body: [UInt8])? {
        guard let type = receive(1), let length = receive(4) else { return nil }
        let count = length.reduce(0) { $0 << 8 | Int($1) } - 4
        guard let body = count == 0 ? [] : receive(count) else { return nil }
        return (type[0], body)
    }

    func sendMessage(_ type: Character, _ body: [UInt8]) {
        let length = UInt32(body.count + 4)
        let header = (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) }
        send([type.asciiValue!] + header + body)
    }

    /// Refuses encryption and reads the startup message.
    func receiveStartup() {
        while let length = receive(4) {
            let count = length.reduce(0) { $0 << 8 | Int($1) } - 4
            guard let body = receive(count) else { return }
            if Array(body.prefix(4)) == [4, 210, 22, 47] {
                send("N")
            } else {
                return
            }
        }
    }

    /// Lets anybody in.
    func logIn() {
        receiveStartup()
        sendMessage("R", [0, 0, 0, 0])
        sendMessage("Z", Array("I".utf8))
    }

    func sendError(_ severity: String, _ code: String, _ message: String) {
        let fields = ["S" + severity, "V" + severity, "C" + code, "M" + message]
        sendMessage("E", fields.flatMap { Array($0.utf8) + [0] } + [0])
    }

    /// Reads up to Sync.
    func receiveUnit() -> Bool {
        while let message = receiveMessage() {
            if message.type == UInt8(ascii: "S") { return true }
            if message.type == UInt8(ascii: "X") { return false }
        }
        return false
    }

    /// One row of text columns, as the answer to Parse, Bind, Describe, Execute and Sync.
    func sendRow(_ values: [String?]) {
        func int16(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
        func int32(_ value: Int) -> [UInt8] { int16(value >> 16 & 65535) + int16(value & 65535) }
        sendMessage("1", [])
        sendMessage("2", [])
        let field = Array("c".utf8) + [0] + int32(0) + int16(0) + int32(25)
        let description = field + [255, 255] + int32(0) + int16(0)
        sendMessage(
            "T", int16(values.count) + values.flatMap { _ in description })
        let columns = values.flatMap { value -> [UInt8] in
            guard let value else { return [255, 255, 255, 255] }
            return int32(value.utf8.count) + Array(value.utf8)
        }
        sendMessage("D", int16(values.count) + columns)
        sendMessage("C", Array("SELECT 1".utf8) + [0])
        sendMessage("Z", Array("I".utf8))
    }
}
