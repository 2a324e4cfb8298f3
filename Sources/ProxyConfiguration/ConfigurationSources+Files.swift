// SPDX-License-Identifier: Apache-2.0

internal import Foundation

extension ConfigurationSources {
    /// Read when neither flag nor variable names a file, and it is there.
    package static let standardFile = "/etc/martlet/martlet.yaml"

    /// No configuration is longer; something else was named by mistake.
    private static let maximumSize = 1 << 20

    /// What a process has: its environment, its flags, and the file that they name.
    ///
    /// Called again for each reload, so that the file is read again.
    package static func gather(
        file: String?, flags: [Flag],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(ConfigurationError) -> ConfigurationSources {
        var sources = ConfigurationSources()
        sources.environment = environment
        sources.flags = flags
        let named = file ?? environment["MARTLET_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        if let name = named {
            sources.file = (name, try read(name))
        } else if FileManager.default.fileExists(atPath: standardFile) {
            sources.file = (standardFile, try read(standardFile))
        }
        return sources
    }

    private static func read(_ path: String) throws(ConfigurationError) -> String {
        func failure(_ message: String) -> ConfigurationError {
            let origin = Origin.file(path, line: 0, column: 0)
            return ConfigurationError(
                problems: [.init(origin: origin, path: "", message: message, suggestion: nil)])
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw failure("there is no such file")
        }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw failure("this user may not read it")
        }
        // A file without a single byte gives nil, and is an empty configuration.
        guard let data = try? file.read(upToCount: maximumSize + 1) ?? Data() else {
            throw failure("it cannot be read; is it a directory?")
        }
        guard data.count <= maximumSize else { throw failure("it is larger than 1 MB") }
        guard let text = String(data: data, encoding: .utf8) else {
            throw failure("it is not UTF-8")
        }
        return text
    }
}
