// SPDX-License-Identifier: Apache-2.0

/// The version for `martlet --version`.
enum Version {
    /// The tag of the release.
    static let text = "0.1.0"
}
