// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

@testable import ProxyRuntime

@Suite(.timeLimit(.minutes(1))) struct ProxyServerTests {
    private func configuration(_ more: String = "") throws -> Configuration {
        try Configuration.load(
            yaml: """
                patroni: {urls: [http://127.0.0.1:1]}
                service: {user: martlet, password: sesame}
                http: {listen: 127.0.0.1:0}
                \(more)
                """)
    }

    @Test func `settings that need a restart are named at each reload, while they differ`()
        async throws
    {
        let pipe = Pipe()
        let log = Log(descriptor: pipe.input)
        let server = try ProxyServer(try configuration(), log: log, version: "test")
        let other = try configuration("shards: 7\nlisten: 127.0.0.1:6999")
        for next in [other, other, try configuration("clients: {maximum: 5}")] {
            server.reload(next)
        }
        await server.stop()
        let named = pipe.readAll().split(separator: "\n").filter { $0.contains("restart") }
            .compactMap { $0.split(separator: "setting=").last }
        #expect(named == ["listen", "shards", "listen", "shards"])
    }
}
