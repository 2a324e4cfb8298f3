// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Dispatch
internal import Glibc
package import ProxyCore
internal import Synchronization

/// What a shard does with what its loop finds; confined to the shard's queue.
package protocol ShardHandler: AnyObject {
    associatedtype Mail: Sendable

    /// Something changed on a socket that was added to the epoll set under this id.
    func ready(_ id: ConnectionID, _ readiness: SocketReadiness, now: Instant)
    /// Another thread left this in the mailbox.
    func received(_ mail: Mail, now: Instant)
    /// A wake-up's events are dealt with: send what they produced. True if there is more to do
    /// that needs no event.
    func finish(now: Instant) -> Bool
    /// When it wants `finish` to be called at the latest.
    var nextDeadline: Instant? { get }
    /// The loop has ended; close what is open.
    func stopped()
}

/// One event loop: a serial queue, and a Dispatch source on an epoll set.
///
///     eventfd ─┐
///     timerfd ─┼─▶ epoll set ─▶ DispatchSourceRead ─▶ queue: drain, linger, give the thread back
///     sockets ─┘
///
/// An epoll descriptor is readable when anything in its set is ready, so Dispatch watches one
/// descriptor however many clients there are, and an idle shard costs nothing. A busy one does not
/// go back to Dispatch between wake-ups: it lingers for a while in `epoll_wait`, which halves the cost
/// of a transaction (the design has the figures).
// Unchecked, because everything mutable in here is touched only on `queue` once `start` was called
// (`source` not even there); the mailbox, which others use, is Sendable by itself.
package final class Shard<Handler: ShardHandler>: @unchecked Sendable {
    package let id: ShardID
    package let mailbox: Mailbox<Handler.Mail>

    private let queue: DispatchQueue
    private let epoll: EpollSet
    private let timer: Int32
    /// When the timer is set to fire; it is only ever moved forward, a late deadline finds it early.
    private var timerFiresAt = Instant.distantFuture
    private let handler: Handler
    /// Set once, by `start`, for `stop`: Dispatch traps when a source dies that was never started.
    private var source: (any DispatchSourceRead)?
    /// The source knows it, too, but asking costs more than all else that a wake-up does for itself.
    private let isStopped = Atomic(false)
    private let stopCompletion = Mutex<@Sendable () -> Void>({})

    /// Milliseconds of waiting in `epoll_wait` before the thread goes back. Longer than a tick of the
    /// kernel: a shorter wait sets the processor's timer each time, which on virtual machines took a
    /// third of the CPU time of a lone client's transactions.
    private static var linger: Int32 { 20 }
    /// The slot is larger than any table of connections.
    private static var mailboxToken: ConnectionID { ConnectionID(slot: .max, generation: 0) }
    private static var timerToken: ConnectionID { ConnectionID(slot: .max, generation: 1) }

    /// - Parameter makeHandler: gets the set to which it adds its sockets.
    package init(
        id: ShardID, mailbox: Mailbox<Handler.Mail>, makeHandler: (EpollSet) -> Handler
    ) throws(SocketError) {
        self.id = id
        self.mailbox = mailbox
        epoll = try EpollSet()
        timer = martlet_timerfd()
        if timer < 0 { throw .system("timerfd_create", errno) }
        try epoll.add(mailbox.descriptor, as: Self.mailboxToken)
        try epoll.add(timer, as: Self.timerToken)
        queue = DispatchQueue(label: "martlet.shard.\(id.index)", qos: .userInitiated)
        handler = makeHandler(epoll)
    }

    deinit { close(timer) }

    /// Begins; call once.
    package func start() {
        let source = DispatchSource.makeReadSource(
            fileDescriptor: epoll.descriptor, queue: queue)
        source.setEventHandler { [self] in run() }
        source.setCancelHandler { [self] in end() }
        source.activate()
        self.source = source
    }

    /// Ends the loop at once; `completion` runs on the shard's queue when everything is closed.
    /// Call once, after `start`.
    package func stop(_ completion: @escaping @Sendable () -> Void = {}) {
        stopCompletion.withLock { $0 = completion }
        isStopped.store(true, ordering: .relaxed)
        source?.cancel()
        // A loop that lingers in `epoll_wait` should see at once that it was cancelled.
        mailbox.ring()
    }

    private func end() {
        for mail in mailbox.takeAll() { handler.received(mail, now: MonotonicClock.now) }
        handler.stopped()
        stopCompletion.withLock { $0 }()
    }

    /// One visit of Dispatch: as many wake-ups as follow closely on each other.
    private func run() {
        dispatchPrecondition(condition: .onQueue(queue))
        var patience: Int32 = 0
        var isBusy = false
        while !isStopped.load(ordering: .relaxed) {
            let count = epoll.wait(milliseconds: patience)
            if count == 0 && !isBusy { return }
            isBusy = wakeUp(events: count)
            patience = isBusy ? 0 : Self.linger
        }
    }

    private func wakeUp(events count: Int) -> Bool {
        let now = MonotonicClock.now
        for index in 0..<count {
            let id = epoll.id(at: index)
            if id.slot == .max {
                receiveOwn(id, now: now)
            } else {
                handler.ready(id, epoll.readiness(at: index), now: now)
            }
        }
        let isBusy = handler.finish(now: now)
        armTimer()
        return isBusy
    }

    private func receiveOwn(_ token: ConnectionID, now: Instant) {
        if token == Self.timerToken {
            timerFiresAt = .distantFuture
        } else {
            for mail in mailbox.takeAll() { handler.received(mail, now: now) }
        }
    }

    private func armTimer() {
        guard let deadline = handler.nextDeadline, deadline < timerFiresAt else { return }
        timerFiresAt = deadline
        // Zero would disarm it.
        _ = martlet_timerfd_arm(timer, max(deadline.nanoseconds, 1))
    }
}
