// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
internal import Synchronization

/// How other threads reach a shard: a list under a mutex, and an eventfd in the shard's epoll set.
///
/// The eventfd is written only when the list was empty, and never read: it is watched edge-triggered,
/// and each write is an edge. Its 64-bit counter outlives us.
package final class Mailbox<Mail: Sendable>: Sendable {
    /// The descriptor that becomes ready when mail arrives.
    package let descriptor: Int32
    private let capacity: Int
    private let mails = Mutex<[Mail]>([])

    /// - Parameter capacity: how much of what `offer` brings may wait.
    package init(capacity: Int = 16_384) throws(SocketError) {
        self.capacity = capacity
        descriptor = martlet_eventfd()
        if descriptor < 0 { throw .system("eventfd", errno) }
    }

    deinit { close(descriptor) }

    /// Leaves mail whose number is bounded by its nature, such as one answer a question.
    package func post(_ mail: Mail) {
        let wasEmpty = mails.withLock { mails in
            mails.append(mail)
            return mails.count == 1
        }
        if wasEmpty { ring() }
    }

    /// Leaves mail unless the box is full; the sender must cope with false.
    package func offer(_ mail: Mail) -> Bool {
        let place = mails.withLock { mails -> Int in
            if mails.count >= capacity { return 0 }
            mails.append(mail)
            return mails.count
        }
        if place == 1 { ring() }
        return place > 0
    }

    /// Everything that has arrived, oldest first.
    package func takeAll() -> [Mail] {
        mails.withLock { mails in
            let taken = mails
            mails = []
            return taken
        }
    }

    /// Wakes the shard.
    package func ring() {
        // Fails only when the counter is about to overflow, after 2^64 rings.
        _ = eventfd_write(descriptor, 1)
    }
}
