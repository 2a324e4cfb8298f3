// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// Whether the files that TLS needs are named; whether they are any good is seen when it is set up.
extension SettingsCheck {
    mutating func checkEncryption() {
        for group in Self.groups {
            var files = settings[keyPath: group.files]
            files.authority = files.authority.map { path(of: $0, "\(group.name).ca_file") }
            files.certificate = files.certificate.map { path(of: $0, "\(group.name).cert_file") }
            files.key = files.key.map { path(of: $0, "\(group.name).key_file") }
            settings[keyPath: group.files] = files
            if files.certificate != nil && files.key == nil {
                report("\(group.name).cert_file", "needs its key", "set \(group.name).key_file")
            }
            if files.key != nil && files.certificate == nil {
                report(
                    "\(group.name).key_file", "needs its certificate",
                    "set \(group.name).cert_file")
            }
        }
        checkClientMode()
        checkServerMode()
    }

    private mutating func checkClientMode() {
        let mode = settings.policy.authentication.encryption.mode
        let files = settings.clientTLS.files
        if mode.isOffered, files.certificate == nil {
            report(
                "client_tls.sslmode", "\(mode.rawValue) needs a certificate",
                "set client_tls.cert_file and client_tls.key_file")
        }
        if mode.asksForCertificate, files.authority == nil {
            report(
                "client_tls.sslmode", "\(mode.rawValue) needs authorities of certificates",
                "set client_tls.ca_file")
        }
        if mode == .disable, files.certificate != nil {
            warnings.append(
                "client_tls.cert_file: not used while client_tls.sslmode is disable")
        }
        if !settings.policy.authentication.asksForCertificate, files.authority != nil {
            warnings.append(
                "client_tls.ca_file: not used unless client_tls.sslmode is verify-ca or "
                    + "verify-full, or an authentication rule says cert")
        }
    }

    private mutating func checkServerMode() {
        let mode = settings.serverTLS.mode
        if mode.verifiesAuthority, settings.serverTLS.files.authority == nil {
            report(
                "server_tls.sslmode", "\(mode.rawValue) needs authorities of certificates",
                "set server_tls.ca_file")
        }
        if mode.acceptsPlain, settings.serverTLS.files.authority != nil {
            report(
                "server_tls.ca_file", "proves nothing while server_tls.sslmode is \(mode.rawValue)",
                "set server_tls.sslmode to verify-full")
        }
    }

    private static let groups:
        [(name: String, files: any WritableKeyPath<Settings, TLSFiles> & Sendable)] = [
            ("client_tls", \.clientTLS.files), ("server_tls", \.serverTLS.files),
            ("patroni", \.patroniTLS),
        ]
}
