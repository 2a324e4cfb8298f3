// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import Testing

/// Files that nobody meant to write.
struct HostileTextTests {
    @Test(arguments: UInt64(1)...20)
    func `a damaged file is read or refused, and its password is not shown`(seed: UInt64) {
        var random = Generator(state: seed)
        let sample = ConfigurationReference.sampleFile
            .replacing("change-me", with: "hunter2")
            .replacing("users: []", with: "users: [{name: app, secret: hunter2}]")
        let odd = Array(" :-[]{},#&*!|>'\"%@`\n\t\\~?0aZ\u{0}\u{7f}".utf8)
        for _ in 0..<50 {
            var bytes = Array(sample.utf8)
            for _ in 0...Int.random(in: 0...3, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0...2, using: &random) {
                case 0: bytes[index] = odd.randomElement(using: &random) ?? 0
                case 1: bytes.remove(at: index)
                default: bytes.insert(odd.randomElement(using: &random) ?? 0, at: index)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            do throws(ConfigurationError) {
                let value = try Configuration.load(yaml: text)
                #expect(!value.description.contains("hunter"), "\(text)")
            } catch {
                #expect(!error.problems.isEmpty)
                #expect(!error.description.contains("hunter2"), "\(text)")
            }
        }
    }

    @Test func `aliases of aliases are refused before they grow`() {
        var text = "a: &a [x, x, x, x, x, x, x, x, x]\n"
        for (name, before) in zip("bcdefgh", "abcdefg") {
            let items = Array(repeating: "*\(before)", count: 9).joined(separator: ", ")
            text += "\(name): &\(name) [\(items)]\n"
        }
        expect(
            text, fails: "martlet.yaml:1:1: is nested too deeply, or too large", withMinimal: false)
    }

    @Test func `deep nesting is refused`() {
        let text = "log: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        expect(
            text, fails: "martlet.yaml:1:1: is nested too deeply, or too large", withMinimal: false)
    }

    /// SplitMix64, so that a failing seed fails again.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}
