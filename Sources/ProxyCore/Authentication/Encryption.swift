// SPDX-License-Identifier: Apache-2.0

/// What is known of the TLS connection that carries a client or a server.
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

    /// For a log line.
    package var words: String { "\(version) \(cipher)" }
}

/// What clients' connections must be like; libpq's and PostgreSQL's words.
package enum ClientSSLMode: String, Equatable, Sendable, CaseIterable {
    /// TLS is not offered.
    case disable
    /// TLS for those who ask for it.
    case allow
    /// Nobody logs in without TLS.
    case require
    /// And not without a certificate of a known authority.
    case verifyCA = "verify-ca"
    /// And the certificate must be the user's own.
    case verifyFull = "verify-full"

    /// Whether a request for TLS is answered with yes.
    package var isOffered: Bool { self != .disable }

    /// Whether clients need a certificate.
    package var asksForCertificate: Bool { self == .verifyCA || self == .verifyFull }
}

/// How servers are connected to; libpq's `sslmode` without `allow`.
package enum ServerSSLMode: String, Equatable, Sendable, CaseIterable {
    case disable
    /// TLS where the server has it, else none.
    case prefer
    /// TLS or nothing, whoever the server is.
    case require
    /// And its certificate must be of a known authority.
    case verifyCA = "verify-ca"
    /// And it must be for the host that was connected to.
    case verifyFull = "verify-full"

    /// Whether the server is asked for TLS.
    package var asks: Bool { self != .disable }

    /// Whether a server without TLS will do.
    package var acceptsPlain: Bool { self == .disable || self == .prefer }

    /// Whether the certificate's authority must be known.
    package var verifiesAuthority: Bool { self == .verifyCA || self == .verifyFull }
}

/// What a client's connection must be like before it may try to log in.
package struct ClientEncryptionPolicy: Equatable, Sendable {
    /// Lets who shows a certificate in one name log in as another user.
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
