// SPDX-License-Identifier: Apache-2.0

internal import Foundation

/// What became of reading a file that holds a password.
package enum SecretFile: Equatable, Sendable {
    /// Its text, and whether every user of the machine may read it.
    case text(String, isWorldReadable: Bool)
    /// Continues a sentence about the setting that names it.
    case unreadable(reason: String)

    /// No password is longer; something else was named by mistake.
    private static let maximumSize = 8192

    /// From the file system, whole.
    package static func read(_ path: String) -> SecretFile {
        var isDirectory: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            return .unreadable(reason: "there is no file '\(path)'")
        }
        guard !isDirectory.boolValue else {
            return .unreadable(reason: "'\(path)' is a directory")
        }
        guard let file = FileHandle(forReadingAtPath: path) else {
            return .unreadable(reason: "'\(path)' may not be read by this user")
        }
        guard let data = try? file.read(upToCount: maximumSize + 1) else {
            return .unreadable(reason: "'\(path)' is empty")
        }
        guard data.count <= maximumSize, let text = String(data: data, encoding: .utf8) else {
            return .unreadable(reason: "'\(path)' does not look like a password")
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        return .text(text, isWorldReadable: mode & 0o004 != 0)
    }
}
