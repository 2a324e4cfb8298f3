// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// The address of a member's Patroni REST interface, such as `http://10.0.0.1:8008`.
package struct PatroniURL: Hashable, Sendable, CustomStringConvertible {
    /// Whether it is https.
    package let isSecure: Bool
    /// Never a wildcard, and never port 0.
    package let address: HostAndPort

    /// From parts, as discovery has them.
    package init(isSecure: Bool = false, address: HostAndPort) {
        self.isSecure = isSecure
        self.address = address
    }

    /// Nil unless it is scheme, host and port; a slash may follow, a path or an account may not.
    package init?(_ text: String) {
        let isSecure = text.hasPrefix("https://")
        guard isSecure || text.hasPrefix("http://") else { return nil }
        var rest = text.dropFirst(isSecure ? 8 : 7)
        if rest.hasSuffix("/") { rest.removeLast() }
        guard let address = HostAndPort(String(rest)), address.host != "*", address.port != 0
        else { return nil }
        self.init(isSecure: isSecure, address: address)
    }

    /// Without a slash at its end, so that `/cluster` can be appended.
    package var description: String { "\(isSecure ? "https" : "http")://\(address)" }
}
