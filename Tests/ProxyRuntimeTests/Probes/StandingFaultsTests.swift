// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ProxyRuntime

struct StandingFaultsTests {
    @Test func `a fault is told once, and so is its end`() {
        var faults = StandingFaults()
        #expect(faults.ended("a") == false)
        #expect(faults.failed("a", "refused") == true)
        #expect(faults.failed("a", "refused") == false)
        #expect(faults.failed("b", "refused") == true, "each has its own")
        #expect(faults.failed("a", "timeout") == true, "another reason is news")
        #expect(faults.ended("a") == true)
        #expect(faults.ended("a") == false)
        #expect(faults.failed("a", "timeout") == true)
    }
}
