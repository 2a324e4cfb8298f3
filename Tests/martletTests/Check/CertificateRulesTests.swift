// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProxyConfiguration
import Testing

@testable import martlet

final class CertificateRulesTests {
    private let directory = NSTemporaryDirectory() + "martlet-check-\(UUID().uuidString)"

    init() throws {
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        try openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            "/CN=a", "-keyout", "\(directory)/a.key", "-out", "\(directory)/a.csr")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    /// What is found of a certificate that is good for so many days.
    private func findings(days: Int) throws -> [CheckFinding] {
        try openssl(
            "x509", "-req", "-in", "\(directory)/a.csr", "-signkey", "\(directory)/a.key", "-days",
            "\(days)", "-out", "\(directory)/a.crt")
        return try findings()
    }

    private func findings() throws -> [CheckFinding] {
        let configuration = try Configuration.load(
            yaml: """
                patroni: {urls: [http://127.0.0.1:8008]}
                service: {user: martlet, password: sesame}
                client_tls:
                  sslmode: require
                  cert_file: \(directory)/a.crt
                  key_file: \(directory)/a.key
                """)
        return CertificateRules(configuration: configuration).findings.filter {
            $0.subject.hasPrefix("client_tls")
        }
    }

    @Test(arguments: [
        (40, CheckFinding.Verdict.ok, "good for"), (9, .warning, "expires in"),
        (-1, .failure, "has expired"),
    ])
    func `a certificate is judged by the time that it has left`(
        days: Int, verdict: CheckFinding.Verdict, words: String
    ) throws {
        let findings = try findings(days: days)
        #expect(findings.map(\.verdict) == [.ok, verdict])
        #expect(findings.last?.detail.contains(words) == true)
    }

    @Test func `files that cannot be used are named`() throws {
        let findings = try findings()
        #expect(findings.map(\.verdict) == [.failure])
        #expect(findings.last?.detail.contains("\(directory)/a.crt") == true)
    }
}
