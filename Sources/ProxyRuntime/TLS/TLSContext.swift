// SPDX-License-Identifier: Apache-2.0

internal import COpenSSL
package import ProxyConfiguration
internal import ProxyCore

/// What one side's TLS connections share: certificate, key, authorities, versions, ciphers.
///
/// Never changed; when a file changes another one is made, and connections that began with this one
/// keep it. Sessions are not resumed, as in PostgreSQL: each is bound to its own handshake.
@safe
package final class TLSContext: Sendable {
    // An SSL_CTX may be shared by threads once it is set up, and is not touched after that.
    nonisolated(unsafe) let pointer: OpaquePointer
    /// Whether it accepts connections, instead of opening them.
    package let isServer: Bool
    /// Whether the peer's certificate must be for the host that was connected to.
    let verifiesHost: Bool

    /// For connections of clients; those who are asked for a certificate may have none, which is
    /// for the core to refuse, in the protocol's words.
    package init(
        forClients settings: ClientTLSSettings, asksForCertificate: Bool,
        speaking spoken: ApplicationProtocol = .postgresql
    ) throws(TLSFault) {
        unsafe pointer = try Self.make(isServer: true, minimum: settings.minimumVersion)
        (isServer, verifiesHost) = (true, false)
        // The list may hold a security level, which says what certificates are good enough.
        if unsafe SSL_CTX_set_cipher_list(pointer, settings.ciphers) != 1 {
            throw TLSFault.last("ciphers \(settings.ciphers)")
        }
        try unsafe Self.load(settings.files, into: pointer)
        guard settings.files.certificate != nil else { throw TLSFault("no certificate") }
        if asksForCertificate, let file = settings.files.authority {
            unsafe SSL_CTX_set_client_CA_list(pointer, SSL_load_client_CA_file(file))
            unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        }
        switch spoken {
        case .postgresql: unsafe SSL_CTX_set_alpn_select_cb(pointer, Self.selectPostgreSQL, nil)
        case .http: unsafe SSL_CTX_set_alpn_select_cb(pointer, Self.selectHTTP, nil)
        }
    }

    /// For connections to servers. As in libpq, a named authority is insisted on by `require`, too.
    package init(forServers settings: ServerTLSSettings) throws(TLSFault) {
        unsafe pointer = try Self.make(isServer: false, minimum: .v12)
        (isServer, verifiesHost) = (false, settings.mode == .verifyFull)
        try unsafe Self.load(settings.files, into: pointer)
        let verifies =
            settings.mode.verifiesAuthority
            || settings.mode == .require && settings.files.authority != nil
        unsafe SSL_CTX_set_verify(pointer, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        let name = Self.protocolName
        // 0 is success here.
        _ = unsafe SSL_CTX_set_alpn_protos(pointer, name, UInt32(name.count))
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    // MARK: Setting up

    private static func make(
        isServer: Bool, minimum: TLSVersion
    ) throws(TLSFault) -> OpaquePointer {
        let method = isServer ? unsafe TLS_server_method() : unsafe TLS_client_method()
        guard let context = unsafe SSL_CTX_new(method) else { throw TLSFault.last("OpenSSL") }
        unsafe martlet_ssl_ctx_harden(context)
        let version = minimum == .v13 ? TLS1_3_VERSION : TLS1_2_VERSION
        _ = unsafe martlet_ssl_ctx_minimum(context, version)
        _ = unsafe SSL_CTX_set_num_tickets(context, 0)
        // Otherwise OpenSSL would ask a terminal for the passphrase of a key.
        unsafe SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        return unsafe context
    }

    private static func load(
        _ files: TLSFiles, into context: OpaquePointer
    ) throws(TLSFault) {
        if let file = files.authority,
            unsafe SSL_CTX_load_verify_file(context, file) != 1
        {
            throw TLSFault.last(file)
        }
        guard let certificate = files.certificate else { return }
        guard let key = files.key else { throw TLSFault("\(certificate) has no key file") }
        if unsafe SSL_CTX_use_certificate_chain_file(context, certificate) != 1 {
            throw TLSFault.last(certificate)
        }
        if unsafe SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 {
            throw TLSFault.last(key)
        }
        if unsafe SSL_CTX_check_private_key(context) != 1 {
            throw TLSFault("\(key) is not the key of \(certificate)")
        }
    }

    // MARK: ALPN

    /// As they go over the wire, with their length before them.
    private static let protocolName: [UInt8] = [10] + Array("postgresql".utf8)
    private static let httpName: [UInt8] = [8] + Array("http/1.1".utf8)

    private typealias Selection =
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
            UnsafeMutablePointer<UInt8>?, UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
        ) -> Int32

    /// Who speaks of protocols must speak of ours: that is what keeps a browser's connection from
    /// being led here. Who does not is a client older than PostgreSQL 17.
    private static let selectPostgreSQL: Selection = { _, chosen, length, offered, count, _ in
        unsafe TLSContext.select(TLSContext.protocolName, chosen, length, offered, count)
    }

    /// Who offers HTTP/2 offers HTTP/1.1 with it.
    private static let selectHTTP: Selection = { _, chosen, length, offered, count, _ in
        unsafe TLSContext.select(TLSContext.httpName, chosen, length, offered, count)
    }

    private static func select(
        _ ours: [UInt8], _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
        _ chosenLength: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?,
        _ count: UInt32
    ) -> Int32 {
        guard let offered = unsafe offered else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        var offset = 0
        while offset < Int(count) {
            let length = unsafe Int(offered[offset])
            let end = offset + 1 + length
            guard end <= Int(count) else { break }
            let name = unsafe UnsafeBufferPointer(start: offered + offset, count: length + 1)
            if unsafe name.elementsEqual(ours) {
                unsafe chosen?.pointee = offered + offset + 1
                unsafe chosenLength?.pointee = UInt8(length)
                return SSL_TLSEXT_ERR_OK
            }
            offset = end
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
}

/// What is spoken inside of TLS, as ALPN names it.
package enum ApplicationProtocol: Equatable, Sendable {
    case postgresql, http
}

/// Why TLS cannot be had, for people.
package struct TLSFault: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// OpenSSL's words for what failed last on this thread.
    static func last(_ subject: String) -> TLSFault { TLSFault("\(subject): \(lastReason)") }

    /// The oldest entry of OpenSSL's queue, which is the cause of the others; empties the queue.
    static var lastReason: String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return "unknown error" }
        guard let words = unsafe ERR_reason_error_string(code) else { return "error \(code)" }
        return unsafe String(cString: words)
    }
}
