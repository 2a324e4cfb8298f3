// SPDX-License-Identifier: Apache-2.0

internal import ProxyConfiguration
internal import ProxyCore
internal import ProxyRuntime

/// Judges the files of TLS: whether they can be used as configured, and for how long.
struct CertificateRules {
    let configuration: Configuration

    /// Automatic renewals have failed when one has less left.
    private static let daysToRenew = 14

    /// One finding for each side that has files, and one for each certificate.
    var findings: [CheckFinding] {
        clients + servers
            + certificate("patroni.cert_file", configuration.patroniTLS.certificate)
    }

    private var clients: [CheckFinding] {
        let policy = configuration.policy.authentication
        let mode = policy.encryption.mode
        guard mode.isOffered else { return [] }
        let files = configuration.clientTLS.files
        do throws(TLSFault) {
            _ = try TLSContext(
                forClients: configuration.clientTLS, asksForCertificate: policy.asksForCertificate)
        } catch {
            return [broken("client_tls", error)]
        }
        return [.ok("client_tls", mode.rawValue)]
            + certificate("client_tls.cert_file", files.certificate)
    }

    private var servers: [CheckFinding] {
        let settings = configuration.serverTLS
        guard settings.mode.asks else { return [] }
        do throws(TLSFault) {
            _ = try TLSContext(forServers: settings)
        } catch {
            return [broken("server_tls", error)]
        }
        return [.ok("server_tls", settings.mode.rawValue)]
            + certificate("server_tls.cert_file", settings.files.certificate)
    }

    private func broken(_ subject: String, _ fault: TLSFault) -> CheckFinding {
        .failure(
            subject, fault.description,
            "are the files in PEM, may this user read them, and does the key belong to the "
                + "certificate?")
    }

    private func certificate(_ subject: String, _ file: String?) -> [CheckFinding] {
        guard let file else { return [] }
        do throws(TLSFault) {
            let certificate = try Certificate(file: file)
            let days = certificate.secondsLeft / 86_400
            if certificate.secondsLeft <= 0 {
                return [.failure(subject, "\(file) has expired", "renew it; no restart is needed")]
            }
            if certificate.secondsToValidity > 0 {
                return [.failure(subject, "\(file) is not valid yet", "is the clock right?")]
            }
            if days < Self.daysToRenew {
                return [.warning(subject, "\(file) expires in \(days) days", "renew it")]
            }
            return [.ok(subject, "\(file), good for \(days) days")]
        } catch {
            return [broken(subject, error)]
        }
    }
}
