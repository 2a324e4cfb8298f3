// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

struct EncryptionSettingsTests {
    @Test func `modes need the files that they work with`() {
        expect(
            "client_tls: {sslmode: require}",
            fails: "martlet.yaml:3:23: client_tls.sslmode: require needs a certificate; "
                + "set client_tls.cert_file and client_tls.key_file")
        expect(
            "client_tls: {sslmode: verify-full, cert_file: a, key_file: b}",
            fails: "martlet.yaml:3:23: client_tls.sslmode: verify-full needs authorities of "
                + "certificates; set client_tls.ca_file")
        expect(
            "server_tls: {sslmode: verify-ca}",
            fails: "martlet.yaml:3:23: server_tls.sslmode: verify-ca needs authorities of "
                + "certificates; set server_tls.ca_file")
        expect(
            "patroni: {urls: [http://a:1], cert_file: c}\nservice: {user: a, password: b}",
            fails: "martlet.yaml:1:42: patroni.cert_file: needs its key; set patroni.key_file",
            withMinimal: false)
        expect(
            "server_tls: {key_file: k}",
            fails: "martlet.yaml:3:24: server_tls.key_file: needs its certificate; "
                + "set server_tls.cert_file")
    }

    @Test func `an authority that would not be asked is an error`() {
        expect(
            "server_tls: {ca_file: c}",
            fails: "martlet.yaml:3:23: server_tls.ca_file: proves nothing while "
                + "server_tls.sslmode is prefer; set server_tls.sslmode to verify-full")
    }

    @Test func `files that are not used are told of`() throws {
        let loaded = try load(
            minimal + "client_tls: {cert_file: a, key_file: b, ca_file: c}")
        #expect(
            loaded.warnings == [
                "client_tls.cert_file: not used while client_tls.sslmode is disable",
                "client_tls.ca_file: not used unless client_tls.sslmode is verify-ca or verify-full, "
                    + "or an authentication rule says cert",
            ])
    }

    @Test func `names of files in the configuration file are relative to it`() throws {
        var sources = ConfigurationSources()
        sources.file = (
            "/etc/martlet/martlet.yaml",
            minimal + "client_tls: {sslmode: allow, cert_file: tls.crt, key_file: /keys/tls.key}"
        )
        sources.environment = ["MARTLET_PATRONI_CA_FILE": "ca.crt"]
        let configuration = try Configuration.load(sources).configuration
        #expect(configuration.clientTLS.files.certificate == "/etc/martlet/tls.crt")
        #expect(configuration.clientTLS.files.key == "/keys/tls.key")
        #expect(configuration.patroniTLS.authority == "ca.crt")
    }

    @Test func `a map of certificates is read`() throws {
        let map = try configuration(
            "client_tls: {user_map: [{certificate: batch, user: app}]}"
        ).policy.authentication.encryption.userMap
        #expect(map == [.init(certificate: "batch", user: "app")])
    }
}
