// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// Says once, each time it is armed, that a socket of libpq is ready.
///
/// libpq closes its socket whenever it likes, and a Dispatch source must not outlive what it
/// watches. So each source watches a duplicate, which is closed when the source is through with
/// it.
// Confined to the queue that it is made with.
final class SocketWatch: @unchecked Sendable {
    enum Readiness: Sendable {
        case readable, writable
    }

    /// The descriptor of libpq that is watched.
    let descriptor: Int32
    private let queue: DispatchQueue
    private let onReady: @Sendable (Readiness) -> Void
    private var reading: Source?
    private var writing: Source?

    private struct Source {
        let source: any DispatchSourceProtocol
        var isArmed = false
    }

    init(
        _ descriptor: Int32, on queue: DispatchQueue,
        _ onReady: @escaping @Sendable (Readiness) -> Void
    ) {
        self.descriptor = descriptor
        self.queue = queue
        self.onReady = onReady
    }

    /// Calls back once when it is readable (data, end of stream or error); false out of
    /// descriptors.
    func armForReading() -> Bool {
        if reading == nil { reading = makeSource(.readable) }
        return Self.arm(&reading)
    }

    /// Calls back once when it is writable.
    func armForWriting() -> Bool {
        if writing == nil { writing = makeSource(.writable) }
        return Self.arm(&writing)
    }

    /// No call-back from now on.
    func cancel() {
        for source in [reading, writing].compactMap({ $0 }) {
            source.source.cancel()
            // A suspended source would never get to its cancellation.
            if !source.isArmed { source.source.resume() }
        }
        reading = nil
        writing = nil
    }

    deinit { cancel() }

    private static func arm(_ source: inout Source?) -> Bool {
        guard source != nil else { return false }
        if source?.isArmed == false {
            source?.isArmed = true
            source?.source.resume()
        }
        return true
    }

    private func makeSource(_ readiness: Readiness) -> Source? {
        let duplicate = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard duplicate >= 0 else { return nil }
        let source: any DispatchSourceProtocol =
            switch readiness {
            case .readable:
                DispatchSource.makeReadSource(fileDescriptor: duplicate, queue: queue)
            case .writable:
                DispatchSource.makeWriteSource(fileDescriptor: duplicate, queue: queue)
            }
        source.setCancelHandler { _ = close(duplicate) }
        source.setEventHandler { [weak self] in self?.fired(readiness) }
        return Source(source: source)
    }

    private func fired(_ readiness: Readiness) {
        switch readiness {
        case .readable:
            guard reading?.isArmed == true else { return }
            reading?.isArmed = false
            reading?.source.suspend()
        case .writable:
            guard writing?.isArmed == true else { return }
            writing?.isArmed = false
            writing?.source.suspend()
        }
        onReady(readiness)
    }
}
