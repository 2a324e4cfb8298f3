// SPDX-License-Identifier: Apache-2.0

/// One shard's experience with a node: load, latency, failures.
package struct NodeLoad: Equatable, Sendable {
    /// Units of this shard that it is executing, and those that wait for a server of it.
    package fileprivate(set) var unitsInFlight = 0
    /// Moving average of how long its units take, in nanoseconds; 0 before the first.
    package fileprivate(set) var latencyAverage: UInt64 = 0
    fileprivate var latencyAt = Instant(0)
    package fileprivate(set) var circuit = Circuit()
    /// When a connection to it last ended without a word.
    fileprivate var brokeAt: Instant?

    /// Keeps work away from a member that cannot be connected to, for a growing time.
    package struct Circuit: Equatable, Sendable {
        private static let firstPause: UInt64 = 100_000_000
        private static let longestPause: UInt64 = 10_000_000_000

        package private(set) var failures = 0
        private var closedFrom = Instant(0)

        package func isOpen(_ now: Instant) -> Bool { failures > 0 && now < closedFrom }

        mutating func failed(_ now: Instant) {
            failures = min(failures + 1, 16)
            closedFrom = now + pause
        }

        mutating func succeeded() { self = Circuit() }

        /// Lets one unit try the node; the others wait for the outcome.
        mutating func tried(_ now: Instant) {
            if failures > 0 { closedFrom = now + pause }
        }

        private var pause: Instant.Span {
            let doubled = Self.firstPause << UInt64(max(failures - 1, 0))
            return Instant.Span(nanoseconds: min(doubled, Self.longestPause))
        }
    }
}

/// The loads of all members, as one shard sees them; a handful, searched in order.
package struct NodeLoads: Equatable, Sendable {
    private var entries: [Entry] = []
    /// Moving average over all members: what is assumed of one that has not served yet.
    private var typicalLatency: UInt64 = 1_000_000
    /// The newest of all `brokeAt`.
    private var lastBrokeAt = Instant(0)

    private struct Entry: Equatable, Sendable {
        let id: NodeID
        var load: NodeLoad
    }

    package init() {}

    /// Members came or went; what is known of those that stay is kept.
    package mutating func follow(_ topology: borrowing Topology) {
        entries.removeAll { entry in
            entry.load.unitsInFlight == 0 && !topology.nodes.contains { $0.id == entry.id }
        }
        for node in topology.nodes where find(node.id) == nil {
            entries.append(Entry(id: node.id, load: NodeLoad()))
        }
    }

    package subscript(id: NodeID) -> NodeLoad { find(id).map { entries[$0].load } ?? NodeLoad() }

    // MARK: What happened

    /// A unit was given to a member.
    package mutating func began(on id: NodeID, now: Instant) {
        let index = place(id)
        entries[index].load.unitsInFlight += 1
        entries[index].load.circuit.tried(now)
    }

    /// A unit ended after `latency`; nil if the duration says nothing about the node.
    package mutating func ended(on id: NodeID, latency: Instant.Span?, now: Instant) {
        guard let index = find(id) else { return }
        entries[index].load.unitsInFlight = max(entries[index].load.unitsInFlight - 1, 0)
        guard let latency else { return }
        // A single report of hours must not make all arithmetic overflow.
        let sample = min(latency.nanoseconds, 1 << 42)
        let before = entries[index].load.latencyAverage
        entries[index].load.latencyAverage = max(Self.average(before, sample), 1)
        entries[index].load.latencyAt = now
        typicalLatency = max(Self.average(typicalLatency, sample), 1)
    }

    package mutating func connected(to id: NodeID) {
        guard let index = find(id) else { return }
        entries[index].load.circuit.succeeded()
    }

    package mutating func connectFailed(to id: NodeID, now: Instant) {
        entries[place(id)].load.circuit.failed(now)
    }

    /// A connection ended without a word, as all do whose node crashed or cannot be reached.
    package mutating func broke(_ id: NodeID, now: Instant) {
        guard let index = find(id) else { return }
        entries[index].load.brokeAt = now
        lastBrokeAt = now
    }

    // MARK: What follows

    /// Whether a connection to the member opened at `openedAt` may have ended with others of then.
    package func mayBeBroken(_ id: NodeID, since openedAt: Instant) -> Bool {
        guard openedAt < lastBrokeAt, let index = find(id),
            let brokeAt = entries[index].load.brokeAt
        else { return false }
        return openedAt < brokeAt
    }

    package func isCircuitOpen(_ id: NodeID, _ now: Instant) -> Bool {
        guard let index = find(id) else { return false }
        return entries[index].load.circuit.isOpen(now)
    }

    /// Whether a member costs less than another: (units in flight + 1) x moving average of latency.
    ///
    /// Latencies that differ by less than a half count as equal: while there is little to do, a
    /// replica that is a little faster than the others would get all of it.
    package func isCheaper(_ id: NodeID, than other: NodeID, _ now: Instant) -> Bool {
        let (units, otherUnits) = (UInt64(self[id].unitsInFlight), UInt64(self[other].unitsInFlight))
        let (latency, otherLatency) = (latency(of: id, now), latency(of: other, now))
        if max(latency, otherLatency) * 2 < min(latency, otherLatency) * 3 {
            return units < otherUnits
        }
        return (units + 1) &* latency < (otherUnits + 1) &* otherLatency
    }

    /// The moving average; one that nothing has refreshed fades towards the typical one by half a
    /// second, so that one slow unit does not keep a member idle for ever.
    private func latency(of id: NodeID, _ now: Instant) -> UInt64 {
        let load = self[id]
        guard load.latencyAverage > 0 else { return typicalLatency }
        let age = (now - load.latencyAt).milliseconds / 500
        let excess =
            load.latencyAverage > typicalLatency
            ? (load.latencyAverage - typicalLatency) >> min(age, 63) : 0
        return min(load.latencyAverage, typicalLatency) + excess
    }

    private static func average(_ before: UInt64, _ sample: UInt64) -> UInt64 {
        before == 0 ? sample : before - before / 8 + sample / 8
    }

    private func find(_ id: NodeID) -> Int? {
        for index in entries.indices where entries[index].id == id { return index }
        return nil
    }

    private mutating func place(_ id: NodeID) -> Int {
        if let index = find(id) { return index }
        entries.append(Entry(id: id, load: NodeLoad()))
        return entries.count - 1
    }
}
