// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// `external_metrics.*`: where martlet serves the external metrics API, and to whom.
struct ExternalMetricsSettings: Equatable, Sendable {
    var listen: HostAndPort?
    /// The authority is that of clients.
    var files = TLSFiles()
    /// What the API server's own setting is by default.
    var allowedNames = ["front-proxy-client"]
    var cluster: String?
}

/// The external metrics API, switched on.
package struct ExternalMetricsAccess: Equatable, Sendable {
    package var address: HostAndPort
    /// All three are there.
    package var files: TLSFiles
    /// Common names of clients' certificates; empty: any that the authority signed.
    package var allowedNames: [String]

    package init(address: HostAndPort, files: TLSFiles, allowedNames: [String]) {
        self.address = address
        self.files = files
        self.allowedNames = allowedNames
    }
}
