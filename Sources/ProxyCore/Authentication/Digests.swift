// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL

/// The digests that logins need, over libcrypto; pure functions of their arguments.
///
/// Randomness is never made here: who needs a nonce or a salt is given one, so that the core can
/// be replayed. SHA-256 is in every build of libcrypto, approved modes included, so its absence is
/// a broken installation and not something to handle; MD5 may be forbidden, so it can be nil.
package enum Digests {
    /// Bytes of a SHA-256 digest, and so of every SCRAM key, signature and proof.
    package static let sha256Length = 32

    /// The digest of FIPS 180-4, 32 bytes.
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: sha256Length)
        let done = unsafe bytes.withUnsafeBytes { input in
            unsafe digest.withUnsafeMutableBufferPointer { output in
                unsafe EVP_Digest(
                    input.baseAddress, input.count, output.baseAddress, nil, EVP_sha256(), nil)
            }
        }
        precondition(done == 1, "libcrypto has no SHA-256")
        return digest
    }

    /// RFC 2104 over SHA-256.
    package static func hmacSHA256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: sha256Length)
        let done = unsafe key.withUnsafeBytes { key in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe digest.withUnsafeMutableBufferPointer { output in
                    unsafe HMAC(
                        EVP_sha256(), key.baseAddress, Int32(key.count), message.baseAddress,
                        message.count, output.baseAddress, nil) != nil
                }
            }
        }
        precondition(done, "libcrypto has no HMAC-SHA-256")
        return digest
    }

    /// RFC 5802's `Hi()`: a block of PBKDF2 with HMAC-SHA-256.
    package static func pbkdf2SHA256(
        password: [UInt8], salt: [UInt8], iterations: Int
    ) -> [UInt8] {
        precondition(iterations > 0 && iterations <= Int(Int32.max))
        var derived = [UInt8](repeating: 0, count: sha256Length)
        let done = unsafe password.withUnsafeBytes { password in
            unsafe salt.withUnsafeBufferPointer { salt in
                unsafe derived.withUnsafeMutableBufferPointer { output in
                    unsafe PKCS5_PBKDF2_HMAC(
                        password.baseAddress?.assumingMemoryBound(to: CChar.self),
                        Int32(password.count), salt.baseAddress, Int32(salt.count),
                        Int32(iterations), EVP_sha256(), Int32(output.count), output.baseAddress)
                }
            }
        }
        precondition(done == 1, "libcrypto has no PBKDF2")
        return derived
    }

    /// MD5 as 32 lower-case hexadecimal digits, or nil where the machine's policy forbids it.
    package static func md5Hexadecimal(_ bytes: [UInt8]) -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 16)
        let done = unsafe bytes.withUnsafeBytes { input in
            unsafe digest.withUnsafeMutableBufferPointer { output in
                unsafe EVP_Digest(
                    input.baseAddress, input.count, output.baseAddress, nil, EVP_md5(), nil)
            }
        }
        guard done == 1 else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        return digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }

    /// Compares in a time that depends on the lengths only.
    package static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return unsafe a.withUnsafeBytes { a in
            unsafe b.withUnsafeBytes { b in
                unsafe CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0
            }
        }
    }

    /// The bitwise exclusive or of two arrays of equal length.
    static func exclusiveOr(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
        precondition(a.count == b.count)
        return zip(a, b).map { $0 ^ $1 }
    }
}
