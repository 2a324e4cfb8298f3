// SPDX-License-Identifier: Apache-2.0

/// An IPv4 or IPv6 address, as bytes: four or sixteen.
package struct IPAddress: Hashable, Sendable {
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) {
        precondition(bytes.count == 4 || bytes.count == 16)
        self.bytes = bytes
    }

    /// Reads `10.0.0.1`, `2001:db8::1`, `fe80::1%eth0` (RFC 4291, section 2.2); nil where it is
    /// anything else. The zone is no part of the address.
    package init?(_ text: some StringProtocol) {
        let address = text.prefix { $0 != "%" }
        guard let bytes = address.contains(":") ? Self.sixteen(address) : Self.four(address) else {
            return nil
        }
        self.init(bytes: bytes)
    }

    /// The address or range in text, IPv6 without abbreviation.
    package var text: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }
        return groups.joined(separator: ":")
    }

    /// Reads a peer's address, `10.0.0.1:5432` or `[::1]:5432`; nil for a Unix-domain socket.
    init?(peer: String) {
        self.init(Self.host(of: peer))
    }

    /// A peer without its port and brackets.
    static func host(of peer: String) -> Substring {
        guard let colon = peer.lastIndex(of: ":") else { return peer[...] }
        let host = peer[..<colon]
        return host.hasPrefix("[") && host.hasSuffix("]") ? host.dropFirst().dropLast() : host
    }

    private static func four(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in
            part.allSatisfy { $0.isASCII && $0.isNumber } && part.count <= 3 ? UInt8(part) : nil
        }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    private static func sixteen(_ text: some StringProtocol) -> [UInt8]? {
        // A `::` stands for as many zeroes as are missing. More than one would leave that open.
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let gap = parts.indices.dropFirst().dropLast().first(where: { parts[$0].isEmpty })
        else {
            let bytes = groups(parts[...])
            return bytes?.count == 16 ? bytes : nil
        }
        // `::1` and `1::` have one more empty part, at that end.
        let head = parts[..<gap].first == "" && gap == 1 ? [] : parts[..<gap]
        if head.contains(where: { $0.contains(".") }) { return nil }
        let front = groups(head)
        let rest = parts[(gap + 1)...]
        let back = groups(rest.first == "" && rest.count == 1 ? [] : rest)
        guard let front, let back, front.count + back.count <= 14 else { return nil }
        return front + [UInt8](repeating: 0, count: 16 - front.count - back.count) + back
    }

    /// Two bytes for each part; the last may be an IPv4 address.
    private static func groups<Part: StringProtocol>(_ parts: ArraySlice<Part>) -> [UInt8]? {
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(".") {
                guard let last = four(part) else { return nil }
                bytes += last
            } else {
                guard (1...4).contains(part.count), part.allSatisfy(\.isHexDigit),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                bytes += [UInt8(group >> 8), UInt8(group & 0xff)]
            }
        }
        return bytes
    }
}

/// Addresses that begin with the same bits (CIDR).
package struct AddressRange: Hashable, Sendable {
    package let base: IPAddress
    /// Bits at the front that count.
    package let length: Int

    /// Reads `10.0.0.0/8`, or an address, which is a range of one; nil where it is neither, or
    /// where bits are set behind the prefix, which is most often a slip.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let base = IPAddress(parts[0]), !text.contains("%") else {
            return nil
        }
        let bits = base.bytes.count * 8
        let length = parts.count == 1 ? bits : Self.number(parts[1])
        guard let length, length <= bits else { return nil }
        self.base = base
        self.length = length
        let isClean = base.bytes.indices.allSatisfy {
            base.bytes[$0] & ~Self.mask(at: $0, length) == 0
        }
        if !isClean { return nil }
    }

    /// The address or range in text, IPv6 without abbreviation.
    package var text: String { "\(base.text)/\(length)" }

    package func contains(_ address: IPAddress) -> Bool {
        address.bytes.count == base.bytes.count && Self.equal(address.bytes, base.bytes, length)
    }

    /// Whether only this machine can connect from there.
    package var isLoopback: Bool {
        length >= 8 && base.bytes.count == 4 && base.bytes[0] == 127
            || length == 128 && base == IPAddress("::1")
    }

    /// Whether all of another range is in this one.
    func covers(_ other: AddressRange) -> Bool { length <= other.length && contains(other.base) }

    /// Digits and nothing else, not even a sign.
    private static func number(_ text: Substring) -> Int? {
        text.allSatisfy { $0.isASCII && $0.isNumber } ? Int(text) : nil
    }

    private static func equal(_ a: [UInt8], _ b: [UInt8], _ length: Int) -> Bool {
        a.indices.allSatisfy { (a[$0] ^ b[$0]) & mask(at: $0, length) == 0 }
    }

    /// The bits of one byte that are within the prefix.
    private static func mask(at index: Int, _ length: Int) -> UInt8 {
        let bits = min(max(length - index * 8, 0), 8)
        return bits == 0 ? 0 : 0xff << UInt8(8 - bits)
    }
}
