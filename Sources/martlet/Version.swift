// SPDX-License-Identifier: Apache-2.0

/// What `martlet --version` says.
enum Version {
    /// As it is tagged.
    static let text = "0.1.0"
}
