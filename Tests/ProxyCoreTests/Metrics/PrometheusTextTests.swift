// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import Testing

struct PrometheusTextTests {
    private static let gauge = MetricFamily.all.first { $0.kind == .gauge }!
    private static let histogram = MetricFamily.all.first { $0.kind == .histogram }!

    @Test func `a family begins with its help and type`() {
        var page = PrometheusText()
        page.begin(Self.gauge)
        page.sample([("state", "idle")], 3)
        page.sample(0.5)
        #expect(
            page.text == """
                # HELP \(Self.gauge.name) \(Self.gauge.help)
                # TYPE \(Self.gauge.name) gauge
                \(Self.gauge.name){state="idle"} 3
                \(Self.gauge.name) 0.5

                """)
    }

    @Test func `label values and helps are escaped as the format says`() {
        #expect(PrometheusText.escaped(label: "a\\b\"c\nd\r\né") == "a\\\\b\\\"c\\nd\r\\né")
        #expect(PrometheusText.escaped(help: "a\\b\"c\nd") == "a\\\\b\"c\\nd")
    }

    @Test(arguments: [
        (0.0, "0"), (1.0, "1"), (-2.0, "-2"), (0.25, "0.25"), (1e20, "1e+20"),
        (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
    ])
    func `a number is written as the format reads it`(value: Double, text: String) {
        #expect(value.sampleText == text)
    }

    @Test func `a histogram's buckets are cumulative and end in its count`() {
        var durations = DurationHistogram()
        durations.record(.zero)
        durations.record(Instant.Span(nanoseconds: 64_000))
        durations.record(Instant.Span(nanoseconds: 64_001))
        durations.record(.seconds(1))
        durations.record(.seconds(1000))
        var page = PrometheusText()
        page.begin(Self.histogram)
        page.histogram([("class", "read")], durations)
        let lines = page.text.split(separator: "\n").map(String.init)
        let name = Self.histogram.name
        #expect(lines.contains("\(name)_bucket{class=\"read\",le=\"0.000064\"} 2"))
        #expect(lines.contains("\(name)_bucket{class=\"read\",le=\"0.000128\"} 3"))
        #expect(lines.contains("\(name)_bucket{class=\"read\",le=\"0.524288\"} 3"))
        #expect(lines.contains("\(name)_bucket{class=\"read\",le=\"1.048576\"} 4"))
        #expect(lines.contains("\(name)_bucket{class=\"read\",le=\"67.108864\"} 4"))
        #expect(
            Array(lines.suffix(3)) == [
                "\(name)_bucket{class=\"read\",le=\"+Inf\"} 5",
                "\(name)_sum{class=\"read\"} \(1001.000128001)",
                "\(name)_count{class=\"read\"} 5",
            ])
    }

    @Test func `every bound takes what equals it and not a nanosecond more`() {
        for index in 0..<DurationHistogram.boundCount {
            let nanoseconds = DurationHistogram.bound(index) * 1000
            var durations = DurationHistogram()
            durations.record(Instant.Span(nanoseconds: nanoseconds))
            durations.record(Instant.Span(nanoseconds: nanoseconds + 1))
            #expect(durations.cumulative(index) == 1)
            #expect(durations.cumulative(index + 1) == 2)
        }
    }
}
