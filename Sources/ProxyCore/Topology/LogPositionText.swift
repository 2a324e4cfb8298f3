// SPDX-License-Identifier: Apache-2.0

extension LogPosition: CustomStringConvertible {
    /// Reads PostgreSQL's text form, `16/B374D848`.
    package init?(text: some StringProtocol) {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let high = Self.half(halves[0]), let low = Self.half(halves[1])
        else { return nil }
        self.init(UInt64(high) << 32 | UInt64(low))
    }

    package var description: String {
        String(bytes >> 32, radix: 16, uppercase: true) + "/"
            + String(bytes & 0xffff_ffff, radix: 16, uppercase: true)
    }

    /// The same place in the log, named by the end of what was written before it.
    ///
    /// `pg_current_wal_insert_lsn()` steps over the header of a page that nothing is in yet, while
    /// a standby reports the end of the last record: on an idle primary after a segment switch they
    /// differ by the 40 bytes of that header for ever (xlog.c, XLogBytePosToRecPtr).
    package func withoutPageHeader(blockSize: UInt64, segmentSize: UInt64) -> LogPosition {
        guard blockSize > 0, segmentSize > 0 else { return self }
        let longHeader: UInt64 = 40
        let shortHeader: UInt64 = 24
        let header = bytes % segmentSize < blockSize ? longHeader : shortHeader
        let offset = bytes % blockSize
        return offset <= header ? LogPosition(bytes - offset) : self
    }

    /// One to eight hexadecimal digits, and nothing else.
    static func half(_ digits: some StringProtocol) -> UInt32? {
        guard (1...8).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ digit in
                switch digit {
                case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
                default: false
                }
            })
        else { return nil }
        return UInt32(digits, radix: 16)
    }
}
