// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

struct EnvironmentTests {
    @Test func `lists come comma-separated or as YAML`() throws {
        let value = try configuration(environment: [
            "MARTLET_PATRONI_URLS": "http://a:1, https://b:2/,",
            "MARTLET_LISTEN": "[::1]:7000,127.0.0.1:7001",
            "MARTLET_AUTHENTICATION_USERS": #"[{"name": "a,b", "secret": "c"}]"#,
            "MARTLET_POOLS_OVERRIDES": "{user: u, mode: session}",
            "MARTLET_ROUTING_READ_FUNCTIONS": "[]",
        ])
        #expect(
            value.discovery
                == .urls([
                    PatroniURL(address: HostAndPort(host: "a", port: 1)),
                    PatroniURL(isSecure: true, address: HostAndPort(host: "b", port: 2)),
                ]))
        #expect(value.listeners.map(\.address.description) == ["[::1]:7000", "127.0.0.1:7001"])
        #expect(value.policy.authentication.users == [.init(name: "a,b", secret: "c")])
        #expect(value.policy.pools.overrides.map(\.mode) == [.session])
        #expect(value.policy.routing.readFunctions.isEmpty)
    }

    @Test func `an unknown variable is an error with a suggestion`() {
        expect(
            "",
            environment: [
                "MARTLET_POOL_SIZE": "1", "MARTLET_CONFIGURATION_OF_MINE": "x", "PATH": "/bin",
            ],
            fails: """
                MARTLET_CONFIGURATION_OF_MINE: unknown variable; \
                `martlet settings` lists the known ones
                MARTLET_POOL_SIZE: unknown variable; did you mean MARTLET_POOLS_SIZE?
                """)
    }

    @Test func `a wrong value names its variable`() {
        expect(
            "",
            environment: [
                "MARTLET_POOLS_SIZE": "x", "MARTLET_POOLS_OVERRIDES": "[{size: 1, ]",
                "MARTLET_SERVICE_PASSWORD": "one", "MARTLET_SERVICE_PASSWORD_FILE": "/two",
            ],
            fails: """
                MARTLET_POOLS_OVERRIDES: pools.overrides: is not YAML: \
                did not find expected node content
                MARTLET_POOLS_SIZE: pools.size: 'x' is not a whole number
                MARTLET_SERVICE_PASSWORD_FILE: service.password_file: excludes service.password \
                (MARTLET_SERVICE_PASSWORD); remove one of them
                """)
    }

    @Test func `empty variables and those of Kubernetes services are no settings`() throws {
        let value = try configuration(environment: [
            "MARTLET_LOG_LEVEL": "", "MARTLET_CONFIG": "/etc/martlet.yaml",
            "MARTLET_SERVICE_HOST": "10.0.0.1", "MARTLET_SERVICE_PORT": "6432",
            "MARTLET_SERVICE_PORT_HTTP": "9432", "MARTLET_PORT": "tcp://10.0.0.1:6432",
            "MARTLET_PORT_6432_TCP": "tcp://10.0.0.1:6432", "MARTLET_PORT_6432_TCP_PROTO": "tcp",
            "MARTLET_PORT_6432_TCP_PORT": "6432", "MARTLET_PORT_6432_TCP_ADDR": "10.0.0.1",
            "MARTLET_HTTP_SERVICE_HOST": "10.0.0.2", "MARTLET_HTTP_PORT": "tcp://10.0.0.2:9432",
        ])
        #expect(try value == configuration())
    }

    @Test func `a flag of an unknown setting is an error`() {
        let flag = ConfigurationSources.Flag(name: "--set", path: "pools.sizes", text: "5")
        let error = #expect(throws: ConfigurationError.self) { try load(minimal, flags: [flag]) }
        #expect(
            error?.description
                == "--set: pools.sizes: unknown setting; did you mean pools.size?")
    }
}
