// SPDX-License-Identifier: Apache-2.0

import Glibc
import ProxyCore
import ProxyRuntime
import Testing

@Suite(.serialized, .timeLimit(.minutes(1))) struct ProcessTests {
    @Test func `the figures of this process make sense`() {
        let figures = ProcessStatistics.figures()
        #expect(figures.residentBytes > 1 << 20)
        #expect(figures.virtualBytes > figures.residentBytes)
        #expect((3..<figures.maximumDescriptors).contains(figures.openDescriptors))
        #expect(figures.cpuSeconds > 0)
        #expect(figures.startTime > 1_600_000_000)
        #expect(figures.startTime <= Double(time(nil)) + 1)
    }

    @Test func `the soft limit of descriptors becomes the hard one`() {
        let limit = DescriptorLimit.raise()
        #expect(limit == DescriptorLimit.current)
        var actual = rlimit()
        _ = unsafe getrlimit(Int32(RLIMIT_NOFILE.rawValue), &actual)
        #expect(actual.rlim_cur == actual.rlim_max)
    }

    @Test func `the signals become requests, and a second end is at once`() async {
        let (requests, arrived) = AsyncStream<SignalSources.Request>.makeStream()
        let sources = SignalSources { arrived.yield($0) }
        var next = requests.makeAsyncIterator()
        kill(getpid(), SIGHUP)
        #expect(await next.next() == .reload)
        kill(getpid(), SIGTERM)
        #expect(await next.next() == .drain)
        kill(getpid(), SIGINT)
        #expect(await next.next() == .end)
        // Ignored, or this process would be gone.
        kill(getpid(), SIGPIPE)
        kill(getpid(), SIGHUP)
        #expect(await next.next() == .reload)
        withExtendedLifetime(sources) {}
    }
}
