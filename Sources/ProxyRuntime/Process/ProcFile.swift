// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Reads the small files in which Linux tells about a process.
enum ProcFile {
    /// The text of a file of at most 64 KB, or nil where it cannot be read.
    static func text(at path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        var count = 0
        while count < bytes.count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(descriptor, buffer.baseAddress! + count, buffer.count - count)
            }
            if got == 0 { break }
            if got < 0 {
                guard errno == EINTR else { return nil }
                continue
            }
            count += got
        }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Entries of a folder, without the two that every folder has; nil where it cannot be read.
    static func entryCount(in path: String) -> Int? {
        guard let folder = unsafe opendir(path) else { return nil }
        defer { unsafe closedir(folder) }
        var count = 0
        while unsafe readdir(folder) != nil { count += 1 }
        return max(0, count - 2)
    }
}
