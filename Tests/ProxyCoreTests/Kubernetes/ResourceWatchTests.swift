// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

struct ResourceWatchTests {
    private static func watching(_ now: Instant) -> ResourceWatch {
        var watch = ResourceWatch(seed: 1)
        #expect(watch.start() == .list(continuing: nil))
        #expect(watch.listed(version: "7", continuing: nil, now: now) == .watch(from: "7"))
        return watch
    }

    private static func pause(_ action: ResourceWatch.Action, after now: Instant) -> UInt64? {
        guard case .wait(let until) = action else { return nil }
        return (until - now).milliseconds
    }

    @Test func `a list of several pages is complete with the last one`() {
        var watch = ResourceWatch(seed: 1)
        _ = watch.start()
        #expect(watch.listed(version: "7", continuing: "x", now: Instant(0)) == .list(continuing: "x"))
        #expect(!watch.isInSync)
        #expect(watch.listed(version: "8", continuing: nil, now: Instant(0)) == .watch(from: "8"))
        #expect(watch.isInSync)
    }

    @Test func `a watch goes on from the last object or bookmark`() {
        var now = Instant(0)
        var watch = Self.watching(now)
        watch.received(version: "9")
        watch.received(version: "12", isBookmark: true)
        now = now + .seconds(240)
        #expect(watch.ended(.finished, now: now) == .watch(from: "12"))
        #expect(watch.isInSync)
        #expect(watch.events == 1 && watch.failed == 0)
    }

    @Test func `a version that is gone means listing anew, and a server that says so always a pause`() {
        let now = Instant(0)
        var watch = Self.watching(now)
        var lists = 0
        while lists < 10 {
            let action = watch.ended(.gone, now: now)
            guard action == .list(continuing: nil) else {
                #expect(Self.pause(action, after: now) != nil)
                break
            }
            lists += 1
            _ = watch.listed(version: "7", continuing: nil, now: now)
        }
        #expect(lists == 2)
        #expect(!watch.isInSync)
        // In the middle of a list, too: its token has expired.
        watch = ResourceWatch(seed: 1)
        _ = watch.start()
        _ = watch.listed(version: "7", continuing: "x", now: now)
        #expect(watch.ended(.gone, now: now) == .list(continuing: nil))
    }

    @Test func `failures are tried again ever later, within bounds`() {
        var now = Instant(0)
        var watch = Self.watching(now)
        var pauses: [UInt64] = []
        for _ in 0..<12 {
            guard case .wait(let until) = watch.ended(.failed("x"), now: now) else {
                Issue.record("no pause")
                return
            }
            pauses.append((until - now).milliseconds)
            now = until
            #expect(watch.deadlineReached(now: now) == .list(continuing: nil))
        }
        #expect(500...750 ~= pauses[0])
        #expect(1000...1500 ~= pauses[1])
        #expect(pauses.suffix(4).allSatisfy { 30_000...45_000 ~= $0 })
        #expect(watch.failed == 12 && !watch.isInSync)
        _ = watch.listed(version: "1", continuing: nil, now: now)
        #expect(watch.isInSync)
        watch.received(version: "2")
        #expect(Self.pause(watch.ended(.failed("x"), now: now), after: now).map { $0 <= 750 } == true)
    }

    @Test func `a watch that is over as soon as it began does not spin`() {
        let now = Instant(0)
        var watch = Self.watching(now)
        #expect(watch.ended(.finished, now: now) == .watch(from: "7"))
        let action = watch.ended(.finished, now: now)
        guard case .wait(let until) = action else {
            Issue.record("no pause: \(action)")
            return
        }
        #expect(watch.deadlineReached(now: until) == .watch(from: "7"))
        // Late and out of order: nothing.
        #expect(watch.listed(version: "1", continuing: nil, now: now) == .nothing)
        #expect(watch.deadlineReached(now: now) == .nothing)
    }

    @Test func `a list without a version is a failure`() {
        var watch = ResourceWatch(seed: 1)
        _ = watch.start()
        let action = watch.listed(version: nil, continuing: nil, now: Instant(0))
        #expect(Self.pause(action, after: Instant(0)) != nil)
        #expect(!watch.isInSync)
    }

    @Test func `a leader is told once, and only when it changes`() {
        var hint = LeaderHint()
        #expect(hint.changed(to: "a").isEmpty)
        #expect(hint.changed(to: "a").isEmpty)
        #expect(hint.changed(to: nil) == [.primaryMayChange])
        #expect(hint.changed(to: "").isEmpty)
        #expect(hint.changed(to: "b") == [.primaryMayChange])
    }
}
