// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
package import ProxyCore
internal import Synchronization

/// Looks host names up away from the shards, whose threads must never block.
///
/// One look-up a name at a time: who asks while it runs gets the same answer. Answers are kept for
/// a few seconds, so that a pool that opens twenty servers asks once; failures are not kept.
package final class Resolver: Sendable {
    package typealias Answer = Result<[SocketAddress], SocketError>
    package typealias LookUp = @Sendable (String, UInt16) -> Answer

    private struct Key: Hashable {
        let host: String
        let port: UInt16
    }

    private enum Entry {
        case running([@Sendable (Answer) -> Void])
        case known([SocketAddress], until: Instant)
    }

    private let entries = Mutex<[Key: Entry]>([:])
    private let lifetime: Instant.Span
    private let lookUp: LookUp
    /// Names kept at a time; members of a cluster are few.
    private static let capacity = 1024

    package init(
        lifetime: Instant.Span = .seconds(5), lookUp: @escaping LookUp = Resolver.systemLookUp
    ) {
        self.lifetime = lifetime
        self.lookUp = lookUp
    }

    /// Calls back on any thread, perhaps before it returns.
    package func resolve(
        host: String, port: UInt16, _ callback: @escaping @Sendable (Answer) -> Void
    ) {
        let key = Key(host: host, port: port)
        enum Next { case answer([SocketAddress]), wait, start }
        let next = entries.withLock { entries -> Next in
            switch entries[key] {
            case .known(let addresses, let until) where until > MonotonicClock.now:
                return .answer(addresses)
            case .running(let waiting):
                entries[key] = .running(waiting + [callback])
                return .wait
            case .known, nil:
                if entries.count >= Self.capacity { Self.dropKnown(from: &entries) }
                entries[key] = .running([callback])
                return .start
            }
        }
        switch next {
        case .answer(let addresses): callback(.success(addresses))
        case .wait: break
        case .start:
            // A serial queue of its own gets a thread of its own, however many threads of the
            // shared pool hang in something; a failover is when many do.
            DispatchQueue(label: "martlet.resolver").async {
                self.finish(key, self.lookUp(host, port))
            }
        }
    }

    /// `getaddrinfo`: files, DNS, whatever the system is set up for.
    package static func systemLookUp(host: String, port: UInt16) -> Answer {
        do throws(SocketError) {
            return .success(try SocketAddress.resolve(host: host, port: port))
        } catch {
            return .failure(error)
        }
    }

    private func finish(_ key: Key, _ answer: Answer) {
        let waiting = entries.withLock { entries -> [@Sendable (Answer) -> Void] in
            guard case .running(let waiting) = entries[key] else { return [] }
            if case .success(let addresses) = answer {
                entries[key] = .known(addresses, until: MonotonicClock.now + lifetime)
            } else {
                entries[key] = nil
            }
            return waiting
        }
        for callback in waiting { callback(answer) }
    }

    private static func dropKnown(from entries: inout [Key: Entry]) {
        entries = entries.filter { if case .running = $0.value { true } else { false } }
    }
}
