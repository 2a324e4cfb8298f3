// SPDX-License-Identifier: Apache-2.0

import Logging
import PostgresWire
import ProxyCore
import Testing

@testable import ProxyRuntime

struct RepeatedEventsTests {
    private func failed(_ node: String, _ reason: String = "lost") -> LogLine {
        LogLine(
            time: 0, level: .warning, message: "server connection failed",
            fields: [.init("node", node), .init("reason", reason)])
    }

    @Test func `the first of a crowd is written, the others are counted until somebody asks`() {
        var crowds = RepeatedEvents()
        guard case .write(let key?) = crowds.joins(failed("pg1")) else {
            Issue.record("the first begins a crowd")
            return
        }
        for _ in 0..<3 { #expect(crowds.joins(failed("pg1")) == .counted) }
        #expect(crowds.joins(failed("pg2")) != .counted, "another node is another crowd")
        #expect(crowds.joins(failed("pg1", "refused")) != .counted)
        #expect(crowds.rest(of: key)?.fields.last == .init("times", "3"))
        #expect(crowds.joins(failed("pg1")) == .counted, "it goes on")
        #expect(crowds.rest(of: key) == failed("pg1"), "one is no crowd")
        #expect(crowds.rest(of: key) == nil)
        #expect(crowds.joins(failed("pg1")) == .write(beginning: key), "it begins anew")
    }

    @Test func `whom it happened to does not tell crowds apart`() {
        var crowds = RepeatedEvents()
        let refused = { (number: UInt32) in
            LogLine(
                .clientRefused(
                    ConnectionID(slot: number, generation: 1), sqlState: "53300", reason: "full",
                    peer: "10.0.0.1:\(number)"), time: 0, node: { _ in "" })
        }
        #expect(crowds.joins(refused(1)) != .counted)
        #expect(crowds.joins(refused(2)) == .counted)
        #expect(crowds.everything().map(\.fields.first?.value) == ["2.1"])
        #expect(crowds.everything().isEmpty)
    }

    @Test func `there are only so many crowds; one more is written as it comes`() {
        var crowds = RepeatedEvents()
        for index in 0..<RepeatedEvents.limit {
            #expect(crowds.joins(failed("\(index)")) != .write(beginning: nil))
        }
        #expect(crowds.joins(failed("more")) == .write(beginning: nil))
        #expect(crowds.joins(failed("more")) == .write(beginning: nil))
    }
}
