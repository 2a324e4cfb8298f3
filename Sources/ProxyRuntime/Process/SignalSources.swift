// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// The signals that martlet lives by, delivered on a queue instead of in the middle of something.
///
/// SIGTERM and SIGINT drain, and a second one ends at once; SIGHUP reloads; SIGPIPE is ignored
/// because every send reports its own failure.
// Unchecked: the sources are made in `init` and only cancelled after that; Dispatch locks them.
package final class SignalSources: @unchecked Sendable {
    /// What a signal asks for.
    package enum Request: Equatable, Sendable {
        /// Finish what runs, then end.
        case drain
        /// End now: asked for a second time.
        case end
        case reload
    }

    private let queue = DispatchQueue(label: "martlet.signals")
    private var sources: [any DispatchSourceSignal] = []
    private var drainsAsked = 0

    /// Takes the signals over; `perform` runs on the sources' own queue.
    package init(perform: @escaping @Sendable (Request) -> Void) {
        for number in [SIGTERM, SIGINT] {
            watch(number) { [weak self] in
                guard let self else { return }
                drainsAsked += 1
                perform(drainsAsked == 1 ? .drain : .end)
            }
        }
        watch(SIGHUP) { perform(.reload) }
        signal(SIGPIPE, SIG_IGN)
    }

    deinit { for source in sources { source.cancel() } }

    private func watch(_ number: Int32, _ perform: @escaping () -> Void) {
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler(handler: perform)
        let registered = DispatchSemaphore(value: 0)
        source.setRegistrationHandler { registered.signal() }
        sources.append(source)
        source.activate()
        // On Linux, Dispatch installs a handler of its own when it registers the source, which is
        // later than now. Ignoring the signal until then would lose it, and ignoring it after that
        // would replace the handler; so it does what it always does until the source is there.
        registered.wait()
    }
}
