// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Foundation

extension ExitCode {
    /// `EX_CONFIG` of sysexits.h.
    static let badConfiguration = ExitCode(78)
}

/// A line on standard error; a broken pipe there is nothing to fail for.
func printError(_ line: String) {
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
}
