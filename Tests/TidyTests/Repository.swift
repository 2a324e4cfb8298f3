// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The files that the rules look at.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().standardizedFileURL

    /// Paths from the root, sorted; without what tools leave behind.
    static let paths: [String] = {
        let skipped: Set = [
            ".git", ".venv", "__pycache__", "node_modules", ".swiftpm", ".pytest_cache",
        ]
        var result: [String] = []
        let all = FileManager.default.enumerator(atPath: root.path)
        while let path = all?.nextObject() as? String {
            let name = String(path.split(separator: "/").last ?? "")
            if skipped.contains(name) || name.hasPrefix(".build") {
                all?.skipDescendants()
            } else {
                result.append(path)
            }
        }
        return result.sorted()
    }()

    static func text(_ path: String) -> String? {
        guard let data = FileManager.default.contents(atPath: root.appending(path: path).path),
            data.count < 4 << 20, !data.prefix(8192).contains(0)
        else { return nil }
        return String(data: data, encoding: .utf8)
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    static let swiftFiles: [SwiftFile] = paths.filter { $0.hasSuffix(".swift") }.compactMap {
        path in
        text(path).map { SwiftFile(path: path, $0) }
    }

    /// Everything that people read or write: code, scripts, manuals, settings.
    static let texts: [(path: String, text: String)] = paths.compactMap { path in
        // Data for tests holds what it has to hold, and the lock file is a tool's.
        guard !path.contains("/Fixtures/"), !path.contains("/corpora/"), path != "Package.resolved"
        else { return nil }
        return text(path).map { (path, $0) }
    }
}
