// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// What is watched in Kubernetes, and how its API is reached.
package struct KubernetesAccess: Equatable, Sendable {
    /// The pods that are members; nil: none are watched.
    package var pods: LabelSelector?
    /// The ConfigMap that names the leader; nil: it is not watched.
    package var leader: String?
    package var namespace: String
    package var api: PatroniURL
    /// Authorities of the API server's certificate.
    package var authority: String?
    /// The account's token; nil where the API asks for none.
    package var tokenFile: String?

    package init(
        pods: LabelSelector?, leader: String?, namespace: String, api: PatroniURL,
        authority: String? = nil, tokenFile: String? = nil
    ) {
        self.pods = pods
        self.leader = leader
        self.namespace = namespace
        self.api = api
        self.authority = authority
        self.tokenFile = tokenFile
    }

    /// Where Kubernetes puts what a pod needs to ask its API.
    static let accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
}

/// `kubernetes.*` as written, before the defaults of the place where martlet runs are put in.
struct KubernetesSettings: Equatable, Sendable {
    var pods: LabelSelector?
    var leader: String?
    var namespace: String?
    var api: PatroniURL?
    var authority: String?
    var tokenFile: String?

    /// Whether anything is to be watched.
    var isUsed: Bool { pods != nil || leader != nil }
}
