// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc

/// Turns host names into addresses away from the control queue: libpq would look them up itself,
/// and block.
enum HostAddress {
    private static let queue = DispatchQueue(label: "martlet.names", attributes: .concurrent)

    /// Calls back with a numeric address, at once where `host` is one or a socket's directory.
    static func resolve(
        _ host: String, _ completion: @escaping @Sendable (Result<String, ControlFault>) -> Void
    ) {
        if host.hasPrefix("/") || isNumeric(host) { return completion(.success(host)) }
        queue.async { completion(lookUp(host)) }
    }

    private static func isNumeric(_ host: String) -> Bool {
        var address = in6_addr()
        let isVersion4 = unsafe inet_pton(AF_INET, host, &address) == 1
        let isVersion6 = unsafe inet_pton(AF_INET6, host, &address) == 1
        return isVersion4 || isVersion6
    }

    private static func lookUp(_ host: String) -> Result<String, ControlFault> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, nil, &hints, &list)
        guard code == 0, let first = unsafe list else {
            let words = unsafe String(cString: gai_strerror(code))
            return .failure(.lost("could not look up \(host): \(words)"))
        }
        defer { unsafe freeaddrinfo(first) }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let named = unsafe getnameinfo(
            first.pointee.ai_addr, first.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0,
            NI_NUMERICHOST)
        guard named == 0 else { return .failure(.lost("could not look up \(host)")) }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return .success(String(decoding: bytes, as: UTF8.self))
    }
}
