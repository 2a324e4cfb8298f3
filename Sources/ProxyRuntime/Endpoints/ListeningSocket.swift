// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// Opens the socket that the HTTP endpoint listens on.
enum ListeningSocket {
    /// The first address of `host` that can be bound, and its port.
    static func open(
        host: String, port: UInt16
    ) throws(HTTPEndpointFault) -> (descriptor: Int32, port: UInt16) {
        if host == "*" {
            // One socket takes both kinds of addresses, where the machine has IPv6.
            do { return try open(host: "::", port: port) } catch {
                return try open(host: "0.0.0.0", port: port)
            }
        }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &list)
        guard status == 0 else {
            let reason = unsafe String(cString: gai_strerror(status))
            throw .unresolvable(host: host, reason: reason)
        }
        defer { unsafe freeaddrinfo(list) }
        var failure = "no address"
        var next = unsafe list
        while let candidate = unsafe next {
            if let descriptor = unsafe bound(candidate) {
                return (descriptor, localPort(descriptor) ?? port)
            }
            failure = unsafe String(cString: strerror(errno))
            unsafe next = candidate.pointee.ai_next
        }
        throw .unavailable(address: "\(host):\(port)", reason: failure)
    }

    /// Sends what fits without waiting, and closes.
    static func sayGoodbye(_ bytes: [UInt8], _ descriptor: Int32) {
        _ = unsafe bytes.withUnsafeBytes {
            unsafe martlet_send(descriptor, $0.baseAddress, $0.count)
        }
        shutdown(descriptor, Int32(SHUT_WR))
        close(descriptor)
    }

    private static func bound(_ address: UnsafeMutablePointer<addrinfo>) -> Int32? {
        let info = unsafe address.pointee
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = unsafe socket(info.ai_family, type, 0)
        guard descriptor >= 0 else { return nil }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
        if unsafe bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, listen(descriptor, 128) == 0
        {
            return descriptor
        }
        let reason = errno
        close(descriptor)
        errno = reason
        return nil
    }

    private static func localPort(_ descriptor: Int32) -> UInt16? {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        guard status == 0 else { return nil }
        // The port is at the same place, in network order, in both families.
        return unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }
}
