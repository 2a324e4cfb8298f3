// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

@Suite struct SecretBytesTests {
    private static let key = [UInt8](repeating: 1, count: 32)

    @Test func `the same key gives the same bytes, in the lengths asked for`() {
        var (a, b) = (
            SecretBytes(processKey: Self.key, stream: 0),
            SecretBytes(processKey: Self.key, stream: 0)
        )
        for count in [0, 1, 18, 32, 33, 100] {
            let bytes = a.next(count)
            #expect(bytes.count == count)
            #expect(bytes == b.next(count))
        }
    }

    @Test func `nothing comes twice, from no stream and no process`() {
        var seen: Set<[UInt8]> = []
        for key in [Self.key, [UInt8](repeating: 2, count: 32)] {
            for stream in 0..<4 {
                var secrets = SecretBytes(processKey: key, stream: stream)
                for _ in 0..<100 { seen.insert(secrets.next(18)) }
            }
        }
        #expect(seen.count == 800)
    }
}
