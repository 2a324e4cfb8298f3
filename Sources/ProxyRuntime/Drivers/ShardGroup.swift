// SPDX-License-Identifier: Apache-2.0

package import ProxyCore
package import StatementClassifier
internal import Synchronization

/// The shard that a core lives on.
package typealias PoolerShard = Shard<PoolerDriver>

/// Where clients may connect, and the route that doing so means.
package struct ListenAddress: Equatable, Sendable {
    package var host: String
    package var port: UInt16
    package var route: Route?

    package init(host: String, port: UInt16, route: Route? = nil) {
        self.host = host
        self.port = port
        self.route = route
    }
}

/// All shards of the process, their acceptors, and what reaches every shard.
package final class ShardGroup: Sendable {
    private let shards: [PoolerShard]
    private let entrances: [ShardEntrance]
    private let acceptors = Mutex<[Acceptor]>([])
    package let ledger: Ledger

    /// Starts the loops; nobody is accepted before `listen`.
    package init(
        count: Int, policy: ProxyPolicy, rules: LoginRules, topology: Topology, host: ShardHost,
        resolver: Resolver = Resolver(), tls: TLSStore = TLSStore(), randomSeed: UInt64
    ) throws(SocketError) {
        let ledger = Ledger(shards: count)
        var entrances: [ShardEntrance] = []
        for _ in 0..<count { entrances.append(try ShardEntrance()) }
        var shards: [PoolerShard] = []
        for index in 0..<count {
            let id = ShardID(index)
            let core = Pooler(
                shard: id, policy: policy, rules: rules, topology: topology, ledger: ledger,
                randomSeed: randomSeed &+ UInt64(index), now: MonotonicClock.now)
            shards.append(
                try PoolerShard(id: id, mailbox: entrances[index].mailbox) { epoll in
                    PoolerDriver(
                        shard: id, pooler: core, policy: policy, epoll: epoll,
                        entrances: entrances, resolver: resolver, tls: ShardTLS(tls), host: host)
                })
        }
        self.ledger = ledger
        self.entrances = entrances
        self.shards = shards
        shards.forEach { $0.start() }
    }

    // MARK: Clients

    /// Accepts clients at every address of this name; returns where it really listens.
    @discardableResult
    package func listen(
        _ address: ListenAddress, troubled: @escaping @Sendable (SocketError) -> Void = { _ in }
    ) throws(SocketError) -> [SocketAddress] {
        let take: Acceptor.Take = { [entrances] socket, peer in
            Self.leastLoaded(entrances).admit(socket, peer: peer, route: address.route)
        }
        let opened = try Acceptor.open(
            host: address.host, port: address.port, take: take, troubled: troubled)
        opened.forEach { $0.start() }
        acceptors.withLock { $0 += opened }
        return opened.map(\.address)
    }

    /// Clients connected, and those just being handed to a shard.
    package var clientCount: Int { entrances.reduce(0) { $0 + $1.clientCount } }

    /// Closes the listening sockets; clients that are connected stay.
    package func stopAccepting() {
        acceptors.withLock { acceptors in
            acceptors.forEach { $0.stop() }
            acceptors = []
        }
    }

    private static func leastLoaded(_ entrances: [ShardEntrance]) -> ShardEntrance {
        entrances.min { $0.clientCount < $1.clientCount } ?? entrances[0]
    }

    // MARK: What every shard is told

    package func publish(_ topology: Topology) {
        entrances.forEach { $0.publish(topology) }
    }

    package func reconfigure(_ policy: ProxyPolicy, rules: LoginRules) {
        entrances.forEach { $0.mailbox.post(.reconfigured(policy, rules)) }
    }

    package func publish(_ catalogue: Catalogue?, database: String) {
        perform { core, _ in core.catalogueChanged(catalogue, database: database) }
    }

    /// Runs on each shard's queue, with its core.
    package func perform(_ body: @escaping @Sendable (Pooler, Instant) -> Void) {
        entrances.forEach { $0.mailbox.post(.perform(body)) }
    }

    /// Asks each shard's core something; answers come in the order of the shards.
    package func collect<Answer: Sendable>(
        _ question: @escaping @Sendable (Pooler, Instant) -> Answer
    ) async -> [Answer] {
        var answers: [Answer] = []
        for entrance in entrances {
            answers.append(
                await withCheckedContinuation { continuation in
                    entrance.mailbox.post(
                        .perform { continuation.resume(returning: question($0, $1)) })
                })
        }
        return answers
    }

    /// What the cores have counted, one value a shard.
    package func statistics() async -> [ShardStatistics] {
        await collect { core, now in core.statistics(now: now) }
    }

    /// What the loops have done so far, summed.
    package func loopStatistics() async -> LoopStatistics {
        var sum = LoopStatistics()
        for entrance in entrances {
            sum.add(
                await withCheckedContinuation { continuation in
                    entrance.mailbox.post(.statistics { continuation.resume(returning: $0) })
                })
        }
        return sum
    }

    // MARK: The end

    /// Accepts nobody any more and returns when the last client has left, each at its transaction's
    /// end. Who wants to wait no longer calls `stop`.
    package func drain() async {
        stopAccepting()
        await withTaskGroup(of: Void.self) { group in
            for entrance in entrances {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        entrance.mailbox.post(.drain { continuation.resume() })
                    }
                }
            }
        }
    }

    /// Ends every loop and closes every socket; call once, last.
    package func stop() async {
        stopAccepting()
        for shard in shards {
            await withCheckedContinuation { continuation in
                shard.stop { continuation.resume() }
            }
        }
    }
}
