// SPDX-License-Identifier: Apache-2.0

/// The head of a request, as much of it as the endpoints need.
package struct HTTPRequest: Equatable, Sendable {
    /// What these endpoints can be asked; every other method is refused.
    package enum Method: Equatable, Sendable {
        case get, head
    }

    package var method: Method
    /// Up to the question mark, undecoded.
    package var path: String
    /// After the question mark, undecoded; empty where there is none.
    package var query: String
    /// Whether the client wants to ask more on this connection.
    package var keepsAlive: Bool
    /// Who asks, as far as the connection proves it.
    package var peer = HTTPPeer.unencrypted

    package init(method: Method, path: String, query: String, keepsAlive: Bool) {
        self.method = method
        self.path = path
        self.query = query
        self.keepsAlive = keepsAlive
    }
}

/// Who is at the other end of a connection.
package enum HTTPPeer: Equatable, Sendable {
    case unencrypted
    /// TLS, without a certificate of the client's.
    case anonymous
    /// A certificate of an authority that is trusted, and its common name, where it has one.
    case certificate(name: String?)
}

/// What the bytes that arrived so far amount to.
package enum HTTPParse: Equatable, Sendable {
    /// Wait for more.
    case incomplete
    /// A whole head of `count` bytes.
    case request(HTTPRequest, count: Int)
    /// The connection gets this answer and is closed.
    case refused(HTTPStatus)
}

/// Bounds of a request's head, in bytes.
package struct HTTPHeadLimits: Equatable, Sendable {
    /// The first line alone.
    package var requestLine = 4 << 10
    /// Request line and all fields together.
    package var head = 8 << 10
    /// How many there may be.
    package var fields = 64

    package init() {}
}

extension HTTPRequest {
    /// Reads one request's head at the start of `bytes` (RFC 9112, sections 2 to 5).
    ///
    /// Strict where leniency lets requests be smuggled (obsolete line folding, a space before the
    /// colon, bodies), lenient where section 2.2 asks for it (an empty first line, a bare LF).
    package static func parse(_ bytes: [UInt8], limits: HTTPHeadLimits) -> HTTPParse {
        var lines = HeadLines(bytes, limit: limits.head)
        lines.skipEmptyLine()
        guard let requestLine = lines.next() else {
            if bytes.count > limits.head || lines.remainder > limits.requestLine {
                return .refused(.uriTooLong)
            }
            return .incomplete
        }
        guard requestLine.count <= limits.requestLine else { return .refused(.uriTooLong) }
        var fields = HTTPFields()
        while let line = lines.next() {
            if line.isEmpty { return conclude(requestLine, fields, count: lines.offset) }
            fields.count += 1
            guard fields.count <= limits.fields else { return .refused(.fieldsTooLarge) }
            guard fields.add(line) else { return .refused(.badRequest) }
        }
        return bytes.count >= limits.head ? .refused(.fieldsTooLarge) : .incomplete
    }

    private static func conclude(
        _ requestLine: ArraySlice<UInt8>, _ fields: HTTPFields, count: Int
    ) -> HTTPParse {
        let parts = requestLine.split(
            separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(HTTPFields.isToken),
            let (major, minor) = version(parts[2])
        else { return .refused(.badRequest) }
        guard major == 1 else { return .refused(.versionNotSupported) }
        guard minor == 0 || fields.hosts == 1 else { return .refused(.badRequest) }
        guard let (path, query) = target(parts[1]) else { return .refused(.badRequest) }
        let method: Method
        switch String(decoding: parts[0], as: UTF8.self) {
        case "GET": method = .get
        case "HEAD": method = .head
        default: return .refused(.methodNotAllowed)
        }
        guard !fields.announcesBody else { return .refused(.contentTooLarge) }
        let keepsAlive = minor == 0 ? fields.asksToKeepAlive : !fields.asksToClose
        return .request(
            HTTPRequest(method: method, path: path, query: query, keepsAlive: keepsAlive),
            count: count)
    }

    /// The digits of `HTTP/1.1`.
    private static func version(_ text: ArraySlice<UInt8>) -> (UInt8, UInt8)? {
        guard text.count == 8, text.starts(with: "HTTP/".utf8) else { return nil }
        let digits = Array(text.suffix(3))
        let zero = UInt8(ascii: "0")
        guard digits[1] == UInt8(ascii: "."), zero...(zero + 9) ~= digits[0],
            zero...(zero + 9) ~= digits[2]
        else { return nil }
        return (digits[0] - zero, digits[2] - zero)
    }

    /// Path and query of `/path?query`, or of `http://host/path?query` (section 3.2.2).
    private static func target(_ text: ArraySlice<UInt8>) -> (String, String)? {
        guard text.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        var text = Substring(String(decoding: text, as: UTF8.self))
        if text.hasPrefix("http://") {
            text = text.dropFirst("http://".count).drop { $0 != "/" && $0 != "?" }
            if !text.hasPrefix("/") { text = "/" + text }
        }
        guard text.hasPrefix("/") else { return nil }
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
}

/// The lines of a head, without their ends.
private struct HeadLines {
    private let bytes: [UInt8]
    private let end: Int
    private(set) var offset = 0

    init(_ bytes: [UInt8], limit: Int) {
        self.bytes = bytes
        end = min(bytes.count, limit)
    }

    /// Bytes after the last whole line.
    var remainder: Int { end - offset }

    mutating func skipEmptyLine() {
        if bytes.starts(with: [13, 10]) { offset = 2 } else if bytes.first == 10 { offset = 1 }
    }

    mutating func next() -> ArraySlice<UInt8>? {
        guard let newline = bytes[offset..<end].firstIndex(of: 10) else { return nil }
        var line = bytes[offset..<newline]
        if line.last == 13 { line.removeLast() }
        offset = newline + 1
        return line
    }
}

/// What the fields of a head say that matters here.
private struct HTTPFields {
    var count = 0
    private(set) var hosts = 0
    private(set) var announcesBody = false
    private(set) var asksToClose = false
    private(set) var asksToKeepAlive = false

    /// Takes note of a field; false where the line is none.
    mutating func add(_ line: ArraySlice<UInt8>) -> Bool {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(Self.isToken)
        else { return false }
        // A bare CR or a NUL inside a value is how requests are smuggled (RFC 9110, 5.5).
        guard !line.contains(where: { $0 == 13 || $0 == 0 }) else { return false }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        let value = String(decoding: line[(colon + 1)...], as: UTF8.self).lowercased()
        switch name {
        case "host": hosts += 1
        case "transfer-encoding": announcesBody = true
        case "content-length":
            let digits = value.filter { $0 != " " && $0 != "\t" }
            guard !digits.isEmpty, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else {
                return false
            }
            if digits.contains(where: { $0 != "0" }) { announcesBody = true }
        case "connection":
            for option in value.split(whereSeparator: { ", \t".contains($0) }) {
                if option == "close" { asksToClose = true }
                if option == "keep-alive" { asksToKeepAlive = true }
            }
        default: break
        }
        return true
    }

    /// RFC 9110, section 5.6.2.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
