// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

@Test func `an instant far away plus a span stays far away`() {
    #expect(Instant.distantFuture + .seconds(5) == .distantFuture)
}

@Test func `a span is never negative`() {
    #expect(Instant(1) - Instant(2) == .zero)
}
