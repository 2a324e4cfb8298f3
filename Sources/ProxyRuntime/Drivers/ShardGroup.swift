// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
package import ProxyConfiguration
package import ProxyCore
package import StatementClassifier
internal import Synchronization

/// The shard that a core lives on.
package typealias PoolerShard = Shard<PoolerDriver>

/// All shards of the process, and what reaches every shard.
package final class ShardGroup: Sendable {
    private let shards: [PoolerShard]
    private let entrances: [ShardEntrance]
    /// Listening sockets so far; they go round the shards.
    private let listenerCount = Atomic<Int>(0)
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
                shard: id, of: count, policy: policy, rules: rules, topology: topology, ledger: ledger,
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
        _ listener: Configuration.Listener,
        troubled: @escaping @Sendable (SocketError) -> Void = { _ in }
    ) throws(SocketError) -> [SocketAddress] {
        let opened = try Acceptor.open(
            host: listener.address.host, port: listener.address.port, troubled: troubled)
        for acceptor in opened {
            let number = listenerCount.add(1, ordering: .relaxed).newValue
            entrances[number % entrances.count].mailbox.post(.listen(acceptor, listener.route))
        }
        return opened.map(\.address)
    }

    /// Clients connected, and those just being handed to a shard.
    package var clientCount: Int { entrances.reduce(0) { $0 + $1.clientCount } }

    /// Closes the listening sockets; clients that are connected stay.
    package func stopAccepting() {
        entrances.forEach { $0.mailbox.post(.stopListening) }
    }

    // MARK: What every shard is told

    package func publish(_ topology: Topology) {
        entrances.forEach { $0.publish(topology) }
    }

    package func reconfigure(_ policy: ProxyPolicy, rules: LoginRules) {
        entrances.forEach { $0.mailbox.post(.reconfigured(policy, rules)) }
    }

    package func publish(_ peers: Peers) {
        perform { core, _ in core.replace(peers) }
    }

    package func publish(_ catalogue: Catalogue?, database: String) {
        perform { core, _ in core.catalogueChanged(catalogue, database: database) }
    }

    /// Runs on each shard's queue, with its core.
    package func perform(_ body: @escaping @Sendable (Pooler, Instant) -> Void) {
        entrances.forEach { $0.mailbox.post(.perform(body)) }
    }

    /// Asks all shards something at once; answers come in the order of the shards, nil from those
    /// that took longer than `patience`.
    package func ask<Answer: Sendable>(
        patience: Instant.Span = Health.patience,
        _ mail: (@escaping @Sendable (Answer) -> Void) -> ShardMail
    ) async -> [Answer?] {
        await withCheckedContinuation { continuation in
            let call = ShardPoll<Answer>(shards: entrances.count) {
                continuation.resume(returning: $0)
            }
            for (index, entrance) in entrances.enumerated() {
                entrance.mailbox.post(mail { call.answered(index, $0) })
            }
            DispatchQueue.global().asyncAfter(
                deadline: .now() + .nanoseconds(Int(clamping: patience.nanoseconds))
            ) { call.timeIsUp() }
        }
    }

    /// Asks each shard's core something.
    package func collect<Answer: Sendable>(
        _ question: @escaping @Sendable (Pooler, Instant) -> Answer
    ) async -> [Answer?] {
        await ask { answer in .perform { answer(question($0, $1)) } }
    }

    /// What the cores have counted; nil unless every shard has answered, as a sum without one of
    /// them would go backwards.
    package func statistics() async -> [ShardStatistics]? {
        let answers = await collect { core, now in core.statistics(now: now) }
        let present = answers.compactMap(\.self)
        return present.count == answers.count ? present : nil
    }

    /// What the loops that answer have done so far, summed.
    package func loopStatistics() async -> LoopCounters {
        let answers: [LoopCounters?] = await ask { .statistics($0) }
        return answers.reduce(into: LoopCounters()) { sum, one in
            if let one { sum.add(one) }
        }
    }

    /// Shards, by number, that give no sign of life.
    package func silentShards(patience: Instant.Span = Health.patience) async -> [Int] {
        let answers: [Bool?] = await ask(patience: patience) { answer in
            .perform { _, _ in answer(true) }
        }
        return answers.indices.filter { answers[$0] == nil }
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
