// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// The keys of what martlet sees of Kubernetes, and of what Kubernetes sees of martlet.
extension Settings {
    /// `kubernetes.*`
    static let kubernetesKeys: [Setting<Settings>] = [
        Setting(
            "kubernetes.pods", \.kubernetes.pods, .optional(.labelSelector),
            "Label selector of the members' pods, which are watched; null for no watch."
        ).restart,
        Setting(
            "kubernetes.leader", \.kubernetes.leader, .optional(.objectNameOfKubernetes),
            "The ConfigMap by which Patroni names the leader, watched as a hint; null for none."
        ).restart,
        Setting(
            "kubernetes.namespace", \.kubernetes.namespace, .optional(.namespace),
            "Namespace of the pods and the ConfigMap; by default that of martlet's pod."
        ).restart,
        Setting(
            "kubernetes.api", \.kubernetes.api, .optional(.patroniURL),
            "URL of the Kubernetes API server; by default that of the cluster martlet runs in."
        ).restart,
        Setting(
            "kubernetes.ca_file", \.kubernetes.authority, .optional(.file),
            "CA certificates of the API server; by default those of martlet's service account."
        ).restart,
        Setting(
            "kubernetes.token_file", \.kubernetes.tokenFile, .optional(.file),
            "File with the API token, read for each request; by default the service account's."
        ).restart,
    ]

    /// `external_metrics.*`
    static let externalMetricsKeys: [Setting<Settings>] = [
        Setting(
            "external_metrics.listen", \.externalMetrics.listen, .optional(.address("address")),
            "Where external.metrics.k8s.io is served, such as 0.0.0.0:6443; null for nowhere."
        ).restart,
        Setting(
            "external_metrics.cert_file", \.externalMetrics.files.certificate, .optional(.file),
            "Certificate of the external metrics API, with its chain, for the Service's DNS name."
        ).restart,
        Setting(
            "external_metrics.key_file", \.externalMetrics.files.key, .optional(.file),
            "Private key of external_metrics.cert_file, without a passphrase."
        ).restart,
        Setting(
            "external_metrics.client_ca_file", \.externalMetrics.files.authority, .optional(.file),
            "CA certificates that clients are checked with: the API server's front-proxy CA."
        ).restart,
        Setting(
            "external_metrics.allowed_names", \.externalMetrics.allowedNames, .list(of: .text),
            "Common names that clients' certificates may have; [] for any."),
        Setting(
            "external_metrics.cluster", \.externalMetrics.cluster, .optional(.labelValue),
            "Value of the metric's label cluster, also in /autoscale; by default Patroni's scope."),
    ]
}

extension SettingKind where Value == LabelSelector {
    /// As `kubectl --selector` takes it.
    static let labelSelector = scalar("label selector", write: { quoted($0.text) }) { text in
        if text.isEmpty { return .wrong("selects every pod", suggestion: "name a label") }
        do throws(LabelSelectorFault) {
            return .value(try LabelSelector(text))
        } catch {
            return .wrong(
                "is not a label selector: it \(error.reason)",
                suggestion: "write it as application=patroni,cluster-name=postgres-cluster")
        }
    }
}

extension SettingKind where Value == String {
    /// What a ConfigMap may be called.
    static let objectNameOfKubernetes = named("name") { text in
        KubernetesName.isSubdomain(text)
            ? .value(text)
            : .wrong(
                "is no name of an object in Kubernetes",
                suggestion: "names have lower case letters, digits, - and .")
    }

    static let namespace = named("name") { text in
        KubernetesName.isLabel(text)
            ? .value(text)
            : .wrong(
                "is no name of a namespace",
                suggestion: "names have lower case letters, digits and -")
    }

    /// What a label may say.
    static let labelValue = named("text") { text in
        (try? LabelSelector("cluster in (\(text))")) != nil && !text.contains(",")
            ? .value(text)
            : .wrong(
                "is no value of a label",
                suggestion: "values have letters, digits, -, _ and ., at most 63 of them")
    }
}
