// SPDX-License-Identifier: Apache-2.0

/// A status that martlet's endpoints give.
package struct HTTPStatus: Equatable, Sendable {
    /// Three digits.
    package let code: Int
    /// For people; RFC 9110 names it.
    package let reason: String

    private init(_ code: Int, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package static let ok = HTTPStatus(200, "OK")
    package static let badRequest = HTTPStatus(400, "Bad Request")
    package static let unauthorized = HTTPStatus(401, "Unauthorized")
    package static let forbidden = HTTPStatus(403, "Forbidden")
    package static let notFound = HTTPStatus(404, "Not Found")
    package static let methodNotAllowed = HTTPStatus(405, "Method Not Allowed")
    package static let requestTimeout = HTTPStatus(408, "Request Timeout")
    package static let contentTooLarge = HTTPStatus(413, "Content Too Large")
    package static let uriTooLong = HTTPStatus(414, "URI Too Long")
    package static let fieldsTooLarge = HTTPStatus(431, "Request Header Fields Too Large")
    package static let serviceUnavailable = HTTPStatus(503, "Service Unavailable")
    package static let versionNotSupported = HTTPStatus(505, "HTTP Version Not Supported")
}

/// A status with a text.
package struct HTTPResponse: Equatable, Sendable {
    package var status: HTTPStatus
    package var contentType: String
    package var body: String

    package init(
        _ status: HTTPStatus, _ body: String, contentType: String = "text/plain; charset=utf-8"
    ) {
        self.status = status
        self.body = body
        self.contentType = contentType
    }

    /// A status whose text is its own reason.
    package init(_ status: HTTPStatus) {
        self.init(status, status.reason + "\n")
    }

    /// The answer on the wire.
    package func encoded(isHead: Bool, keepsAlive: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(status.code) \(status.reason)\r\n"
        head += "Content-Type: \(contentType)\r\n"
        head += "Content-Length: \(body.utf8.count)\r\n"
        head += "Cache-Control: no-store\r\n"
        head += "X-Content-Type-Options: nosniff\r\n"
        if status == .methodNotAllowed { head += "Allow: GET, HEAD\r\n" }
        head += "Connection: \(keepsAlive ? "keep-alive" : "close")\r\n\r\n"
        return Array((isHead ? head : head + body).utf8)
    }
}
