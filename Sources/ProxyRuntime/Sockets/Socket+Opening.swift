// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import ProxyCore

extension Socket {
    /// Begins to connect; the socket becomes writable when it is over, see `connectFailure`.
    package static func connecting(
        to address: SocketAddress, _ policy: TCPPolicy = TCPPolicy()
    ) throws(SocketError) -> Socket {
        let socket = try Socket.new(family: address.family)
        if !address.isUnix { socket.tune(policy) }
        let result = unsafe address.withAddress { unsafe connect(socket.descriptor, $0, $1) }
        if result == 0 || errno == EINPROGRESS { return socket }
        let code = errno
        socket.close()
        throw .system("connect", code)
    }

    /// A listening socket, bound anew even where connections of a predecessor linger.
    package static func listening(
        on address: SocketAddress, backlog: Int32 = 4096
    ) throws(SocketError) -> Socket {
        if let path = address.path { try removeStaleSocket(at: path) }
        let socket = try Socket.new(family: address.family)
        socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
        // `*` is opened as `::` and takes IPv4 clients too.
        if address.family == AF_INET6 { socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        let bound = unsafe address.withAddress { unsafe bind(socket.descriptor, $0, $1) }
        if bound == 0 && listen(socket.descriptor, backlog) == 0 {
            // As PostgreSQL does: who may connect is decided by authentication.
            if let path = address.path { _ = unsafe chmod(path, 0o777) }
            return socket
        }
        let code = errno
        socket.close()
        throw .system("bind", code)
    }

    /// Two connected sockets.
    package static func pair() throws(SocketError) -> (Socket, Socket) {
        var descriptors: [Int32] = [-1, -1]
        if unsafe martlet_stream_pair(&descriptors) != 0 { throw .system("socketpair", errno) }
        return (Socket(descriptor: descriptors[0]), Socket(descriptor: descriptors[1]))
    }

    private static func new(family: Int32) throws(SocketError) -> Socket {
        let descriptor = martlet_stream_socket(family)
        if descriptor < 0 { throw .system("socket", errno) }
        return Socket(descriptor: descriptor)
    }

    /// Removes what a process that is gone has left behind, and nothing that still answers.
    private static func removeStaleSocket(at path: String) throws(SocketError) {
        let address = try SocketAddress(path: path)
        let probe = try Socket.new(family: AF_UNIX)
        defer { probe.close() }
        let answer = unsafe address.withAddress { unsafe connect(probe.descriptor, $0, $1) }
        if answer == 0 || errno == EAGAIN { throw .system("bind", EADDRINUSE) }
        if errno == ECONNREFUSED { _ = unsafe unlink(path) }
    }
}
