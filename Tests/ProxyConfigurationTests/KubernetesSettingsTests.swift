// SPDX-License-Identifier: Apache-2.0

import ProxyConfiguration
import ProxyCore
import Testing

struct KubernetesSettingsTests {
    private static let pod = [
        "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443",
    ]
    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    private static let account: [String: SecretFile] = [
        "\(folder)/namespace": .text("databases\n", isWorldReadable: true)
    ]

    @Test func `in a pod the selector alone suffices`() throws {
        let selector = "application=patroni,cluster-name=postgres-cluster"
        let loaded = try load(
            minimal + "kubernetes: {pods: \"\(selector)\", leader: postgres-cluster-leader}",
            environment: Self.pod, secrets: Self.account)
        #expect(loaded.warnings.isEmpty)
        #expect(
            loaded.configuration.kubernetes
                == KubernetesAccess(
                    pods: try LabelSelector(selector), leader: "postgres-cluster-leader",
                    namespace: "databases",
                    api: PatroniURL(isSecure: true, address: HostAndPort(host: "10.96.0.1", port: 443)),
                    authority: "\(Self.folder)/ca.crt", tokenFile: "\(Self.folder)/token"))
    }

    @Test func `an API with an IPv6 address is written in brackets`() throws {
        let loaded = try load(
            minimal + "kubernetes: {pods: a=b}",
            environment: ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"],
            secrets: Self.account)
        #expect(loaded.configuration.kubernetes?.api.description == "https://[fd00::1]:443")
        #expect(loaded.configuration.kubernetes?.leader == nil)
    }

    @Test func `everything can be said, by environment too`() throws {
        let loaded = try load(
            minimal,
            environment: [
                "MARTLET_KUBERNETES_PODS": "a=b,c in (d,e)",
                "MARTLET_KUBERNETES_NAMESPACE": "db",
                "MARTLET_KUBERNETES_API": "http://127.0.0.1:16444",
                "MARTLET_KUBERNETES_TOKEN_FILE": "/tmp/token",
            ])
        let access = try #require(loaded.configuration.kubernetes)
        #expect(access.pods?.text == "a=b,c in (d,e)")
        #expect(access.namespace == "db")
        #expect(access.tokenFile == "/tmp/token")
        #expect(access.authority == nil)
    }

    @Test func `nothing is watched by default, and settings in vain are told of`() throws {
        #expect(try load(minimal, environment: Self.pod).configuration.kubernetes == nil)
        #expect(
            try load(minimal + "kubernetes: {namespace: db}").warnings == [
                "kubernetes.namespace: not used without kubernetes.pods or kubernetes.leader"
            ])
    }

    @Test func `what is missing or wrong is named`() {
        expect(
            "kubernetes: {pods: a=b, namespace: db}",
            fails: "martlet.yaml: kubernetes.api: not set, and KUBERNETES_SERVICE_HOST is not "
                + "either; martlet does not run in a pod; name the API server's URL")
        expect(
            "kubernetes: {pods: a=b}", environment: Self.pod,
            fails: "martlet.yaml: kubernetes.namespace: not set, and there is no file "
                + "'\(Self.folder)/namespace'; name it, or mount the service account's token")
        expect(
            "kubernetes: {pods: \"a==b=c\"}",
            fails: "martlet.yaml:3:20: kubernetes.pods: 'a==b=c' is not a label selector: it has an "
                + "operator where none may be; write it as "
                + "application=patroni,cluster-name=postgres-cluster")
        expect(
            "kubernetes: {leader: pg_leader}",
            fails: "martlet.yaml:3:22: kubernetes.leader: 'pg_leader' is no name of an object in "
                + "Kubernetes; names have lower case letters, digits, - and .")
        expect(
            "kubernetes: {pods: a, namespace: db, api: \"http://10.0.0.1:8080\"}",
            fails: "martlet.yaml:3:43: kubernetes.api: 'http://10.0.0.1:8080' would show the token "
                + "to everybody on the way; write https://10.0.0.1:8080")
    }

    // MARK: The external metrics API

    private static let files = "cert_file: /t/tls.crt, key_file: /t/tls.key, client_ca_file: /t/ca.crt"

    @Test func `the API is off, and on with three files`() throws {
        #expect(try configuration().externalMetrics == nil)
        let loaded = try load(
            minimal + "external_metrics: {listen: \"0.0.0.0:6443\", \(Self.files), cluster: pg}")
        #expect(
            loaded.configuration.externalMetrics
                == ExternalMetricsAccess(
                    address: HostAndPort(host: "0.0.0.0", port: 6443),
                    files: TLSFiles(
                        authority: "/t/ca.crt", certificate: "/t/tls.crt", key: "/t/tls.key"),
                    allowedNames: ["front-proxy-client"]))
        #expect(loaded.configuration.cluster == "pg")
        #expect(
            loaded.warnings == [
                "external_metrics.listen: counts the reads of this instance alone, unless "
                    + "peers.dns or peers.addresses names the others"
            ])
        let all = try load(
            minimal + "external_metrics: {listen: \"0.0.0.0:6443\", \(Self.files), allowed_names: []}"
                + "\npeers: {dns: \"martlet-headless:5432\"}")
        #expect(all.configuration.externalMetrics?.allowedNames == [])
        #expect(all.warnings.isEmpty)
    }

    @Test func `an address without certificates, or one that is taken, is an error`() {
        let hint = "the API server accepts TLS only, and shows a certificate that must be checked"
        let place = "martlet.yaml:3:28: external_metrics.listen:"
        expect(
            "external_metrics: {listen: \"0.0.0.0:6443\", cert_file: a}",
            fails: "\(place) needs external_metrics.key_file; \(hint)\n"
                + "\(place) needs external_metrics.client_ca_file; \(hint)")
        expect(
            "external_metrics: {listen: \"0.0.0.0:9432\", \(Self.files)}",
            fails: "\(place) 0.0.0.0:9432 is taken by http.listen (127.0.0.1:9432); "
                + "choose another port")
        expect(
            "external_metrics: {cluster: \"a b\"}",
            fails: "martlet.yaml:3:29: external_metrics.cluster: 'a b' is no value of a label; "
                + "values have letters, digits, -, _ and ., at most 63 of them")
    }

    @Test func `files without an address are told of`() throws {
        let loaded = try load(minimal + "external_metrics: {key_file: k}")
        #expect(
            loaded.warnings == [
                "external_metrics.key_file: not used without external_metrics.listen"
            ])
    }
}
