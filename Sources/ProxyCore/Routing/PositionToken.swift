// SPDX-License-Identifier: Apache-2.0

/// The value of `SHOW martlet.position` and `SET martlet.position`: a timeline and a place in
/// its log, as `timeline/XXXXXXXX/XXXXXXXX`. It means the same to every martlet of a cluster.
package struct PositionToken: Equatable, Sendable, CustomStringConvertible {
    package var timeline: UInt32
    package var position: LogPosition

    /// A session that has neither written nor read: no floor.
    package static let none = PositionToken(timeline: 0, position: .zero)

    package init(timeline: UInt32, position: LogPosition) {
        self.timeline = timeline
        self.position = position
    }

    /// Nil for anything but a timeline in decimal and two groups of 1 to 8 hexadecimal digits.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3,
            (1...10).contains(parts[0].utf8.count),
            parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let timeline = UInt32(parts[0]),
            let high = LogPosition.half(parts[1]), let low = LogPosition.half(parts[2])
        else { return nil }
        self.timeline = timeline
        position = LogPosition(UInt64(high) << 32 | UInt64(low))
        // A place without a timeline can be compared with nothing.
        if timeline == 0, position != .zero { return nil }
    }

    package var description: String {
        let low = Self.padded(position.bytes & 0xffff_ffff)
        return "\(timeline)/\(Self.padded(position.bytes >> 32))/\(low)"
    }

    private static func padded(_ half: UInt64) -> String {
        let digits = String(half, radix: 16, uppercase: true)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }
}
