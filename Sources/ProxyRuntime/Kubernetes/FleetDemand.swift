// SPDX-License-Identifier: Apache-2.0

package import ProxyCore
internal import Synchronization

/// The demand of reads of all martlets before the cluster: asks each for its `/autoscale`.
///
/// Either all of them have answered or there is no sum: too small a one would take readers away
/// under load, while without one the autoscaler leaves everything as it is. Askings that come while
/// one is under way share it, so that nobody can make us ask the others more often.
package final class FleetDemand: Sendable {
    package struct Total: Equatable, Sendable {
        package var demand: Double
        package var cluster: String?
    }

    package typealias Answer = Result<Total, KubernetesStatus>

    private struct State {
        var running: Task<Answer, Never>?
    }

    /// Instances that are asked at a time.
    private static let width = 32
    private static let timeout = Instant.Span.seconds(2)
    private static let bodyLimit = 64 << 10
    /// More is no measurement.
    private static let plausible = 0.0...1e9

    private let client = HTTPClient()
    private let port: UInt16
    private let peers: @Sendable () -> [HostAndPort]?
    private let refresh: @Sendable () -> Void
    private let own: @Sendable () async -> AutoscaleDocument?
    private let state = Mutex(State())

    /// - Parameters:
    ///   - port: where every instance serves HTTP.
    ///   - peers: the others; nil while they are not known.
    ///   - refresh: looks for them anew.
    package init(
        port: UInt16, peers: @escaping @Sendable () -> [HostAndPort]?,
        refresh: @escaping @Sendable () -> Void = {},
        own: @escaping @Sendable () async -> AutoscaleDocument?
    ) {
        self.port = port
        self.peers = peers
        self.refresh = refresh
        self.own = own
    }

    package func total() async -> Answer {
        let task = state.withLock { state in
            if let running = state.running { return running }
            let task = Task { [self] in
                let answer = await gather()
                self.state.withLock { $0.running = nil }
                return answer
            }
            state.running = task
            return task
        }
        return await task.value
    }

    // MARK: -

    private func gather() async -> Answer {
        guard let own = await own() else {
            return .failure(.serviceUnavailable("a shard of this instance does not answer"))
        }
        guard let peers = peers() else {
            return .failure(.serviceUnavailable("the other instances have not been looked up yet"))
        }
        // One that has several ports for clients has one for HTTP.
        let hosts = Set(peers.map(\.host)).sorted()
        var total = Total(demand: own.demand, cluster: own.cluster)
        var next = hosts.makeIterator()
        let failure = await withTaskGroup(of: Result<Double, Refusal>.self) { group in
            for _ in 0..<Self.width {
                guard let host = next.next() else { break }
                group.addTask { await self.ask(host, own.cluster) }
            }
            var failure: Refusal?
            while let answer = await group.next() {
                switch answer {
                case .success(let demand): total.demand += demand
                case .failure(let refusal): failure = failure ?? refusal
                }
                if failure == nil, let host = next.next() {
                    group.addTask { await self.ask(host, own.cluster) }
                }
            }
            return failure
        }
        guard let failure else { return .success(total) }
        refresh()
        return .failure(.serviceUnavailable(failure.reason))
    }

    private struct Refusal: Error {
        let reason: String
    }

    private func ask(_ host: String, _ cluster: String?) async -> Result<Double, Refusal> {
        let place = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var request = HTTPClient.Request("http://\(place)/autoscale", timeout: Self.timeout)
        request.bodyLimit = Self.bodyLimit
        let answer = await withCheckedContinuation { continuation in
            client.get(request) { continuation.resume(returning: $0) }
        }
        func refusal(_ words: String) -> Result<Double, Refusal> {
            .failure(Refusal(reason: "the instance at \(place) \(words)"))
        }
        switch answer {
        case .failed(let words): return refusal("does not answer: \(words)")
        case .answered(200, let body):
            guard let json = JSONValue(body), let demand = json["readers"]?["demand"]?.real,
                Self.plausible.contains(demand)
            else { return refusal("tells no demand") }
            if let its = json["cluster"]?.string, let cluster, its != cluster {
                return refusal("is before another cluster, \(its)")
            }
            return .success(demand)
        case .answered(let status, _): return refusal("answers \(status)")
        }
    }
}
