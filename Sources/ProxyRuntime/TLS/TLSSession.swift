// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
internal import Glibc
package import ProxyCore

/// TLS on one socket: what `Socket` does, through libssl.
///
///     handshaking ──▶ established ──▶ ended
///
/// A read takes ciphertext from the kernel once and decrypts all of it, so that the rules of edges,
/// budgets and backpressure are those of a plain socket; what is left in libssl is never more than
/// an unfinished record. Ciphertext that the kernel does not take is kept here (at most what one
/// send produces) and goes first the next time; until then nothing more is encrypted.
/// Confined to the shard of its connection.
@safe
package final class TLSSession {
    private let ssl: OpaquePointer
    private let bio: OpaquePointer
    private var records: RecordBuffer
    /// Bytes for the kernel that come before all others; already ciphertext, or the `S` before it.
    private var unsent: [UInt8] = []
    /// Bytes of the peer that have not been given to libssl.
    private var early: [UInt8]
    private var hasPeerClosed = false

    /// The handshake is over: data may pass.
    package private(set) var isEstablished = false
    /// Why it failed, for the log.
    package private(set) var fault: String?

    /// - Parameters:
    ///   - host: for connections that we open: whom the certificate should be for.
    ///   - early: what the peer has sent already.
    package init(
        _ context: TLSContext, records: RecordBuffer, host: String? = nil, early: [UInt8] = []
    ) throws(TLSFault) {
        guard let ssl = unsafe SSL_new(context.pointer) else { throw TLSFault.last("OpenSSL") }
        guard let bio = unsafe records.makeBIO() else {
            unsafe SSL_free(ssl)
            throw TLSFault.last("OpenSSL")
        }
        unsafe self.ssl = ssl
        unsafe self.bio = bio
        self.records = records
        self.early = early
        // The session owns one reference for both directions.
        unsafe SSL_set_bio(ssl, bio, bio)
        if context.isServer {
            unsafe SSL_set_accept_state(ssl)
        } else {
            unsafe SSL_set_connect_state(ssl)
            if let host { try unsafe Self.name(host, of: ssl, isVerified: context.verifiesHost) }
        }
    }

    deinit { unsafe SSL_free(ssl) }

    // MARK: Bytes

    /// Whether bytes wait for the kernel.
    package var hasUnsent: Bool { !unsent.isEmpty }

    /// Reads what is there, once; 0 bytes where it was only a part of a record, or of the handshake.
    package func receive(
        from socket: Socket, into buffer: UnsafeMutableRawBufferPointer
    ) -> ReceiveResult {
        if hasPeerClosed { return .ended }
        var isDrained = false
        if !early.isEmpty {
            refillFromEarly()
        } else if unsafe SSL_pending(ssl) == 0 {
            switch unsafe socket.receive(into: records.space) {
            case .received(let count, let drained):
                records.filled(count)
                isDrained = drained
            case let other: return other
            }
        }
        let count = unsafe decrypt(into: buffer)
        early = records.takeInput() + early
        // Also an alert, which is all that a failed handshake has to say.
        _ = sendUnsent(to: socket)
        if fault != nil && count == 0 { return .failed(EPROTO) }
        // What decided the end or a failure must be found by the next read, without an event.
        let isOver = hasPeerClosed || fault != nil
        let isEmpty = unsafe early.isEmpty && SSL_pending(ssl) == 0
        return .received(count, drained: isDrained && isEmpty && !isOver)
    }

    /// Encrypts and hands to the kernel; the bytes that it reports are dealt with, though the kernel
    /// may not have all of them yet.
    package func send(_ bytes: RawSpan, to socket: Socket) -> SendResult {
        if let result = sendUnsent(to: socket) { return result }
        guard isEstablished else { return .sent(0, full: true) }
        var done = 0
        while done < bytes.byteCount {
            let count = min(bytes.byteCount - done, RecordBuffer.plaintextLimit)
            guard encrypt(bytes.extracting(done..<done + count)) else { return .failed(EPROTO) }
            done += count
            switch sendUnsent(to: socket) {
            case .failed(let code): return .failed(code)
            case .sent: return .sent(done, full: true)
            case nil: break
            }
        }
        return .sent(done, full: false)
    }

    /// Begins the handshake, on the side that opened the connection.
    package func begin(on socket: Socket) {
        shakeHands()
        _ = sendUnsent(to: socket)
    }

    /// Puts bytes before everything else that is to be sent.
    package func sendFirst(_ bytes: [UInt8]) { unsent = bytes + unsent }

    /// Says that nothing more will come, as far as the kernel takes it now.
    package func sayGoodbye(to socket: Socket) {
        guard isEstablished, fault == nil else { return }
        ERR_clear_error()
        _ = unsafe SSL_shutdown(ssl)
        _ = sendUnsent(to: socket)
    }

    /// The connection has moved to another shard.
    package func move(to records: RecordBuffer) {
        self.records = records
        unsafe records.serve(bio)
    }

    /// Sends what must go first; nil when the kernel has it all.
    package func sendUnsent(to socket: Socket) -> SendResult? {
        guard unsent.isEmpty else {
            if records.hasOutput { unsent += records.takeOutput(after: 0) }
            let bytes = unsent
            let result = unsafe socket.send(bytes.span.bytes)
            guard case .sent(let count, _) = result else { return result }
            unsent.removeFirst(count)
            return unsent.isEmpty ? nil : .sent(0, full: true)
        }
        guard records.hasOutput else { return nil }
        let result = records.sendOutput(on: socket)
        guard case .sent(let count, _) = result else {
            _ = records.takeOutput(after: 0)
            return result
        }
        unsent = records.takeOutput(after: count)
        return unsent.isEmpty ? nil : .sent(0, full: true)
    }

    // MARK: What it is

    /// What the core should know of an established session.
    package var encryption: Encryption {
        var encryption = unsafe Encryption(
            version: String(cString: SSL_get_version(ssl)),
            cipher: String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))))
        var name: UnsafePointer<UInt8>?
        var length: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &name, &length)
        encryption.hasAgreedProtocol = length > 0
        let peer = unsafe SSL_get1_peer_certificate(ssl).map { x509 in
            unsafe Certificate(owning: x509)
        }
        if unsafe SSL_is_server(ssl) == 1 {
            encryption.certificateName = peer?.commonName
            encryption.hasCertificate = peer != nil
            let own = unsafe SSL_get_certificate(ssl)
            encryption.channelBinding = unsafe own.flatMap { unsafe Certificate.endPoint(of: $0) }
        } else {
            encryption.channelBinding = peer?.endPoint
        }
        return encryption
    }

    // MARK: libssl

    private func decrypt(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard isEstablished else {
            shakeHands()
            return 0
        }
        var count = 0
        while count < buffer.count {
            var more = 0
            ERR_clear_error()
            let result = unsafe SSL_read_ex(
                ssl, buffer.baseAddress! + count, buffer.count - count, &more)
            if result == 1 {
                count += more
                continue
            }
            switch unsafe SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: break
            case SSL_ERROR_ZERO_RETURN: hasPeerClosed = true
            default: fault = fault ?? reason
            }
            break
        }
        return count
    }

    /// Nothing is decrypted before the handshake is over and its owner knows of it.
    private func shakeHands() {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 {
            isEstablished = true
        } else if unsafe SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ {
            fault = fault ?? reason
        }
    }

    private func encrypt(_ bytes: RawSpan) -> Bool {
        var count = 0
        ERR_clear_error()
        let result = unsafe bytes.withUnsafeBytes {
            unsafe SSL_write_ex(ssl, $0.baseAddress, $0.count, &count)
        }
        if result == 1 { return true }
        fault = fault ?? reason
        return false
    }

    /// OpenSSL's words, and what is wrong with the certificate if that is it.
    private var reason: String {
        let words = TLSFault.lastReason
        let verdict = unsafe SSL_get_verify_result(ssl)
        guard words == "certificate verify failed",
            let detail = unsafe X509_verify_cert_error_string(verdict)
        else { return words }
        return unsafe "\(words) (\(String(cString: detail)))"
    }

    private func refillFromEarly() {
        let space = unsafe records.space
        let count = min(early.count, space.count)
        unsafe space.copyBytes(from: early.prefix(count))
        records.filled(count)
        early.removeFirst(count)
    }

    private static func name(
        _ host: String, of ssl: OpaquePointer, isVerified: Bool
    ) throws(TLSFault) {
        let parameters = unsafe SSL_get0_param(ssl)
        let isAddress = unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1
        ERR_clear_error()
        if !isAddress {
            // SNI is for names only (RFC 6066, section 3).
            if unsafe martlet_ssl_set_host_name(ssl, host) != 1 { throw TLSFault.last(host) }
        }
        if !isVerified {
            _ = unsafe X509_VERIFY_PARAM_set1_ip(parameters, nil, 0)
        } else if !isAddress {
            unsafe X509_VERIFY_PARAM_set_hostflags(
                parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            if unsafe X509_VERIFY_PARAM_set1_host(parameters, host, 0) != 1 {
                throw TLSFault.last(host)
            }
        }
    }
}
