// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import ProxyCore

/// What a read found.
package enum ReceiveResult: Equatable, Sendable {
    /// So many bytes; `drained` when the kernel holds no more, so that reading again is in vain.
    case received(Int, drained: Bool)
    /// Nothing there; an edge will tell when there is.
    case nothing
    /// The peer will send no more.
    case ended
    /// An `errno`.
    case failed(Int32)
}

/// What became of a send.
package enum SendResult: Equatable, Sendable {
    /// So many bytes are with the kernel; `full` when it takes no more before the next edge.
    case sent(Int, full: Bool)
    /// An `errno`.
    case failed(Int32)
}

/// A non-blocking stream socket: the one place through which a connection's bytes pass.
///
/// A plain value that does not own: the table of its shard opens and closes it. Where the bytes are
/// encrypted, a `TLSSession` stands between it and the driver.
package struct Socket: Sendable {
    /// No socket (yet).
    package static let none = Socket(descriptor: -1)

    package let descriptor: Int32

    package init(descriptor: Int32) { self.descriptor = descriptor }

    package var isOpen: Bool { descriptor >= 0 }

    /// Reads what is there, once.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) -> ReceiveResult {
        while true {
            let count = unsafe recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 { return .received(count, drained: count < buffer.count) }
            if count == 0 { return .ended }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothing
            case let code: return .failed(code)
            }
        }
    }

    /// Hands bytes to the kernel, as many as it takes.
    package func send(_ bytes: RawSpan) -> SendResult {
        while true {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe martlet_send(descriptor, $0.baseAddress, $0.count)
            }
            if count >= 0 { return .sent(count, full: count < bytes.byteCount) }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return .sent(0, full: true)
            case let code: return .failed(code)
            }
        }
    }

    /// Says goodbye: the peer reads what was sent, then the end of the stream.
    package func shutDownWriting() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    package func close() { _ = Glibc.close(descriptor) }

    /// The error of a connect that is over, or nil when it succeeded.
    package func connectFailure() -> SocketError? {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        if unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) != 0 { code = errno }
        return code == 0 ? nil : .system("connect", code)
    }

    /// No delay for small messages, and probes that find a silent peer dead: within two minutes by
    /// default.
    ///
    /// `TCP_USER_TIMEOUT` is left alone unless the operator asks for it: it also ends connections
    /// whose peer merely keeps its window closed, as a server does that waits for a lock in the
    /// middle of a `COPY`. Where it is set it decides in the place of the number of probes (tcp(7)).
    package func tune(_ policy: TCPPolicy) {
        let tcp = Int32(IPPROTO_TCP)
        set(tcp, TCP_NODELAY, 1)
        set(SOL_SOCKET, SO_KEEPALIVE, 1)
        set(tcp, TCP_KEEPIDLE, Int32(clamping: policy.keepaliveIdle.milliseconds / 1000))
        set(tcp, TCP_KEEPINTVL, Int32(clamping: policy.keepaliveInterval.milliseconds / 1000))
        set(tcp, TCP_KEEPCNT, Int32(clamping: policy.keepaliveCount))
        // Zero is the system's own way, and has to be said where it was something else before.
        set(tcp, TCP_USER_TIMEOUT, Int32(clamping: policy.userTimeout.milliseconds))
    }

    /// Sets one integer option; unix sockets refuse those of TCP, which is no loss.
    package func set(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = unsafe setsockopt(
            descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
