// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

struct AuthenticationRuleSettingsTests {
    private let certificates = """
        client_tls: {sslmode: allow, cert_file: /c, key_file: /k, ca_file: /a}

        """

    private func warnings(_ yaml: String) throws(ConfigurationError) -> [String] {
        try load(minimal + yaml).warnings
    }

    @Test func `rules are read in their order, with all for what is not written`() throws {
        let rules = try configuration(
            certificates + """
                authentication:
                  rules:
                    - {type: hostssl, user: [boss], address: [10.0.0.0/8, '::1'], method: cert}
                    - {database: [shop, sameuser], user: app, method: md5}
                    - {type: hostnossl, method: trust}
                    - {method: reject}
                """
        ).policy.authentication.rules
        #expect(rules.map(\.type) == [.hostssl, .host, .hostnossl, .host])
        #expect(rules.map(\.method) == [.cert, .md5, .trust, .reject])
        #expect(rules.map(\.users) == [["boss"], ["app"], ["all"], ["all"]])
        #expect(rules.map(\.databases) == [["all"], ["shop", "sameuser"], ["all"], ["all"]])
        #expect(
            rules.map(\.addresses)
                == [
                    [.range(AddressRange("10.0.0.0/8")!), .range(AddressRange("::1")!)], [.all],
                    [.all], [.all],
                ])
        #expect(try configuration().policy.authentication.rules.isEmpty)
    }

    @Test func `what pg_hba_conf has and martlet has not is an error, like anything else unknown`() {
        expect(
            """
            authentication:
              rules:
                - {type: local, method: scram-sha-256}
                - {user: +staff, database: samerole, method: md5}
                - {user: /^x, method: md5}
                - {address: samehost, method: md5}
                - {address: 10.0.0.1/8, method: md5}
                - {address: 10.0.0.0/8}
            """,
            fails: """
                martlet.yaml:5:14: authentication.rules[0].type: 'local' is none of host, \
                hostssl, hostnossl
                martlet.yaml:6:14: authentication.rules[1].user: '+staff' is not supported; \
                write the names of all that are meant
                martlet.yaml:6:32: authentication.rules[1].database: 'samerole' is not supported; \
                write the names of all that are meant
                martlet.yaml:7:14: authentication.rules[2].user: '/^x' is not supported; \
                write the names of all that are meant
                martlet.yaml:8:17: authentication.rules[3].address: 'samehost' is not an address \
                or a range; write an address, a range such as 10.0.0.0/8, or all
                martlet.yaml:9:17: authentication.rules[4].address: '10.0.0.1/8' is not an address \
                or a range; bits behind the prefix must be 0
                martlet.yaml:10:7: authentication.rules[5]: has no method
                """)
    }

    @Test func `cert needs TLS and authorities`() {
        expect(
            "authentication: {rules: [{method: cert}]}",
            fails: """
                martlet.yaml:3:26: authentication.rules[0]: cert needs an encrypted connection; \
                write type: hostssl
                martlet.yaml:3:26: authentication.rules[0]: cert needs authorities of certificates; \
                set client_tls.ca_file
                """)
    }

    @Test func `rules that can never match are pointed out`() throws {
        let never = "can never match: "
        #expect(
            try warnings(
                """
                listen: [127.0.0.1:1]
                authentication:
                  rules:
                    - {user: app, method: md5}
                    - {user: app, address: 10.0.0.0/8, method: reject}
                    - {type: hostssl, method: md5}
                    - {user: [], method: md5}
                    - {method: md5}
                """)
                == [
                    "authentication.rules[1]: \(never)authentication.rules[0] matches all that it "
                        + "could",
                    "authentication.rules[2]: \(never)client_tls.sslmode is disable",
                    "authentication.rules[3]: \(never)it names no user",
                ])
        #expect(
            try warnings(
                """
                client_tls: {sslmode: require, cert_file: /c, key_file: /k}
                authentication: {rules: [{type: hostnossl, method: md5}, {method: md5}]}
                """) == ["authentication.rules[0]: \(never)client_tls.sslmode is require"])
    }

    @Test func `rules for passwords need somebody who has one`() throws {
        expect(
            "authentication: {lookup: false, rules: [{method: md5}, {method: reject}]}",
            fails: """
                martlet.yaml:3:26: authentication.lookup: is false and there are no \
                authentication.users; nobody could log in; name users or allow the look-up
                """)
        _ = try configuration("authentication: {lookup: false, rules: [{method: trust}]}")
    }

    @Test func `what is allowed but may not be meant is said`() throws {
        #expect(
            try warnings("authentication: {method: trust, rules: [{method: reject}]}") == [
                "authentication.method: not used where there are authentication.rules",
                "authentication.rules: nobody can log in, every rule rejects",
            ])
        #expect(
            try warnings("listen: '*:1'\nauthentication: {rules: [{method: trust}]}") == [
                "authentication.rules: trust asks nobody for a password, and *:1 can be reached "
                    + "from other machines"
            ])
        #expect(
            try warnings(
                "listen: '*:1'\nauthentication: {rules: [{address: 127.0.0.1, method: trust}]}"
            ).isEmpty)
        #expect(
            try warnings(
                certificates + "authentication: {rules: [{type: hostssl, method: cert}]}"
            ).isEmpty, "ca_file is used")
    }
}
