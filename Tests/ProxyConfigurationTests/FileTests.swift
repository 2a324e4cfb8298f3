// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProxyConfiguration
import Testing

/// Real files in a directory of their own.
struct FileTests {
    private let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory
            .appending(path: "martlet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    private func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let path = directory.appending(path: name).path()
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    @Test func `a configuration and its password file are read from disk`() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let yaml = "patroni: {urls: [http://a:1]}\nservice: {user: a, password_file: pw}"
        let file = try write(yaml, to: "m.yaml")
        _ = try write("sesame\n", to: "pw", mode: 0o644)
        let sources = try ConfigurationSources.gather(file: file, flags: [], environment: [:])
        let loaded = try Configuration.load(sources)
        #expect(loaded.configuration.service.password.text == "sesame")
        #expect(loaded.warnings.count == 1)
        _ = try write("sesame\n", to: "pw")
        #expect(try Configuration.load(sources).warnings.isEmpty)
        let byVariable = try ConfigurationSources.gather(
            file: nil, flags: [], environment: ["MARTLET_CONFIG": file])
        #expect(try Configuration.load(byVariable).configuration == loaded.configuration)
    }

    @Test func `a file that cannot be read is an error that names it`() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        func message(_ path: String) -> String? {
            let error = #expect(throws: ConfigurationError.self) {
                try ConfigurationSources.gather(file: path, flags: [], environment: [:])
            }
            return error?.description
        }
        let absent = directory.appending(path: "absent").path()
        #expect(message(absent) == "\(absent): there is no such file")
        let binary = directory.appending(path: "binary").path()
        try Data([0xff, 0xfe, 0x00]).write(to: URL(filePath: binary))
        #expect(message(binary) == "\(binary): it is not UTF-8")
        let path = directory.path()
        #expect(message(path)?.hasPrefix("\(path): ") == true)
    }

    @Test func `a password file that is none is an error`() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let absent = directory.appending(path: "absent").path()
        #expect(SecretFile.read(absent) == .unreadable(reason: "there is no file '\(absent)'"))
        let path = directory.path()
        #expect(SecretFile.read(path) == .unreadable(reason: "'\(path)' is a directory"))
        let empty = try write("", to: "empty")
        #expect(SecretFile.read(empty) == .unreadable(reason: "'\(empty)' is empty"))
        let long = try write(String(repeating: "x", count: 10_000), to: "long")
        #expect(
            SecretFile.read(long)
                == .unreadable(reason: "'\(long)' does not look like a password"))
    }
}
