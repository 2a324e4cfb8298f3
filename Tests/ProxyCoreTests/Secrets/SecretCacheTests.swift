// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import Testing

struct SecretCacheTests {
    private var cache = SecretCache(lifetime: .seconds(30))
    private var now = Instant(1_000_000_000_000)
    private var lastTicket: SecretCache.Ticket = 0

    private static func topology(_ index: Int = 0, isPrimary: Bool = true) -> Topology {
        var topology = Topology()
        var node = Topology.Node(
            id: NodeID(index), name: "n\(index)", host: "n\(index)", port: 5432,
            role: isPrimary ? .primary : .replica)
        node.exclusion = isPrimary ? .notReplica : nil
        topology.nodes = (0..<index).map { lower in
            var other = Topology.Node(
                id: NodeID(lower), name: "n\(lower)", host: "n\(lower)", port: 5432,
                role: .replica)
            other.exclusion = .unreachable
            return other
        } + [node]
        topology.primary = isPrimary ? node.id : nil
        return topology
    }

    private mutating func happens(_ event: SecretCache.Event) -> [SecretCache.Action] {
        cache.notified(event, now: now)
        var all: [SecretCache.Action] = []
        while let action = cache.nextAction() { all.append(action) }
        return all
    }

    private mutating func request(
        _ role: String = "app", newerThan: Instant = Instant(0)
    ) -> [SecretCache.Action] {
        lastTicket += 1
        return happens(.requested(lastTicket, role: role, newerThan: newerThan))
    }

    private func secret(_ text: String, at time: Instant) -> RoleSecret {
        RoleSecret(text: text, fetchedAt: time)
    }

    private static func queries(_ actions: [SecretCache.Action]) -> [SecretCache.Query] {
        actions.compactMap { if case .send(let query, _) = $0 { query } else { nil } }
    }

    /// A cache that knows its node and its rights there, and a query that is on its way.
    private mutating func begin(_ role: String = "app") throws -> SecretCache.Query {
        _ = happens(.topologyChanged(Self.topology()))
        guard case .readRights(let number) = request(role).last else {
            throw Unexpected()
        }
        return try #require(Self.queries(happens(.rightsRead(number, .table))).first)
    }

    private struct Unexpected: Error {}

    @Test mutating func `the node is chosen, its rights are read once, and then the role is asked`()
        throws
    {
        _ = happens(.topologyChanged(Self.topology()))
        let actions = request("app")
        #expect(actions.first == .connect(host: "n0", port: 5432))
        guard actions.count == 2, case .readRights(let number) = actions[1] else {
            throw Unexpected()
        }
        #expect(request("other").isEmpty)
        let sent = happens(.rightsRead(number, .function))
        #expect(Self.queries(sent).map(\.role) == ["app", "other"])
        #expect(sent.allSatisfy { if case .send(_, .function) = $0 { true } else { false } })
        #expect(Self.queries(request("third")).map(\.role) == ["third"])
    }

    @Test mutating func `a secret is remembered for its lifetime, an absent role for five seconds`()
        throws
    {
        let sentAt = now
        let found = secret("s", at: sentAt)
        #expect(
            happens(.found(try begin(), found, sentAt: sentAt)) == [.answer(1, .found(found))])
        now = sentAt + .seconds(29)
        #expect(request() == [.answer(2, .found(found))])
        let ghost = try #require(Self.queries(request("ghost")).first)
        let askedAt = now
        let absent = SecretLookup.absent(fetchedAt: askedAt)
        #expect(happens(.found(ghost, nil, sentAt: askedAt)) == [.answer(3, absent)])
        now = sentAt + .seconds(30)
        #expect(Self.queries(request()).count == 1)
        now = askedAt + .milliseconds(4_999)
        #expect(request("ghost") == [.answer(5, absent)])
        now = askedAt + .seconds(5)
        #expect(Self.queries(request("ghost")).count == 1)
    }

    @Test mutating func `what was fetched before a change is not enough`() throws {
        let first = secret("old", at: now)
        _ = happens(.found(try begin(), first, sentAt: now))
        now = now + .milliseconds(1)
        let query = try #require(Self.queries(request(newerThan: now)).first)
        let second = secret("new", at: now)
        #expect(happens(.found(query, second, sentAt: now)) == [.answer(2, .found(second))])
        #expect(request() == [.answer(3, .found(second))])
    }

    @Test mutating func `who comes while a query is on its way waits for the next, with all others`()
        throws
    {
        _ = happens(.reconfigured(lifetime: .zero))
        let query = try begin()
        let sentAt = now
        now = now + .milliseconds(1)
        for _ in 0..<10 { #expect(request().isEmpty) }
        let old = secret("old", at: sentAt)
        let actions = happens(.found(query, old, sentAt: sentAt))
        #expect(actions.first == .answer(1, .found(old)))
        let next = Self.queries(actions)
        #expect(next.count == 1 && actions.count == 2)
        let new = secret("new", at: now)
        let expected = (2...11).map { SecretCache.Action.answer($0, .found(new)) }
        #expect(happens(.found(next[0], new, sentAt: now)) == expected)
    }

    @Test mutating func `a lost connection is tried three times, a refusal once`() throws {
        var query = try begin()
        for _ in 0..<2 {
            let sent = Self.queries(happens(.failed(query, .lost("reset"))))
            query = try #require(sent.first)
        }
        #expect(
            happens(.failed(query, .lost("reset")))
                == [.warn(.lost("reset")), .answer(1, .unavailable("reset"))])
        let next = try #require(Self.queries(request()).first)
        let refused = SecretFault.refused(sqlState: "42501", words: "42501: no")
        // It was told already.
        #expect(happens(.failed(next, refused)) == [.answer(2, .unavailable("42501: no"))])
        let last = try #require(Self.queries(request()).first)
        _ = happens(.found(last, secret("s", at: now), sentAt: now))
        let after = try #require(Self.queries(request("other")).first)
        #expect(happens(.failed(after, refused)).first == .warn(refused))
    }

    @Test mutating func `rights that cannot be read fail those who wait for them`() throws {
        _ = happens(.topologyChanged(Self.topology()))
        guard case .readRights(let number) = request().last else { throw Unexpected() }
        let fault = SecretFault.failed("timeout")
        #expect(
            happens(.rightsFailed(number, fault))
                == [.warn(fault), .answer(1, .unavailable("timeout"))])
        guard case .readRights(let next) = request().last else { throw Unexpected() }
        #expect(next != number)
        #expect(happens(.rightsRead(number, .table)).isEmpty, "a late reply")
        #expect(Self.queries(happens(.rightsRead(next, .table))).count == 1)
    }

    @Test mutating func `a secret that has expired serves for five minutes while no node can be asked`()
        throws
    {
        let found = secret("s", at: now)
        _ = happens(.found(try begin(), found, sentAt: now))
        #expect(happens(.topologyChanged(Topology())) == [.disconnect])
        now = now + .seconds(299)
        let reason = "no member of the cluster can be asked"
        #expect(request() == [.warn(.lost(reason)), .answer(2, .found(found))])
        #expect(request("other") == [.answer(3, .unavailable(reason))])
        now = now + .seconds(1)
        #expect(request() == [.answer(4, .unavailable(reason))])
    }

    @Test mutating func `a replica is left for the primary, and what was asked there is asked again`()
        throws
    {
        _ = happens(.topologyChanged(Self.topology(0, isPrimary: false)))
        let first = request()
        #expect(first.first == .connect(host: "n0", port: 5432))
        guard case .readRights(let number) = first.last else { throw Unexpected() }
        let late = try #require(Self.queries(happens(.rightsRead(number, .table))).first)
        let moved = happens(.topologyChanged(Self.topology(1)))
        #expect(moved.prefix(2) == [.disconnect, .connect(host: "n1", port: 5432)])
        guard case .readRights(let second) = moved.last else { throw Unexpected() }
        // What the replica says now comes too late.
        #expect(happens(.found(late, secret("old", at: now), sentAt: now)).isEmpty)
        let query = try #require(Self.queries(happens(.rightsRead(second, .table))).first)
        let new = secret("new", at: now)
        #expect(happens(.found(query, new, sentAt: now)) == [.answer(1, .found(new))])
    }

    @Test mutating func `another function is another connection`() throws {
        _ = happens(.found(try begin(), nil, sentAt: now))
        #expect(happens(.functionChanged) == [.disconnect])
        #expect(request("x").first == .connect(host: "n0", port: 5432))
    }

    @Test mutating func `128 roles are asked for at a time, 4096 in all`() throws {
        let query = try begin("first")
        var sent: [SecretCache.Query] = [query]
        for index in 1..<SecretCache.searchLimit { sent += Self.queries(request("r\(index)")) }
        #expect(sent.count == 128)
        #expect(
            request("beyond")
                == [.answer(lastTicket, .unavailable("too many roles are being looked up"))])
        let next = happens(.found(query, nil, sentAt: now))
        #expect(Self.queries(next).map(\.role) == ["r128"])
    }

    @Test mutating func `beyond the capacity the roles that were used longest ago are forgotten`()
        throws
    {
        var query = try begin("r0")
        for index in 1...SecretCache.capacity {
            _ = happens(.found(query, secret("s", at: now), sentAt: now))
            now = now + .milliseconds(1)
            if index == SecretCache.capacity { #expect(request("r0").count == 1) }
            query = try #require(Self.queries(request("r\(index)")).first)
        }
        _ = happens(.found(query, secret("s", at: now), sentAt: now))
        #expect(Self.queries(request("r0")).isEmpty, "used not long ago")
        #expect(Self.queries(request("r1")).count == 1)
        #expect(Self.queries(request("r\(SecretCache.capacity / 2)")).isEmpty)
    }

    @Test mutating func `after the end everybody who waits is told`() throws {
        _ = try begin()
        let actions = happens(.stopped)
        #expect(actions.first == .disconnect)
        #expect(actions.last == .answer(1, .unavailable("no member of the cluster can be asked")))
    }
}
