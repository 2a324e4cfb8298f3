// SPDX-License-Identifier: Apache-2.0

import Dispatch
import ProxyCore
import Synchronization
import Testing
@testable import ProxyRuntime

@Suite(.timeLimit(.minutes(1))) struct ResolverTests {
    /// Counts look-ups, and lets none finish before `gate` opens.
    private final class Names: Sendable {
        let gate = DispatchSemaphore(value: 0)
        let count = Mutex(0)

        func lookUp(_ host: String) -> Resolver.Answer {
            gate.wait()
            gate.signal()
            count.withLock { $0 += 1 }
            if host == "bad" { return .failure(.unresolvable(host: host, reason: "no")) }
            return Resolver.systemLookUp(host: "127.0.0.1", port: 9)
        }
    }

    private func ask(_ resolver: Resolver, _ host: String) async -> Resolver.Answer {
        await answer(otherwise: .failure(.unresolvable(host: host, reason: "no answer"))) { done in
            resolver.resolve(host: host, port: 9) { done($0) }
        }
    }

    private func succeeded(_ answer: Resolver.Answer) -> Bool {
        if case .success(let addresses) = answer { addresses.map(\.text) == ["127.0.0.1:9"] }
        else { false }
    }

    @Test func `questions for one name while it is looked up are one look-up`() async {
        let names = Names()
        let resolver = Resolver { host, _ in names.lookUp(host) }
        let answers = Mutex<[Bool]>([])
        await completion { done in
            for _ in 0..<5 {
                resolver.resolve(host: "name", port: 9) { answer in
                    let count = answers.withLock {
                        $0.append((try? answer.get())?.count == 1)
                        return $0.count
                    }
                    if count == 5 { done() }
                }
            }
            names.gate.signal()
        }
        #expect(answers.withLock { $0 } == [true, true, true, true, true])
        #expect(names.count.withLock { $0 } == 1)
    }

    @Test func `an answer is kept for its lifetime`() async {
        let names = Names()
        names.gate.signal()
        let resolver = Resolver(lifetime: .seconds(3600)) { host, _ in names.lookUp(host) }
        for _ in 0..<3 { #expect(succeeded(await ask(resolver, "name"))) }
        #expect(names.count.withLock { $0 } == 1)
    }

    @Test func `an answer that is too old is looked up again`() async {
        let names = Names()
        names.gate.signal()
        let resolver = Resolver(lifetime: .zero) { host, _ in names.lookUp(host) }
        for _ in 0..<3 { #expect(succeeded(await ask(resolver, "name"))) }
        #expect(names.count.withLock { $0 } == 3)
    }

    @Test func `a failure is not kept`() async {
        let names = Names()
        names.gate.signal()
        let resolver = Resolver(lifetime: .seconds(3600)) { host, _ in names.lookUp(host) }
        for _ in 0..<2 { #expect(!succeeded(await ask(resolver, "bad"))) }
        #expect(names.count.withLock { $0 } == 2)
    }
}
