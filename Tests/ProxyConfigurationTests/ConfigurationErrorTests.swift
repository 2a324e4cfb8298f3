// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import Testing

struct ConfigurationErrorTests {
    @Test func `an unknown key is pointed at, with the nearest one`() {
        expect(
            "pools: {siez: 5}",
            fails: "martlet.yaml:3:9: pools.siez: unknown setting; did you mean pools.size?")
        expect(
            "pool:\n  size: 5",
            fails: "martlet.yaml:3:1: pool: unknown setting; did you mean pools?")
        expect(
            "routing: {lookup: true}",
            fails: "martlet.yaml:3:11: routing.lookup: unknown setting; "
                + "did you mean authentication.lookup?")
        expect(
            "log: {colour: true}",
            fails: "martlet.yaml:3:7: log.colour: unknown setting; "
                + "known here: log.level, log.format, log.statements")
        expect(
            "zebra: 1",
            fails: "martlet.yaml:3:1: zebra: unknown setting; "
                + "`martlet settings` lists the known ones")
        expect(
            "pools.size: 5",
            fails: "martlet.yaml:3:1: pools.size: unknown setting; did you mean pools.size?")
    }

    @Test func `all errors come together, in order`() {
        expect(
            """
            shards: many
            pools:
              size: 0
              mode: statment
            clients: 5
            routing:
              primary_reads: maybe
            """,
            fails: """
                martlet.yaml:3:9: shards: 'many' is not a whole number
                martlet.yaml:5:9: pools.size: '0' is not between 1 and 10000
                martlet.yaml:6:9: pools.mode: 'statment' is none of transaction, session
                martlet.yaml:7:10: clients: expected a group of settings, found a single value
                martlet.yaml:9:18: routing.primary_reads: 'maybe' is neither true nor false
                """)
    }

    @Test func `durations and sizes need PostgreSQL's units`() {
        expect(
            """
            clients: {login_timeout: 30, idle_timeout: 5m}
            drain_timeout: soon
            pools: {wait_timeout: 90d}
            limits: {held_messages: 1MiB, pending_output: 100B}
            """,
            fails: """
                martlet.yaml:3:26: clients.login_timeout: '30' has no unit; write 30s?
                martlet.yaml:3:44: clients.idle_timeout: '5m' has an unknown unit; \
                did you mean 5min?
                martlet.yaml:4:16: drain_timeout: 'soon' is not a number with a unit; \
                units are ms, s, min, h, d
                martlet.yaml:5:23: pools.wait_timeout: '90d' is not between 1ms and 30d
                martlet.yaml:6:25: limits.held_messages: '1MiB' has an unknown unit; \
                did you mean 1MB?
                martlet.yaml:6:47: limits.pending_output: '100B' is not between 4kB and 1GB
                """)
    }

    @Test func `the wrong kind of value is named`() {
        expect(
            """
            shards: [1]
            listen: {}
            http:
            log: {level: }
            authentication: {users: [app, {name: x}, {secret: y, nam: z}]}
            pools: {overrides: [{size: x, database: d}]}
            """,
            fails: """
                martlet.yaml:3:9: shards: expected integer, found a list
                martlet.yaml:4:9: listen: has no address
                martlet.yaml:6:14: log.level: expected trace | debug | info | notice | warning | \
                error | critical, found nothing
                martlet.yaml:7:26: authentication.users[0]: expected user, found a single value; \
                write {name: ...}
                martlet.yaml:7:31: authentication.users[1]: has no secret
                martlet.yaml:7:54: authentication.users[2].nam: unknown setting; \
                did you mean name?
                martlet.yaml:7:42: authentication.users[2]: has no name
                martlet.yaml:8:28: pools.overrides[0].size: 'x' is not a whole number
                """)
    }

    @Test func `what is missing is asked for`() {
        expect(
            "",
            fails: """
                martlet.yaml: patroni.urls: not set; name a member's REST address, \
                such as http://127.0.0.1:8008
                martlet.yaml: service.user: not set; `martlet setup` prints the SQL that makes \
                the account
                martlet.yaml: service.password: not set; set it, service.password_file or \
                MARTLET_SERVICE_PASSWORD
                """, withMinimal: false)
        expect(
            "patroni: {urls: []}\nservice: {user: a, password: b}",
            fails: "martlet.yaml:1:17: patroni.urls: the list is empty; "
                + "name a member's REST address, such as http://127.0.0.1:8008",
            withMinimal: false)
    }

    @Test(arguments: [
        ("10.0.0.1:8008", "'10.0.0.1:8008' is not a URL; did you mean http://10.0.0.1:8008?"),
        ("http://a", "'http://a' is not a URL; write http://host:port or https://host:port"),
        ("ftp://a:1", "'ftp://a:1' is not a URL; write http://host:port or https://host:port"),
        (
            "http://me:pw@a:1",
            "holds an account, which Patroni never asks for when it is read"
        ),
    ])
    func `a Patroni URL is scheme, host and port`(text: String, message: String) {
        expect(
            "patroni: {urls: [http://a:1, '\(text)']}\nservice: {user: a, password: b}",
            fails: "martlet.yaml:1:30: patroni.urls[1]: \(message)", withMinimal: false)
    }

    @Test(arguments: [
        ("127.0.0.1:65536", "'127.0.0.1:65536' has no port that exists; ports end at 65535"),
        ("6432", "'6432' is not an address; did you mean *:6432?"),
        ("localhost", "'localhost' is not an address; write host:port, or [IPv6 address]:port"),
        ("\"\"", "'' is not an address; write host:port, or [IPv6 address]:port"),
    ])
    func `an address is explained`(text: String, problem: String) {
        expect("listen: \(text)", fails: "martlet.yaml:3:9: listen: \(problem)")
    }

    @Test func `one mistake is one error, and an empty password has a likely cause`() {
        expect(
            "patroni: [http://127.0.0.1:8008]\nservice: {user: a, password: b}",
            fails: "martlet.yaml:1:10: patroni: expected a group of settings, found a list",
            withMinimal: false)
        expect(
            "patroni: {urls: [http://127.0.0.1:8008]}\nservice:\n  user: a\n  password: #b",
            fails: "martlet.yaml:4:12: service.password: is empty; "
                + "a value with # in it must be in quotes",
            withMinimal: false)
    }

    @Test func `YAML's own errors keep their place and lose their text`() {
        expect(
            "log: [sesame2",
            fails: "martlet.yaml:4:1: is not YAML: did not find expected ',' or ']'")
        expect(
            "log: {level: info}\nlog: {level: info}",
            fails: "martlet.yaml:3:1: set twice: log")
        expect(
            "log:\n\tlevel: info",
            fails: "martlet.yaml:4:1: is not YAML: found character that cannot start any token; "
                + "indent with spaces, YAML allows no tabs")
        expect(
            "log: {level: @info}",
            fails: "martlet.yaml:3:14: is not YAML: found character that cannot start any token; "
                + "a text that begins like this must be in quotes")
        expect(
            "---\nlog: {}",
            fails: "martlet.yaml:3:1: a second document begins; a configuration is one")
        expect(
            "- a", fails: "martlet.yaml:1:1: expected groups of settings, found a list",
            withMinimal: false)
    }

    @Test func `no error repeats a secret`() throws {
        let texts = [
            "service: {user: m, password: [hunter2]}", "service: {password: &hunter2 }",
            "service: hunter2", "authentication: {users: {hunter2: hunter2x}}",
            "authentication: {users: [hunter2]}", "authentication: {users: hunter2}",
            "service: {user: m, password: 'hunter2}", "service: {user: m, password hunter2}",
            "service: {user: m, password, hunter2}", "service password: {hunter2: x}",
            "authentication: {users: [{name: a, secret hunter2}]}", "password hunter2: x",
        ]
        for text in texts {
            let error = #expect(throws: ConfigurationError.self) { try load(text) }
            let words = try #require(error).description.replacing("hunter2: unknown", with: "")
            #expect(!words.contains("hunter2"), "\(text)")
        }
        let error = #expect(throws: ConfigurationError.self) {
            try load(
                minimal,
                environment: [
                    "MARTLET_SERVICE_PASSWORT": "hunter2",
                    "MARTLET_AUTHENTICATION_USERS": "[{name: a, secret: {hunter2: 1}}]",
                ])
        }
        #expect(try !#require(error).description.contains("hunter2"))
    }
}
