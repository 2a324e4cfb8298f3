// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import ProxyCore

/// What epoll said of one descriptor.
package struct SocketReadiness: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let readable = SocketReadiness(rawValue: UInt32(martlet_epollin))
    package static let writable = SocketReadiness(rawValue: UInt32(martlet_epollout))
    /// The peer will send no more.
    package static let endOfStream = SocketReadiness(rawValue: UInt32(martlet_epollrdhup))
    /// Both directions are closed.
    package static let hungUp = SocketReadiness(rawValue: UInt32(martlet_epollhup))
    package static let failed = SocketReadiness(rawValue: UInt32(martlet_epollerr))
    /// There is something to learn by reading: bytes, the end of the stream or the error.
    package static let worthReading: SocketReadiness = [.readable, .endOfStream, .hungUp, .failed]
    /// No more bytes follow those that the kernel holds.
    package static let ending: SocketReadiness = [.endOfStream, .hungUp, .failed]
}

/// One shard's epoll set.
///
/// Every descriptor is added once, edge-triggered, for everything, and never modified: who wants to
/// read or write keeps sticky flags and waits for the next edge. A descriptor leaves the
/// set when it is closed; `remove` is for sockets that move to another shard.
@safe
package final class EpollSet {
    /// Events taken from the kernel at a time.
    package static let batch = 256

    /// The set's own descriptor, readable when anything in the set is ready.
    package let descriptor: Int32
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: batch)

    package init() throws(SocketError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        if descriptor < 0 { throw .system("epoll_create1", errno) }
    }

    deinit {
        close(descriptor)
        unsafe events.deallocate()
    }

    /// Watches a descriptor for every change from now on; what is ready already counts as one.
    package func add(_ descriptor: Int32, as id: ConnectionID) throws(SocketError) {
        let everything = UInt32(martlet_epollin | martlet_epollout | martlet_epollrdhup)
        if martlet_epoll_add(
            self.descriptor, descriptor, everything | martlet_epollet, id.bits) != 0
        {
            throw .system("epoll_ctl", errno)
        }
    }

    package func remove(_ descriptor: Int32) {
        _ = martlet_epoll_remove(self.descriptor, descriptor)
    }

    /// Waits for events and returns their number; an interrupted wait found none.
    package func wait(milliseconds: Int32) -> Int {
        Int(max(0, unsafe epoll_wait(descriptor, events, Int32(Self.batch), milliseconds)))
    }

    /// Whose event the last wait found at this place.
    package func id(at index: Int) -> ConnectionID {
        ConnectionID(bits: unsafe martlet_epoll_data(events, Int32(truncatingIfNeeded: index)))
    }

    package func readiness(at index: Int) -> SocketReadiness {
        SocketReadiness(
            rawValue: unsafe martlet_epoll_flags(events, Int32(truncatingIfNeeded: index)))
    }
}
