// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import ProxyConfiguration
import ProxyCore
import Testing

@testable import martlet

struct CommandLineTests {
    @Test(arguments: [
        ["--nope"], ["setup", "--nope"], ["settings", "extra"], ["zebra"],
    ])
    func `wrong usage ends with 64`(arguments: [String]) {
        let error = #expect(throws: (any Error).self) { try Martlet.parseAsRoot(arguments) }
        #expect(error.map { Martlet.exitCode(for: $0).rawValue } == 64)
    }

    @Test func `a configuration error ends with 78`() throws {
        let command = try Martlet.parseAsRoot(["setup", "--config", "/nowhere/martlet.yaml"])
        guard let setup = command as? Setup else {
            Issue.record("parsed as \(type(of: command))")
            return
        }
        let error = #expect(throws: (any Error).self) { try setup.run() }
        #expect(error.map { Martlet.exitCode(for: $0).rawValue } == 78)
    }

    @Test func `flags become settings, the later ones stronger`() throws {
        let options = try ConfigurationOptions.parse([
            "--set", "patroni.urls=http://a:1", "--set", "service.user=m",
            "--set", "service.password=a=b", "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2",
            "--log-level", "debug", "--set", "pools.size=7",
        ])
        var sources = ConfigurationSources()
        sources.flags = options.flags
        let value = try Configuration.load(sources).configuration
        #expect(value.service.password.text == "a=b")
        #expect(value.listeners.map(\.address.port) == [1, 2])
        #expect(value.log.level == .debug)
        #expect(value.policy.pools.standard.size == 7)
    }

    @Test func `a setting without a value is wrong usage`() {
        let error = #expect(throws: (any Error).self) {
            try ConfigurationOptions.parse(["--set", "pools.size"])
        }
        #expect(error.map { ConfigurationOptions.exitCode(for: $0).rawValue } == 64)
    }

    @Test func `every command says what it does`() {
        for command in Martlet.configuration.subcommands {
            #expect(!command.configuration.abstract.isEmpty, "\(command)")
            #expect(!command.configuration.discussion.isEmpty, "\(command)")
        }
        #expect(Martlet.configuration.version == "martlet \(Version.text)")
    }
}
