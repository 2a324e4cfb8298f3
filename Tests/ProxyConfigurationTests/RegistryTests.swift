// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProxyCore
import Testing

@testable import ProxyConfiguration

struct RegistryTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test func `every key has a group, a meaning and a variable of its own`() {
        let keys = Settings.registry
        #expect(Set(keys.map(\.path)).count == keys.count)
        #expect(Set(keys.map(\.variable)).count == keys.count)
        for key in keys {
            #expect(key.meaning.hasSuffix(".") && key.meaning.count < 90, "\(key.path)")
            #expect(!SettingsReader.isServiceLink(key.variable, "x"), "\(key.path)")
            let parts = key.path.split(separator: ".")
            #expect(
                parts.count == 1 || Settings.groups.contains { $0.name == parts[0] },
                "\(key.path)")
        }
    }

    @Test(arguments: Settings.registry.map(\.path))
    func `a default as written is read as the default`(path: String) throws {
        let setting = try #require(Settings.setting(path))
        let text = setting.text(Settings())
        var problems = Problems()
        let raw = try #require(
            RawValue.file("key: \(text)", name: "default", problems: &problems))
        guard case .map(let entries, _) = raw else {
            Issue.record("not a map")
            return
        }
        var settings = Settings()
        setting.assign(entries[0].value, path: path, to: &settings, problems: &problems)
        #expect(problems.found.isEmpty)
        #expect(settings == Settings())
    }

    @Test func `every property of the policy can be set`() {
        var settings = Settings()
        let count = leaves(of: settings.policy)
        // The core counts a pool's standard and the overrides; each leaf has one key.
        let keys = Settings.registry.filter {
            change($0, &settings)
            let changed = settings.policy != ProxyPolicy()
            settings = Settings()
            return changed
        }
        #expect(keys.count == count)
    }

    @Test func `the sample file is made from the keys, and works`() throws {
        try compare(ConfigurationReference.sampleFile, with: "deploy/martlet.yaml")
        let sample = try Configuration.load(yaml: ConfigurationReference.sampleFile)
        let plain = try Configuration.load(
            yaml: """
                patroni: {urls: [http://127.0.0.1:8008]}
                service: {user: martlet, password: change-me}
                """)
        #expect(sample == plain)
        let lines = ConfigurationReference.sampleFile.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 100 })
    }

    @Test func `the manual's tables are made from the keys`() throws {
        let path = "Sources/martlet/Documentation.docc/Configuration.md"
        let text = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
        let begin = "<!-- keys: made by UPDATE_FIXTURES=1 swift test --filter RegistryTests -->\n"
        let end = "<!-- end of keys -->"
        let start = try #require(text.range(of: begin)).upperBound
        let stop = try #require(text.range(of: end)).lowerBound
        let expected =
            text[..<start] + "\n" + ConfigurationReference.markdown + "\n" + text[stop...]
        try compare(String(expected), with: path)
        for key in ConfigurationReference.keys {
            #expect(expected.contains("`\(key)`"), "\(key)")
        }
    }

    // MARK: Helpers

    /// Rewrites the file instead where UPDATE_FIXTURES is set.
    private func compare(_ expected: String, with path: String) throws {
        let url = Self.root.appending(path: path)
        if ProcessInfo.processInfo.environment["UPDATE_FIXTURES"] == "1" {
            try expected.write(to: url, atomically: true, encoding: .utf8)
        }
        let found = try String(contentsOf: url, encoding: .utf8)
        #expect(found == expected, "run it again with UPDATE_FIXTURES=1")
    }

    /// Stored properties, down to numbers, words and lists.
    private func leaves(of value: Any) -> Int {
        let mirror = Mirror(reflecting: value)
        let isGroup =
            mirror.displayStyle == .struct && !mirror.children.isEmpty
            && !(value is Instant.Span) && !(value is String)
        return isGroup ? mirror.children.reduce(0) { $0 + leaves(of: $1.value) } : 1
    }

    /// Sets some value other than the default.
    private func change(_ setting: Setting<Settings>, _ settings: inout Settings) {
        let texts = [
            "7", "7min", "77ms", "7MB", "8kB", "true", "false", "session", "replica", "eventual",
            "trust", "debug", "json", "other", "a.b", "http://a:1", "127.0.0.9:1",
            "[{user: a, size: 3}]",
            "[{name: a, secret: b}]", "[{method: md5}]",
            "[{certificate: a, user: b}]", "require", "TLSv1.3",
            "[name]",
        ]
        for text in texts {
            var problems = Problems()
            let raw = RawValue.text(
                text, origin: .standard, isList: setting.isList, problems: &problems, path: "")
            guard let raw else { continue }
            setting.assign(raw, path: setting.path, to: &settings, problems: &problems)
            if !setting.isEqual(settings, Settings()) { return }
        }
        Issue.record("no text changes \(setting.path)")
    }
}
