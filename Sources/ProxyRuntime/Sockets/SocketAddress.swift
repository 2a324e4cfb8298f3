// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// Where a socket is bound or connected: IPv4, IPv6 or a path.
@safe
package struct SocketAddress: Sendable {
    private var storage = sockaddr_storage()
    private var length: socklen_t = 0

    /// The addresses of a host name or a literal; blocks where a name must be looked up.
    ///
    /// A host that begins with `/` is the directory of a unix socket, named as PostgreSQL names it.
    package static func resolve(
        host: String, port: UInt16
    ) throws(SocketError) -> [SocketAddress] {
        if host.hasPrefix("/") { return [try SocketAddress(directory: host, port: port)] }
        return try lookUp(host, port: port, flags: 0)
    }

    /// The address if no name has to be looked up for it, else nil; never blocks.
    package static func literal(
        host: String, port: UInt16
    ) throws(SocketError) -> SocketAddress? {
        if host.hasPrefix("/") { return try SocketAddress(directory: host, port: port) }
        return try? lookUp(host, port: port, flags: AI_NUMERICHOST).first
    }

    /// The numeric addresses of this machine's interfaces, without brackets and zones.
    package static func interfaces() -> Set<String> {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&list) == 0 else { return [] }
        defer { unsafe freeifaddrs(list) }
        var hosts: Set<String> = []
        var next = unsafe list
        while let entry = unsafe next {
            unsafe next = entry.pointee.ifa_next
            guard let address = unsafe entry.pointee.ifa_addr else { continue }
            let size: Int
            switch unsafe Int32(address.pointee.sa_family) {
            case AF_INET: size = MemoryLayout<sockaddr_in>.size
            case AF_INET6: size = MemoryLayout<sockaddr_in6>.size
            default: continue
            }
            let text = unsafe SocketAddress(
                UnsafeRawBufferPointer(start: address, count: size)
            ).host
            if let text { hosts.insert(String(text.prefix { $0 != "%" })) }
        }
        return hosts
    }

    /// `directory/.s.PGSQL.port`.
    package init(directory: String, port: UInt16) throws(SocketError) {
        try self.init(path: "\(directory)/.s.PGSQL.\(port)")
    }

    package init(path: String) throws(SocketError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        // One byte stays for the terminating zero.
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw .pathTooLong(path)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        unsafe withUnsafeBytes(of: &address) { unsafe fill(from: $0) }
    }

    private init(_ bytes: UnsafeRawBufferPointer) { unsafe fill(from: bytes) }

    /// The local address of a bound socket.
    package static func local(of descriptor: Int32) -> SocketAddress? {
        var address = SocketAddress()
        address.length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &address.storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &address.length)
            }
        }
        return result == 0 ? address : nil
    }

    private init() {}

    package var family: Int32 { Int32(storage.ss_family) }

    package var isUnix: Bool { family == AF_UNIX }

    /// The path of a unix socket.
    package var path: String? {
        guard isUnix else { return nil }
        return unsafe withUnsafeBytes(of: storage) { bytes in
            let name = unsafe bytes.dropFirst(MemoryLayout<sa_family_t>.size).prefix { $0 != 0 }
            return unsafe String(decoding: name, as: UTF8.self)
        }
    }

    package var port: UInt16? {
        switch family {
        case AF_INET, AF_INET6:
            // The port is the first field after the family in both.
            unsafe withUnsafeBytes(of: storage) {
                unsafe UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
            }
        default: nil
        }
    }

    /// As people write it: `10.0.0.1:5432`, `[::1]:5432`, `[local]`.
    package var text: String {
        guard family == AF_INET || family == AF_INET6 else { return "[local]" }
        guard let host, let port else { return "unknown" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Numeric and without brackets; nil for a path.
    private var host: String? {
        guard family == AF_INET || family == AF_INET6 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = unsafe withAddress { address, length in
            unsafe getnameinfo(
                address, length, &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST)
        }
        guard result == 0 else { return nil }
        let host = String(
            decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // IPv4 clients of a dual-stack listener.
        return host.hasPrefix("::ffff:") && host.contains(".") ? String(host.dropFirst(7)) : host
    }

    func withAddress<T>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> T
    ) -> T {
        unsafe withUnsafePointer(to: storage) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, length)
            }
        }
    }

    /// The next client in the queue of a listening socket, and where it comes from.
    static func accept(from listener: Int32) -> (descriptor: Int32, peer: SocketAddress) {
        var peer = SocketAddress()
        peer.length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let descriptor = unsafe martlet_accept(listener, &peer.storage, &peer.length)
        return (descriptor, peer)
    }

    private mutating func fill(from bytes: UnsafeRawBufferPointer) {
        length = socklen_t(bytes.count)
        unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.copyMemory(from: bytes) }
    }

    private static func lookUp(
        _ host: String, port: UInt16, flags: Int32
    ) throws(SocketError) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(host, String(port), &hints, &list)
        defer { if let list = unsafe list { unsafe freeaddrinfo(list) } }
        guard result == 0 else {
            let reason = unsafe String(cString: gai_strerror(result))
            throw .unresolvable(host: host, reason: reason)
        }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let info = unsafe next {
            if let address = unsafe info.pointee.ai_addr {
                let size = unsafe Int(info.pointee.ai_addrlen)
                unsafe addresses.append(
                    SocketAddress(UnsafeRawBufferPointer(start: address, count: size)))
            }
            unsafe next = info.pointee.ai_next
        }
        return addresses
    }
}
