// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation

/// Messages beside a command's output.
enum Terminal {
    /// A line on standard error; a broken pipe there is nothing to fail for.
    static func warn(_ line: String) {
        try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
    }
}

extension ExitCode {
    /// `EX_CONFIG` of sysexits.h.
    static let badConfiguration = ExitCode(78)
}
