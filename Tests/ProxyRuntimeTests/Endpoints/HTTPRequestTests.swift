// SPDX-License-Identifier: Apache-2.0

import ProxyRuntime
import Testing

struct HTTPRequestTests {
    private func parse(_ text: String, _ limits: HTTPHeadLimits = HTTPHeadLimits()) -> HTTPParse {
        HTTPRequest.parse(Array(text.utf8), limits: limits)
    }

    private func get(
        _ path: String, query: String = "", keepsAlive: Bool = true
    ) -> HTTPRequest {
        HTTPRequest(method: .get, path: path, query: query, keepsAlive: keepsAlive)
    }

    @Test func `a plain request is read, and what follows it is left`() {
        let head = "GET /metrics?a=b HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"
        #expect(
            parse(head + "GET /")
                == .request(get("/metrics", query: "a=b"), count: head.utf8.count))
    }

    @Test func `every prefix of a request is incomplete`() {
        let head = Array("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
        for count in 0..<head.count {
            let outcome = HTTPRequest.parse(Array(head[..<count]), limits: HTTPHeadLimits())
            #expect(outcome == .incomplete, "after \(count) bytes")
        }
        let request = HTTPRequest(method: .head, path: "/", query: "", keepsAlive: false)
        let outcome = HTTPRequest.parse(head, limits: HTTPHeadLimits())
        #expect(outcome == .request(request, count: head.count))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
    ])
    func `a connection stays open as its version and fields say`(text: String, keeps: Bool) {
        #expect(parse(text) == .request(get("/", keepsAlive: keeps), count: text.utf8.count))
    }

    @Test func `an absolute target, a bare LF and an empty first line are understood`() {
        let texts = [
            "GET http://host:9432/readyz HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /readyz HTTP/1.1\nHost: x\n\n", "\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
        ]
        for text in texts {
            #expect(parse(text) == .request(get("/readyz"), count: text.utf8.count))
        }
        let root = "GET http://host?x HTTP/1.1\r\nHost: x\r\n\r\n"
        #expect(parse(root) == .request(get("/", query: "x"), count: root.utf8.count))
    }

    @Test(arguments: [
        ("\u{16}\u{3}\u{1}\r\n\r\n", HTTPStatus.badRequest),
        ("GET\r\n\r\n", .badRequest),
        ("GET /\r\n\r\n", .badRequest),
        ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", .badRequest),
        ("GET *  HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
        ("GET metrics HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
        ("G(T / HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
        ("GET / HTTPS/1.1\r\nHost: x\r\n\r\n", .badRequest),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", .versionNotSupported),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", .methodNotAllowed),
        ("get / HTTP/1.1\r\nHost: x\r\n\r\n", .methodNotAllowed),
        ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", .contentTooLarge),
        ("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", .contentTooLarge),
    ])
    func `what is no request is refused with the right status`(text: String, status: HTTPStatus) {
        #expect(parse(text) == .refused(status))
    }

    @Test func `an empty body is none`() {
        let text = "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        #expect(parse(text) == .request(get("/"), count: text.utf8.count))
    }

    @Test func `a request line beyond its bound is refused, ended or not`() {
        let long = "GET /" + String(repeating: "a", count: 5000)
        #expect(parse(long) == .refused(.uriTooLong))
        #expect(parse(long + " HTTP/1.1\r\nHost: x\r\n\r\n") == .refused(.uriTooLong))
    }

    @Test func `fields beyond their bound are refused, ended or not`() {
        let start = "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + String(repeating: "a", count: 9000)
        #expect(parse(start) == .refused(.fieldsTooLarge))
        #expect(parse(start + "\r\n\r\n") == .refused(.fieldsTooLarge))
        let many = "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 65)
        #expect(parse(many) == .refused(.fieldsTooLarge))
    }

    @Test func `whatever the bytes, the parser comes to an end`() {
        var state: UInt64 = 42
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let alphabet = Array("GET /HTTP1.0:\r\n\r\n \tHost\u{0}".utf8) + [0xff, 0x80]
        var refused = 0
        for _ in 0..<5000 {
            let bytes = (0..<next() % 60).map { _ in alphabet[Int(next()) % alphabet.count] }
            if case .refused = HTTPRequest.parse(bytes, limits: HTTPHeadLimits()) { refused += 1 }
        }
        #expect(refused > 0)
    }
}
