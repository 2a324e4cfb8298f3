// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// Files in PEM that one side of a TLS connection is set up from.
package struct TLSFiles: Equatable, Sendable {
    /// Certificates of the authorities that the peer's certificate may come from.
    package var authority: String?
    /// Our certificate, and those between it and its authority.
    package var certificate: String?
    /// The private key of our certificate.
    package var key: String?

    package init(authority: String? = nil, certificate: String? = nil, key: String? = nil) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }

    /// Those that are named, each with its setting's last word.
    package var named: [(setting: String, path: String)] {
        [("ca_file", authority), ("cert_file", certificate), ("key_file", key)].compactMap {
            name, path in path.map { (name, $0) }
        }
    }
}

/// PostgreSQL's names of protocol versions; those before are broken.
package enum TLSVersion: String, Equatable, Sendable, CaseIterable {
    case v12 = "TLSv1.2"
    case v13 = "TLSv1.3"
}

/// TLS towards clients.
package struct ClientTLSSettings: Equatable, Sendable {
    package var files = TLSFiles()
    /// OpenSSL's list for TLS 1.2: forward secrecy and authenticated encryption.
    package var ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"
    package var minimumVersion = TLSVersion.v12

    package init() {}
}

/// TLS towards servers.
package struct ServerTLSSettings: Equatable, Sendable {
    package var mode = ServerSSLMode.prefer
    package var files = TLSFiles()

    package init() {}
}
