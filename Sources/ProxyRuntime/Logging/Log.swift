// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Dispatch
internal import Glibc
package import Logging
internal import Synchronization

/// What is logged and how it looks; a reload may change it.
package struct LogRules: Equatable, Sendable {
    /// The least that is written.
    package var level = Logger.Level.info
    package var format = LogLine.Format.text
    /// Whether a statement's text may appear.
    package var statements = false

    package init() {}
}

/// The one log of the process: lines go into a bounded queue, and a writer of its own takes them.
///
/// Whoever logs never waits for the descriptor. When nobody reads it and the queue is full, the
/// newest lines are dropped and counted, and the log says how many as soon as it can again.
package final class Log: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var isWriting = false
        var dropped = 0
        /// Dropped since the log last said so.
        var unreported = 0
        var rules: LogRules
        var crowds = RepeatedEvents()
    }

    private let state: Mutex<State>
    private let queue = DispatchQueue(label: "martlet.log")
    private let descriptor: Int32
    private let limit: Int
    private let crowdMilliseconds: Int

    /// A log that writes to `descriptor`, and keeps at most `limit` bytes that wait for it.
    package init(
        _ rules: LogRules = LogRules(), descriptor: Int32 = 2, limit: Int = 1 << 20,
        crowdMilliseconds: Int = 5000
    ) {
        state = Mutex(State(rules: rules))
        self.descriptor = descriptor
        self.limit = limit
        self.crowdMilliseconds = crowdMilliseconds
    }

    /// A logger whose lines go here.
    package func logger(label: String = "martlet") -> Logger {
        Logger(label: label) { _ in ProxyLogHandler(log: self) }
    }

    /// What holds now; a new value holds from the next line on.
    package var rules: LogRules {
        get { state.withLock { $0.rules } }
        set { state.withLock { $0.rules = newValue } }
    }

    /// Lines lost so far.
    package var droppedLines: Int { state.withLock { $0.dropped } }

    /// Queues one line, if its level is wanted; equal ones that follow closely become one. Who
    /// debugs gets every one.
    package func write(_ line: LogLine) {
        let verdict = state.withLock { state -> RepeatedEvents.Verdict? in
            guard line.level >= state.rules.level else { return nil }
            if state.rules.level <= .debug { return .write(beginning: nil) }
            return state.crowds.joins(line)
        }
        guard case .write(let crowd) = verdict else { return }
        append(line)
        if let crowd { tellLater(crowd) }
    }

    /// Told in the order of the log, not of what it tells.
    private func appendNow(_ line: LogLine) {
        var line = line
        line.time = Self.now
        append(line)
    }

    private func tellLater(_ crowd: String) {
        queue.asyncAfter(deadline: .now() + .milliseconds(crowdMilliseconds)) { [weak self] in
            guard let self, let line = state.withLock({ $0.crowds.rest(of: crowd) }) else { return }
            appendNow(line)
            tellLater(crowd)
        }
    }

    /// Queues one line, whatever its level, without what nobody should read.
    func append(_ line: LogLine) {
        let rules = rules
        var line = line
        line.message = LogRedaction.withoutCredentials(line.message)
        line.fields = line.fields.compactMap {
            LogRedaction.shown($0, statements: rules.statements)
        }
        append(line.rendered(as: rules.format))
    }

    /// Waits until what was queued is written, but not for ever: nobody may be reading.
    package func flush(milliseconds: Int = 2000) {
        state.withLock { $0.crowds.everything() }.forEach { appendNow($0) }
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + .milliseconds(milliseconds))
    }

    /// Wall clock time, in nanoseconds since 1970.
    package static var now: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func append(_ text: String) {
        let startsWriter = state.withLock { state in
            guard state.pending.count + text.utf8.count <= limit else {
                state.dropped += 1
                state.unreported += 1
                return false
            }
            state.pending.append(contentsOf: text.utf8)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if startsWriter { queue.async { [self] in drain() } }
    }

    private func drain() {
        while let (bytes, lost) = takePending() {
            put(bytes)
            guard lost > 0 else { continue }
            let note = LogLine(
                time: Self.now, level: .warning, message: "log lines dropped",
                fields: [LogLine.Field("count", "\(lost)")])
            put(Array(note.rendered(as: rules.format).utf8))
        }
    }

    private func takePending() -> ([UInt8], Int)? {
        state.withLock { state in
            guard !state.pending.isEmpty else {
                state.isWriting = false
                return nil
            }
            defer {
                state.pending = []
                state.unreported = 0
            }
            return (state.pending, state.unreported)
        }
    }

    /// Writes all of it, waiting where it must; gives up where nobody can read it any more.
    private func put(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            }
            if count > 0 {
                done += count
            } else if errno == EAGAIN {
                // Somebody who shares the terminal has made it non-blocking.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                unsafe poll(&ready, 1, 1000)
            } else if errno != EINTR {
                return
            }
        }
    }
}
