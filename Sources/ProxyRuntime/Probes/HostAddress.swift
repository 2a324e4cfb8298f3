// SPDX-License-Identifier: Apache-2.0

/// Turns host names into addresses away from the control queue: libpq would look them up itself,
/// and block.
enum HostAddress {
    private static let resolver = Resolver()

    /// Calls back with a numeric address, at once where `host` is one or a socket's directory.
    static func resolve(
        _ host: String, _ completion: @escaping @Sendable (Result<String, ControlFault>) -> Void
    ) {
        if host.hasPrefix("/") { return completion(.success(host)) }
        if let literal = try? SocketAddress.literal(host: host, port: 0) {
            return completion(.success(numeric(literal)))
        }
        resolver.resolve(host: host, port: 0) { answer in
            guard case .success(let addresses) = answer, let first = addresses.first else {
                return completion(.failure(.lost("could not look up \(host)")))
            }
            completion(.success(numeric(first)))
        }
    }

    /// Without port and brackets, as libpq's `hostaddr` wants it.
    private static func numeric(_ address: SocketAddress) -> String {
        let host = address.text.dropLast(":0".count)
        return host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host)
    }
}
