// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// The keys of TLS on both sides, and where their files are.
extension Settings {
    private static let mapFields: [Setting<ClientEncryptionPolicy.MappedName>] = [
        Setting("certificate", \.certificate, .text, "The certificate's common name.").required,
        Setting("user", \.user, .text, "A role that it may log in as.").required,
    ]

    /// `client_tls.*`
    static let clientEncryption: [Setting<Settings>] = [
        Setting(
            "client_tls.sslmode", \.policy.authentication.encryption.mode, .choice,
            "allow offers TLS, require insists; verify-ca and verify-full want certificates."),
        Setting(
            "client_tls.cert_file", \.clientTLS.files.certificate, .optional(.file),
            "The certificate for clients in PEM, with the chain behind it."),
        Setting(
            "client_tls.key_file", \.clientTLS.files.key, .optional(.file),
            "Its private key, without a passphrase."),
        Setting(
            "client_tls.ca_file", \.clientTLS.files.authority, .optional(.file),
            "Authorities of clients' certificates, for verify-ca and verify-full."),
        Setting(
            "client_tls.user_map", \.policy.authentication.encryption.userMap,
            .list(
                of: .record("mapping", mapFields) {
                    ClientEncryptionPolicy.MappedName(certificate: "", user: "")
                }),
            "For verify-full: certificates that are good for other users than their own."),
        Setting(
            "client_tls.ciphers", \.clientTLS.ciphers, .text,
            "OpenSSL's list of cipher suites for TLS 1.2; those of TLS 1.3 are all good."),
        Setting(
            "client_tls.min_protocol_version", \.clientTLS.minimumVersion, .choice,
            "The oldest version of TLS that is spoken."),
    ]

    /// `server_tls.*`
    static let serverEncryption: [Setting<Settings>] = [
        Setting(
            "server_tls.sslmode", \.serverTLS.mode, .choice,
            "As libpq's; for the connections of clients and of the service account alike."
        ).restart,
        Setting(
            "server_tls.ca_file", \.serverTLS.files.authority, .optional(.file),
            "Authorities of the servers' certificates, in PEM; require verifies them, too."
        ).restart,
        Setting(
            "server_tls.cert_file", \.serverTLS.files.certificate, .optional(.file),
            "A certificate to show to servers that ask for one, with its chain."
        ).restart,
        Setting(
            "server_tls.key_file", \.serverTLS.files.key, .optional(.file),
            "The key of that certificate; only its owner may read it, as libpq demands."
        ).restart,
    ]
}
