// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
internal import Glibc

/// An X.509 certificate.
@safe
package final class Certificate {
    private let x509: OpaquePointer

    /// Takes over a reference.
    init(owning x509: OpaquePointer) { unsafe self.x509 = x509 }

    /// The first one in a PEM file.
    package init(file: String) throws(TLSFault) {
        guard let bio = unsafe BIO_new_file(file, "r") else { throw TLSFault.last(file) }
        defer { _ = unsafe BIO_free(bio) }
        guard let x509 = unsafe PEM_read_bio_X509(bio, nil, nil, nil) else {
            throw TLSFault.last(file)
        }
        unsafe self.x509 = x509
    }

    deinit { unsafe X509_free(x509) }

    /// The subject's common name; nil where it has none, or one that is not clean text.
    package var commonName: String? {
        let subject = unsafe X509_get_subject_name(x509)
        let place = unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard place >= 0 else { return nil }
        let entry = unsafe X509_NAME_get_entry(subject, place)
        var text: UnsafeMutablePointer<UInt8>?
        let count = unsafe ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry))
        guard count >= 0, let text = unsafe text else { return nil }
        defer { unsafe CRYPTO_free(text, #file, #line) }
        let bytes = unsafe Array(UnsafeBufferPointer(start: text, count: Int(count)))
        // A zero in it would make others read another name (CVE-2009-4034).
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    /// Seconds from now until it expires; negative when it has.
    package var secondsLeft: Int { unsafe Self.secondsUntil(X509_get0_notAfter(x509)) }

    /// Seconds from now until it becomes valid; negative when it is.
    package var secondsToValidity: Int { unsafe Self.secondsUntil(X509_get0_notBefore(x509)) }

    /// `tls-server-end-point` data of a server that has it (RFC 5929, section 4.1).
    var endPoint: [UInt8]? { unsafe Self.endPoint(of: x509) }

    /// The same of a certificate that belongs to somebody else.
    static func endPoint(of x509: OpaquePointer) -> [UInt8]? {
        var digestKind: Int32 = 0
        guard unsafe X509_get_signature_info(x509, &digestKind, nil, nil, nil) == 1 else {
            return nil
        }
        // MD5 and SHA-1 are too weak, and stand for SHA-256; Ed25519 has none and defines nothing.
        if digestKind == NID_md5 || digestKind == NID_sha1 { digestKind = NID_sha256 }
        guard let words = unsafe OBJ_nid2sn(digestKind),
            let algorithm = unsafe EVP_get_digestbyname(words)
        else { return nil }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard unsafe X509_digest(x509, algorithm, &digest, &count) == 1 else { return nil }
        return Array(digest.prefix(Int(count)))
    }

    private static func secondsUntil(_ time: UnsafePointer<ASN1_TIME>?) -> Int {
        var (days, seconds): (Int32, Int32) = (0, 0)
        // Nil is the present.
        guard unsafe ASN1_TIME_diff(&days, &seconds, nil, time) == 1 else { return 0 }
        return Int(days) * 86_400 + Int(seconds)
    }
}
