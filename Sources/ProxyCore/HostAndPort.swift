// SPDX-License-Identifier: Apache-2.0

/// A host and a port, as in `127.0.0.1:6432`, `[::1]:6432`, `db.example.org:8008` or `*:6432`.
package struct HostAndPort: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// A name or an address, without brackets; `*` stands for every local address.
    package let host: String
    /// 0 lets the system choose, where it is listened on.
    package let port: UInt16

    /// From parts that are known to be right.
    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Nil unless it is exactly a host, a colon and a port; an empty host means `*`.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ 48...57 ~= $0 }), let port = UInt16(digits) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard host.utf8.allSatisfy(Self.mayBeInHost) else { return nil }
        self.init(host: host.isEmpty ? "*" : String(host), port: port)
    }

    package static func < (left: HostAndPort, right: HostAndPort) -> Bool {
        (left.host, left.port) < (right.host, right.port)
    }

    /// As it is written in a configuration.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether it stands for every local address.
    package var isWildcard: Bool { ["*", "0.0.0.0", "::"].contains(host) }

    /// Whether only programs on this machine can reach it.
    package var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// Whether both cannot be listened on at once. Port 0 is the system's choice.
    package func overlaps(_ other: HostAndPort) -> Bool {
        port == other.port && port != 0 && (host == other.host || isWildcard || other.isWildcard)
    }

    /// Letters, digits and the punctuation of names, IPv6 addresses and zones, and `*`.
    private static func mayBeInHost(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122: true
        default: ".-_:%*".utf8.contains(byte)
        }
    }
}
