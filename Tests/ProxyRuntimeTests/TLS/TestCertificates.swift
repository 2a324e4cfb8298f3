// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Certificates made by the `openssl` command for one test, gone with it.
final class TestCertificates {
    let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "martlet-tls-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// `name.crt` and `name.key` of an authority.
    func makeAuthority(_ name: String = "ca") throws {
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "30", "-subj", "/CN=\(name)", "-keyout", path("\(name).key"), "-out",
            path("\(name).crt"))
    }

    /// `file.crt` and `file.key`, signed by an authority that was made before.
    func make(
        _ file: String, name: String = "localhost", by authority: String = "ca", days: Int = 30,
        key: [String] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], digest: String = "sha256"
    ) throws {
        let extensions = path("\(file).ext")
        try "subjectAltName=DNS:\(name),IP:127.0.0.1".write(
            toFile: extensions, atomically: true, encoding: .utf8)
        try openssl(
            ["req", "-new", "-newkey"] + key + [
                "-nodes", "-subj", "/CN=\(name)", "-keyout", path("\(file).key"), "-out",
                path("\(file).csr"),
            ])
        try openssl(
            "x509", "-req", "-in", path("\(file).csr"), "-CA", path("\(authority).crt"), "-CAkey",
            path("\(authority).key"), "-days", "\(days)", "-\(digest)", "-extfile", extensions,
            "-out", path("\(file).crt"))
    }

    /// Puts other files in the place of two that are in use.
    func replace(_ file: String, by other: String) throws {
        for kind in ["crt", "key"] {
            try? FileManager.default.removeItem(atPath: path("\(file).\(kind)"))
            try FileManager.default.copyItem(
                atPath: path("\(other).\(kind)"), toPath: path("\(file).\(kind)"))
        }
    }

    /// What the command says of a certificate's fingerprint, as bytes.
    func fingerprint(_ file: String, _ digest: String) throws -> [UInt8] {
        let text = try openssl(
            "x509", "-in", path("\(file).crt"), "-noout", "-fingerprint", "-\(digest)")
        let digits = text.split(separator: "=").last ?? ""
        return digits.split(separator: ":").compactMap {
            UInt8($0.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16)
        }
    }

    @discardableResult
    private func openssl(_ arguments: String...) throws -> String { try openssl(arguments) }

    @discardableResult
    private func openssl(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        let (output, errors) = (Foundation.Pipe(), Foundation.Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let words = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(
            process.terminationStatus == 0,
            "openssl \(arguments.joined(separator: " ")): \(String(decoding: words, as: UTF8.self))")
        return String(decoding: text, as: UTF8.self)
    }
}
