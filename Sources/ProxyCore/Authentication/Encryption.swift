// SPDX-License-Identifier: Apache-2.0

/// The TLS connection of a client or a server: version, cipher, certificate.
package struct Encryption: Equatable, Sendable {
    /// Such as `TLSv1.3`.
    package var version: String
    /// The cipher suite, by its name in OpenSSL.
    package var cipher: String
    /// `tls-server-end-point` data (RFC 5929); nil where the certificate's signature defines none.
    package var channelBinding: [UInt8]?
    /// Whether both sides agreed on `postgresql` by ALPN.
    package var hasAgreedProtocol = false
    /// The common name in the peer's certificate, which was verified; nil where it showed none.
    package var certificateName: String?
    /// The client showed a certificate, with a name or without one.
    package var hasCertificate = false

    package init(version: String, cipher: String, channelBinding: [UInt8]? = nil) {
        self.version = version
        self.cipher = cipher
        self.channelBinding = channelBinding
    }

    /// Version and cipher, for a log line.
    package var words: String { "\(version) \(cipher)" }
}

/// Whether clients must use TLS and show a certificate, in libpq's words.
package enum ClientSSLMode: String, Equatable, Sendable, CaseIterable {
    /// TLS is not offered.
    case disable
    /// TLS for those who ask for it.
    case allow
    /// Nobody logs in without TLS.
    case require
    /// TLS is required, and a client certificate of a known authority.
    case verifyCA = "verify-ca"
    /// The certificate must also be the user's own.
    case verifyFull = "verify-full"

    /// Whether a request for TLS is answered with yes.
    package var isOffered: Bool { self != .disable }

    /// Whether clients need a certificate.
    package var asksForCertificate: Bool { self == .verifyCA || self == .verifyFull }
}

/// How server connections use TLS: libpq's `sslmode` without `allow`.
package enum ServerSSLMode: String, Equatable, Sendable, CaseIterable {
    case disable
    /// TLS where the server has it, else none.
    case prefer
    /// TLS is required; the server's identity is not verified.
    case require
    /// TLS is required, with a server certificate of a known authority.
    case verifyCA = "verify-ca"
    /// The certificate must also be valid for the host.
    case verifyFull = "verify-full"

    /// Whether the server is asked for TLS.
    package var asks: Bool { self != .disable }

    /// Whether a server without TLS will do.
    package var acceptsPlain: Bool { self == .disable || self == .prefer }

    /// Whether the certificate's authority must be known.
    package var verifiesAuthority: Bool { self == .verifyCA || self == .verifyFull }
}

/// The encryption that a client needs before it may try to log in.
package struct ClientEncryptionPolicy: Equatable, Sendable {
    /// Maps a certificate's common name to a different role.
    package struct MappedName: Equatable, Sendable {
        /// The certificate's common name.
        package var certificate: String
        package var user: String
        package init(certificate: String, user: String) {
            self.certificate = certificate
            self.user = user
        }
    }

    package var mode = ClientSSLMode.disable
    /// Users beside the one whose name the certificate bears.
    package var userMap: [MappedName] = []

    package init() {}
}
