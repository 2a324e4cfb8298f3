// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// What Kubernetes tells a pod by itself is put in where nothing else is said; the rest is checked.
extension SettingsCheck {
    /// What is to be watched; nil for nothing, or after it was said why it cannot be.
    mutating func kubernetes() -> KubernetesAccess? {
        let written = settings.kubernetes
        for (name, isWritten) in [
            ("namespace", written.namespace != nil), ("api", written.api != nil),
            ("ca_file", written.authority != nil), ("token_file", written.tokenFile != nil),
        ] where isWritten && !written.isUsed {
            warnings.append(
                "kubernetes.\(name): not used without kubernetes.pods or kubernetes.leader")
        }
        guard written.isUsed, let api = kubernetesAPI(), let namespace = kubernetesNamespace()
        else { return nil }
        var access = KubernetesAccess(
            pods: written.pods, leader: written.leader, namespace: namespace, api: api)
        access.authority = written.authority.map { path(of: $0, "kubernetes.ca_file") }
        access.tokenFile = written.tokenFile.map { path(of: $0, "kubernetes.token_file") }
        // An API that was named may be one that asks for neither, such as `kubectl proxy`.
        if written.api == nil || written.api?.isSecure == true {
            let folder = KubernetesAccess.accountFolder
            access.authority = access.authority ?? "\(folder)/ca.crt"
            access.tokenFile = access.tokenFile ?? "\(folder)/token"
        }
        if !api.isSecure, !api.address.isLoopback {
            report(
                "kubernetes.api", "'\(api)' would show the token to everybody on the way",
                "write https://\(api.address)")
        }
        if !api.isSecure, written.authority != nil {
            report("kubernetes.ca_file", "proves nothing while kubernetes.api is http")
        }
        return access
    }

    private mutating func kubernetesAPI() -> PatroniURL? {
        if let api = settings.kubernetes.api { return api }
        guard !isReported("kubernetes.api") else { return nil }
        let host = sources.environment["KUBERNETES_SERVICE_HOST"] ?? ""
        let port = sources.environment["KUBERNETES_SERVICE_PORT"] ?? ""
        guard !host.isEmpty else {
            report(
                "kubernetes.api", "not set, and KUBERNETES_SERVICE_HOST is not either",
                "martlet does not run in a pod; name the API server's URL")
            return nil
        }
        guard let number = UInt16(port), number != 0,
            let address = HostAndPort(host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        else {
            report(
                "kubernetes.api",
                "not set, and KUBERNETES_SERVICE_HOST and _PORT ('\(host)', '\(port)') are no address")
            return nil
        }
        return PatroniURL(isSecure: true, address: address)
    }

    private mutating func kubernetesNamespace() -> String? {
        if let namespace = settings.kubernetes.namespace { return namespace }
        guard !isReported("kubernetes.namespace") else { return nil }
        let file = "\(KubernetesAccess.accountFolder)/namespace"
        switch sources.readSecret(file) {
        case .text(let text, _):
            let name = text.prefix { !$0.isWhitespace }
            if !name.isEmpty { return String(name) }
            report("kubernetes.namespace", "not set, and '\(file)' is empty")
        case .unreadable(let reason):
            report(
                "kubernetes.namespace", "not set, and \(reason)",
                "name it, or mount the service account's token")
        }
        return nil
    }

    /// The API for the autoscaler; nil where it is off, or after it was said why it cannot be on.
    mutating func externalMetrics() -> ExternalMetricsAccess? {
        var files = settings.externalMetrics.files
        files.authority = files.authority.map { path(of: $0, "external_metrics.client_ca_file") }
        files.certificate = files.certificate.map { path(of: $0, "external_metrics.cert_file") }
        files.key = files.key.map { path(of: $0, "external_metrics.key_file") }
        let named = [
            ("cert_file", files.certificate), ("key_file", files.key),
            ("client_ca_file", files.authority),
        ]
        guard let address = settings.externalMetrics.listen else {
            for (name, file) in named where file != nil {
                warnings.append(
                    "external_metrics.\(name): not used without external_metrics.listen")
            }
            return nil
        }
        for (name, file) in named where file == nil {
            report(
                "external_metrics.listen", "needs external_metrics.\(name)",
                "the API server accepts TLS only, and shows a certificate that must be checked")
        }
        for other in settings.listeners.map(\.address) where address.overlaps(other) {
            report(
                "external_metrics.listen", "\(address) is taken by listen (\(other))",
                "choose another port")
        }
        if address.overlaps(settings.httpAddress) {
            report(
                "external_metrics.listen",
                "\(address) is taken by http.listen (\(settings.httpAddress))",
                "choose another port")
        }
        if settings.peerDNS == nil, settings.peerAddresses.isEmpty {
            warnings.append(
                "external_metrics.listen: counts the reads of this instance alone, unless "
                    + "peers.dns or peers.addresses names the others")
        }
        return ExternalMetricsAccess(
            address: address, files: files, allowedNames: settings.externalMetrics.allowedNames)
    }
}
