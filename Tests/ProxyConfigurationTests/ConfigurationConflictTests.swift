// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

struct ConfigurationConflictTests {
    @Test func `two ways to find the cluster exclude each other`() {
        expect(
            "patroni: {urls: [http://a:1], dns: b}\nservice: {user: a, password: b}",
            fails: "martlet.yaml:1:36: patroni.dns: excludes patroni.urls (martlet.yaml:1:17); "
                + "remove one of them", withMinimal: false)
    }

    @Test func `a password and a password file exclude each other`() {
        expect(
            "patroni: {urls: [http://a:1]}\nservice: {user: a, password: sesame, password_file: b}",
            fails: "martlet.yaml:2:53: service.password_file: excludes service.password "
                + "(martlet.yaml:2:30); remove one of them", withMinimal: false)
    }

    @Test func `an alternative from a higher source replaces the one below`() throws {
        let value = try load(
            minimal,
            environment: ["MARTLET_PATRONI_DNS": "pg:8009", "MARTLET_SERVICE_PASSWORD_FILE": "/f"],
            secrets: ["/f": .text("from file\n", isWorldReadable: false)]
        ).configuration
        #expect(value.discovery == .dns(HostAndPort(host: "pg", port: 8009)))
        #expect(value.service.password == Password("from file"))
    }

    @Test func `addresses must not overlap`() {
        expect(
            "listen: ['127.0.0.1:1', '127.0.0.1:1', '*:2', '[::1]:2']\nhttp: {listen: 'a:2'}",
            fails: """
                martlet.yaml:3:9: listen: 127.0.0.1:1 is listed twice
                martlet.yaml:4:16: http.listen: a:2 is taken by listen (*:2); choose another port
                martlet.yaml:3:9: listen: [::1]:2 overlaps with *:2
                """)
        expect(
            "http: {listen: 127.0.0.1:6432}",
            fails: "martlet.yaml:3:16: http.listen: 127.0.0.1:6432 is taken by listen "
                + "(127.0.0.1:6432); choose another port")
        expect(
            "listen: []",
            fails: "martlet.yaml:3:9: listen: the list is empty; name at least one address")
        expect(
            "listen: [a, 'a:b', '::1:5']",
            fails: (0...2).map {
                let text = ["a", "a:b", "::1:5"][$0]
                return "martlet.yaml:3:\([10, 13, 20][$0]): listen[\($0)]: '\(text)' is not "
                    + "an address; write host:port, or [IPv6 address]:port"
            }.joined(separator: "\n"))
    }

    @Test func `a pool is no larger than what a node grants`() {
        expect(
            "pools: {size: 200}",
            fails: "martlet.yaml:3:15: pools.size: pools.size 200 is more than "
                + "pools.servers_per_node (80); "
                + "lower pools.size or raise pools.servers_per_node")
        expect(
            "pools: {servers_per_node: 10, overrides: [{user: a, size: 9}, {user: b, size: 11}]}",
            fails: """
                martlet.yaml:3:27: pools.servers_per_node: pools.size 20 is more than \
                pools.servers_per_node (10); lower pools.size or raise pools.servers_per_node
                martlet.yaml:3:63: pools.overrides[1]: size 11 is more than \
                pools.servers_per_node (10)
                """)
    }

    @Test func `an override names somebody, changes something, and is alone`() {
        expect(
            """
            pools:
              overrides:
                - {size: 5}
                - {user: a}
                - {user: a, mode: session}
                - {user: b, route: replicas}
            """,
            fails: "martlet.yaml:8:24: pools.overrides[3].route: 'replicas' is none of auto, "
                + "primary, replica; did you mean replica?")
        expect(
            """
            pools:
              overrides:
                - {size: 5}
                - {user: a}
                - {user: a, mode: session}
            """,
            fails: """
                martlet.yaml:5:7: pools.overrides[0]: names neither database nor user; \
                put settings for all sessions under pools and routing
                martlet.yaml:6:7: pools.overrides[1]: changes nothing; \
                set mode, size, route, consistency or a limit
                martlet.yaml:7:7: pools.overrides[2]: is for the same database and user as one \
                before it; write both in one entry
                """)
    }

    @Test func `the rest that cannot be meant`() {
        expect(
            """
            authentication:
              lookup: false
              users: []
            routing: {read_functions: [f, g], write_functions: [G, "h()"]}
            limits: {message: 8kB}
            """,
            fails: """
                martlet.yaml:6:56: routing.write_functions[1]: 'h()' is not a name; \
                write name or schema.name
                martlet.yaml:4:11: authentication.lookup: is false and there are no \
                authentication.users; nobody could log in; name users or allow the look-up
                martlet.yaml:7:19: limits.message: 8kB is less than limits.held_messages (1MB); \
                lower that, too
                martlet.yaml:7:19: limits.message: 8kB is less than limits.statement (16MB); \
                lower that, too
                martlet.yaml:7:19: limits.message: 8kB is less than limits.startup_packet \
                (10000B); lower that, too
                """)
        expect(
            "limits: {message: 32MB, held_messages: 64MB}",
            fails: "martlet.yaml:3:40: limits.held_messages: 64MB is more than limits.message "
                + "(32MB)")
        expect(
            "authentication: {lookup_function: user_secret}",
            fails: "martlet.yaml:3:35: authentication.lookup_function: 'user_secret' is not a "
                + "name with its schema; write schema.name")
        expect(
            "routing: {read_functions: [f, g], write_functions: [G]}",
            fails: "martlet.yaml:3:27: routing.read_functions: 'g' is in "
                + "routing.write_functions, too; a function either reads or writes")
        expect(
            "authentication: {users: [{name: a, secret: 'SCRAM-SHA-256$4096:broken'}]}",
            fails: "martlet.yaml:3:44: authentication.users[0].secret: "
                + "begins like a SCRAM secret, but is none")
        expect(
            "authentication: {users: [{name: a, secret: b}, {name: a, secret: c}]}",
            fails: "martlet.yaml:3:25: authentication.users: 'a' is listed twice")
        expect(
            "patroni: {urls: 'http://a:1', doubt_interval: 2s}\nservice: {user: a, password: b}",
            fails: "martlet.yaml:1:47: patroni.doubt_interval: in doubt, members would be probed "
                + "less often (every 2s) than otherwise (every 1s); "
                + "patroni.doubt_interval must not exceed patroni.probe_interval",
            withMinimal: false)
    }

    @Test func `a password file holds one line, and its faults are named`() throws {
        func password(_ file: SecretFile) throws(ConfigurationError) -> Configuration.Loaded {
            try load(
                "patroni: {urls: [http://a:1]}\nservice: {user: a, password_file: /run/pw}",
                secrets: ["/run/pw": file])
        }
        let safe = try password(.text("pass word\n", isWorldReadable: false))
        #expect(safe.configuration.service.password.text == "pass word")
        #expect(safe.warnings.isEmpty)
        let open = try password(.text("x", isWorldReadable: true))
        #expect(
            open.warnings == [
                "service.password_file: every user may read '/run/pw'; chmod o-r it"
            ])
        let place = "martlet.yaml:2:35: service.password_file: "
        for text in ["", "\n", "a\nb\n"] {
            let error = #expect(throws: ConfigurationError.self) {
                try password(.text(text, isWorldReadable: false))
            }
            #expect(error?.description == place + "'/run/pw' does not hold exactly one line")
        }
        let error = #expect(throws: ConfigurationError.self) {
            try password(.unreadable(reason: "there is no file '/run/pw'"))
        }
        #expect(error?.description == place + "there is no file '/run/pw'")
    }

    @Test func `a password file is looked for beside the file that names it`() throws {
        var sources = ConfigurationSources()
        sources.file = (
            "/etc/martlet/m.yaml",
            "patroni: {urls: [http://a:1]}\nservice: {user: a, password_file: pw}"
        )
        sources.readSecret = { .text($0, isWorldReadable: false) }
        #expect(
            try Configuration.load(sources).configuration.service.password.text
                == "/etc/martlet/pw")
    }

    @Test func `trust on an open address is warned about`() throws {
        let open = try load(minimal + "authentication: {method: trust}\nlisten: '*:6432'")
        #expect(
            open.warnings == [
                "authentication.method: trust asks nobody for a password, and *:6432 can be "
                    + "reached from other machines"
            ])
        #expect(try load(minimal + "authentication: {method: trust}").warnings.isEmpty)
    }
}
