// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

struct ConfigurationTests {
    @Test func `three settings suffice, the rest is by default`() throws {
        let value = try configuration()
        #expect(value.policy == ProxyPolicy())
        #expect(value.discovery == .urls([try #require(PatroniURL("http://127.0.0.1:8008"))]))
        #expect(value.service.user == "martlet")
        #expect(value.service.password.text == "sesame")
        #expect(value.service.database == "postgres")
        #expect(
            value.listeners == [
                Configuration.Listener(address: HostAndPort(host: "127.0.0.1", port: 6432))
            ])
        #expect(value.httpAddress == HostAndPort(host: "127.0.0.1", port: 9432))
        #expect(value.log == LogSettings())
        #expect(value.shards == 0)
        #expect(value.drainTimeout == .seconds(30))
        #expect(value.lookupFunction == "martlet.user_secret")
    }

    @Test func `a service account and a discovery name work without a file`() throws {
        let value = try load(
            nil,
            environment: [
                "MARTLET_PATRONI_DNS": "pg.db.svc", "MARTLET_SERVICE_USER": "m",
                "MARTLET_SERVICE_PASSWORD": "#: 'x\"",
            ]
        ).configuration
        #expect(value.discovery == .dns(HostAndPort(host: "pg.db.svc", port: 8008)))
        #expect(value.service.password.text == "#: 'x\"")
    }

    @Test func `every group is read`() throws {
        let value = try configuration(
            """
            listen: [127.0.0.1:7000, {address: "[::1]:7001", route: replica}]
            http: {listen: "*:9000"}
            authentication:
              users: [{name: app, secret: s3}, {name: 7, secret: "null"}]
              lookup: off
              secret_lifetime: 1min
            clients: {maximum: 10, idle_in_transaction_timeout: 1.5h}
            pools:
              mode: session
              overrides:
                - {database: shop, user: app, size: 3, route: primary, consistency: eventual}
            routing: {maximum_lag: 1 MB, weight_tag: null, read_functions: [App.Total]}
            limits: {held_messages: 64kB}
            log: {level: debug, format: json, statements: true}
            shards: 3
            drain_timeout: 0
            """)
        let v6 = Configuration.Listener(
            address: HostAndPort(host: "::1", port: 7001), route: .replica)
        #expect(value.listeners.last == v6)
        #expect(value.httpAddress == HostAndPort(host: "*", port: 9000))
        #expect(
            value.policy.authentication.users == [
                .init(name: "app", secret: "s3"), .init(name: "7", secret: "null"),
            ])
        #expect(!value.policy.authentication.lookup)
        #expect(value.policy.authentication.secretLifetime == .seconds(60))
        #expect(value.policy.clients.maximum == 10)
        #expect(value.policy.clients.idleInTransactionTimeout == .seconds(5400))
        var override = PoolPolicies.Override(database: "shop", user: "app")
        override.size = 3
        override.route = .primary
        override.consistency = .eventual
        #expect(value.policy.pools.overrides == [override])
        #expect(value.policy.pools.standard.mode == .session)
        #expect(value.policy.routing.maximumLagBytes == 1 << 20)
        #expect(value.policy.routing.weightTag == nil)
        #expect(value.policy.routing.readFunctions == ["app.total"])
        #expect(value.policy.limits.heldMessages == 65536)
        #expect(value.log.level == .debug && value.log.format == .json && value.log.statements)
        #expect(value.shards == 3)
        #expect(value.drainTimeout == .zero)
    }

    @Test func `flags win over the environment, that over the file, that over defaults`() throws {
        func level(_ yaml: String, _ variable: String?, _ flag: String?) throws -> LogSettings.Level
        {
            let flags = flag.map {
                ConfigurationSources.Flag(name: "--log-level", path: "log.level", text: $0)
            }
            return try load(
                minimal + yaml, environment: variable.map { ["MARTLET_LOG_LEVEL": $0] } ?? [:],
                flags: flags.map { [$0] } ?? []
            ).configuration.log.level
        }
        #expect(try level("", nil, nil) == .info)
        #expect(try level("log: {level: error}", nil, nil) == .error)
        #expect(try level("log: {level: error}", "debug", nil) == .debug)
        #expect(try level("log: {level: error}", "debug", "trace") == .trace)
    }

    @Test func `a reload names what it cannot change`() throws {
        let old = try configuration()
        let new = try configuration("listen: 127.0.0.1:7000\nshards: 2\npools: {size: 5}")
        #expect(new.changesThatNeedRestart(from: old) == ["listen", "shards"])
        #expect(old.changesThatNeedRestart(from: old).isEmpty)
    }

    @Test func `secrets never show`() throws {
        let value = try configuration(
            "authentication: {users: [{name: app, secret: hunter2}]}")
        var dumped = ""
        dump(value, to: &dumped)
        dump(value.service, to: &dumped)
        for text in [value.description, "\(value)", String(reflecting: value), dumped] {
            #expect(!text.contains("sesame") && !text.contains("hunter2"))
        }
        #expect(value.description.contains("service.password: ********"))
        #expect(value.description.contains("authentication.users: [{name: app, secret: ********}]"))
    }
}
