// SPDX-License-Identifier: Apache-2.0
import ProxyCore
import Testing

@Suite struct PositionHistoryTests {
    /// One sample each 100, answered 10 later, at ten times the time.
    private func history(_ count: Int) -> PositionHistory {
        var history = PositionHistory()
        for index in 1...count {
            let asked = UInt64(index * 100)
            history.append(
                .init(
                    position: LogPosition(asked * 10), askedAt: Instant(asked),
                    arrivedAt: Instant(asked + 10)))
        }
        return history
    }

    @Test func `the first position asked for after a moment holds what happened at it`() {
        let history = history(5)
        #expect(history.firstSample(askedAfter: Instant(0))?.position == LogPosition(1000))
        #expect(history.firstSample(askedAfter: Instant(99))?.position == LogPosition(1000))
        #expect(history.firstSample(askedAfter: Instant(100))?.position == LogPosition(2000))
        #expect(history.firstSample(askedAfter: Instant(105))?.position == LogPosition(2000))
        #expect(history.firstSample(askedAfter: Instant(499))?.position == LogPosition(5000))
        #expect(history.firstSample(askedAfter: Instant(500))?.position == nil)
    }

    @Test(arguments: [63, 64, 65, 100, 128, 129])
    func `a full ring keeps the last 64 in order`(count: Int) {
        let history = history(count)
        #expect(history.count == min(count, 64))
        #expect(history.newest?.askedAt == Instant(UInt64(count * 100)))
        #expect(history.oldest?.askedAt == Instant(UInt64((max(count - 64, 0) + 1) * 100)))
        for index in max(count - 63, 1)...count {
            let moment = Instant(UInt64(index * 100 - 1))
            #expect(
                history.firstSample(askedAfter: moment)?.position
                    == LogPosition(UInt64(index * 1000)))
            #expect(
                history.newest(askedBy: Instant(UInt64(index * 100)))?.position
                    == LogPosition(UInt64(index * 1000)))
        }
    }

    @Test func `an answer that was asked for earlier than the newest is ignored`() {
        var history = history(3)
        history.append(
            .init(position: LogPosition(9), askedAt: Instant(300), arrivedAt: Instant(999)))
        #expect(history.newest?.position == LogPosition(3000))
        #expect(history.count == 3)
    }

    @Test func `the first sample beyond a position is found`() {
        let history = history(4)
        #expect(history.first(beyond: LogPosition(1500))?.askedAt == Instant(200))
        #expect(history.first(beyond: LogPosition(2000))?.askedAt == Instant(300))
        #expect(history.first(beyond: LogPosition(4000)) == nil)
    }

    @Test func `a gap ends the run, and a full ring does not hide it`() {
        var history = history(3)
        #expect(history.isContinuous(since: Instant(100)))
        #expect(!history.isContinuous(since: Instant(99)))
        history.removeAll()
        #expect(!history.isContinuous(since: Instant(300)))
        for index in 10..<200 {
            let asked = UInt64(index * 100)
            history.append(
                .init(position: .zero, askedAt: Instant(asked), arrivedAt: Instant(asked)))
        }
        #expect(!history.isContinuous(since: Instant(999)))
        #expect(history.isContinuous(since: Instant(1000)))
    }

    @Test func `what is beyond a position is forgotten, and the ring goes on`() {
        var history = history(70)
        history.removeAll(beyond: LogPosition(68_500))
        #expect(history.newest?.position == LogPosition(68_000))
        history.append(
            .init(position: LogPosition(68_001), askedAt: Instant(8000), arrivedAt: Instant(8000)))
        #expect(history.newest?.position == LogPosition(68_001))
        #expect(history.oldest?.position == LogPosition(7000))
    }

    @Test(arguments: [
        ("0/0", 0), ("0/3000148", 0x300_0148), ("16/B374D848", 0x16_b374_d848),
        ("FFFFFFFF/FFFFFFFF", UInt64.max),
    ])
    func `positions are read and written as PostgreSQL does`(text: String, bytes: UInt64) {
        #expect(LogPosition(text: text) == LogPosition(bytes))
        #expect(LogPosition(bytes).description == text)
    }

    @Test(arguments: ["", "/", "0", "0/", "/0", "0/0/0", "g/0", "0/123456789", "-1/0", "+1/0", " 0/0"])
    func `other text is no position`(text: String) {
        #expect(LogPosition(text: text) == nil)
    }

    @Test(arguments: [
        (0x400_0028, 0x400_0000), (0x400_0018, 0x400_0000), (0x400_0029, 0x400_0029),
        (0x400_2018, 0x400_2000), (0x400_2019, 0x400_2019), (0x400_2028, 0x400_2028),
        (0x410_0028, 0x410_0028), (0x400_0000, 0x400_0000),
    ])
    func `the header of an empty page is no part of the log`(bytes: UInt64, expected: UInt64) {
        let position = LogPosition(bytes).withoutPageHeader(blockSize: 8192, segmentSize: 16 << 20)
        #expect(position == LogPosition(expected))
    }
}
