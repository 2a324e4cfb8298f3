// SPDX-License-Identifier: Apache-2.0

import ProxyCore
import ProxyRuntime
import Testing

/// A real endpoint on a port of the system's choice, and clients that behave and misbehave.
@Suite(.serialized, .timeLimit(.minutes(1))) struct HTTPEndpointTests {
    private static func endpoint(
        limits: HTTPLimits = HTTPLimits(),
        handler: @escaping HTTPEndpoint.Handler = { HTTPResponse(.ok, "at \($0.path)\n") }
    ) throws -> HTTPEndpoint {
        let endpoint = try HTTPEndpoint(
            host: "127.0.0.1", port: 0, limits: limits, handler: handler)
        endpoint.start()
        return endpoint
    }

    private static func ask(_ endpoint: HTTPEndpoint, _ text: String) async throws -> String {
        let socket = try TestSocket(port: endpoint.port)
        socket.send(text)
        return await socket.readToEnd()
    }

    private static let get = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    @Test func `a request gets its answer, with its length and the close it asked for`()
        async throws
    {
        let endpoint = try Self.endpoint()
        defer { endpoint.stop() }
        let answer = try await Self.ask(endpoint, Self.get)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("\r\nContent-Length: 6\r\n"))
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.hasSuffix("\r\n\r\nat /x\n"))
    }

    @Test func `a star is every address`() async throws {
        let endpoint = try HTTPEndpoint(host: "*", port: 0) { _ in HTTPResponse(.ok, "here\n") }
        endpoint.start()
        defer { endpoint.stop() }
        #expect(try await Self.ask(endpoint, Self.get).hasSuffix("here\n"))
    }

    @Test func `HEAD gets the head alone`() async throws {
        let endpoint = try Self.endpoint()
        defer { endpoint.stop() }
        let answer = try await Self.ask(
            endpoint, "HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(answer.contains("\r\nContent-Length: 6\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
    }

    @Test func `requests in one packet are answered in order on one connection`() async throws {
        let endpoint = try Self.endpoint()
        defer { endpoint.stop() }
        let socket = try TestSocket(port: endpoint.port)
        socket.send(
            "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n" + Self.get)
        #expect(await socket.read(until: "at /1\n").contains("Connection: keep-alive"))
        #expect(await socket.read(until: "at /2\n").contains("Connection: keep-alive"))
        #expect(await socket.readToEnd().hasSuffix("at /x\n"))
    }

    @Test func `a client that closes its side after asking is still answered`() async throws {
        let endpoint = try Self.endpoint()
        defer { endpoint.stop() }
        let socket = try TestSocket(port: endpoint.port)
        socket.send("GET /half HTTP/1.1\r\nHost: h\r\n\r\n")
        socket.finishSending()
        #expect(await socket.readToEnd().hasSuffix("at /half\n"))
    }

    @Test(arguments: [
        ("\u{0}\u{1}\u{2}\r\n\r\n", "400"), ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", "405"),
        ("GET / HTTP/1.1\r\nHost: h\r\nA: " + String(repeating: "b", count: 9000), "431"),
        ("GET /" + String(repeating: "b", count: 9000), "414"),
    ])
    func `garbage is told so and closed`(text: String, code: String) async throws {
        let endpoint = try Self.endpoint()
        defer { endpoint.stop() }
        let answer = try await Self.ask(endpoint, text)
        #expect(answer.hasPrefix("HTTP/1.1 \(code) "))
        #expect(answer.contains("\r\nConnection: close\r\n"))
        #expect(answer.contains("Allow: GET, HEAD") == (code == "405"))
        // Nobody else is affected.
        #expect(try await Self.ask(endpoint, Self.get).hasSuffix("at /x\n"))
    }

    @Test func `half a request is timed out with 408, silence without a word`() async throws {
        var limits = HTTPLimits()
        limits.headTimeout = .milliseconds(100)
        limits.idleTimeout = .milliseconds(100)
        let endpoint = try Self.endpoint(limits: limits)
        defer { endpoint.stop() }
        #expect(try await Self.ask(endpoint, "GET / HT").hasPrefix("HTTP/1.1 408 "))
        #expect(try await Self.ask(endpoint, "").isEmpty)
    }

    @Test func `an answer that does not come becomes 503, and its late arrival harms nobody`()
        async throws
    {
        var limits = HTTPLimits()
        limits.handlerTimeout = .milliseconds(50)
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let endpoint = try Self.endpoint(limits: limits) { request in
            if request.path == "/slow" { for await _ in gate { break } }
            return HTTPResponse(.ok, "at \(request.path)\n")
        }
        defer { endpoint.stop() }
        let slow = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(try await Self.ask(endpoint, slow).hasPrefix("HTTP/1.1 503 "))
        opener.yield()
        #expect(try await Self.ask(endpoint, Self.get).hasSuffix("at /x\n"))
    }

    @Test func `clients that trickle cannot keep others out`() async throws {
        var limits = HTTPLimits()
        limits.connections = 4
        let endpoint = try Self.endpoint(limits: limits)
        defer { endpoint.stop() }
        let slow = try (0..<20).map { _ in try TestSocket(port: endpoint.port) }
        for socket in slow { socket.send("GET /") }
        #expect(try await Self.ask(endpoint, Self.get).hasSuffix("at /x\n"))
        withExtendedLifetime(slow) {}
    }

    @Test func `beyond the limit of busy connections a newcomer gets 503`() async throws {
        var limits = HTTPLimits()
        limits.connections = 2
        let (gate, opener) = AsyncStream<Void>.makeStream()
        let (arrivals, arrived) = AsyncStream<Void>.makeStream()
        let endpoint = try Self.endpoint(limits: limits) { request in
            arrived.yield()
            for await _ in gate { break }
            return HTTPResponse(.ok, "at \(request.path)\n")
        }
        defer { endpoint.stop() }
        let busy = try (0..<2).map { _ in try TestSocket(port: endpoint.port) }
        for socket in busy { socket.send(Self.get) }
        var count = 0
        for await _ in arrivals {
            count += 1
            if count == 2 { break }
        }
        let refused = try TestSocket(port: endpoint.port)
        #expect(await refused.readToEnd().hasPrefix("HTTP/1.1 503 "))
        opener.finish()
        for socket in busy { #expect(await socket.readToEnd().hasSuffix("at /x\n")) }
    }

    @Test func `a long answer reaches a client that reads slowly`() async throws {
        let body = String(repeating: "0123456789abcde\n", count: 1 << 20)
        let endpoint = try Self.endpoint { _ in HTTPResponse(.ok, body) }
        defer { endpoint.stop() }
        let socket = try TestSocket(port: endpoint.port)
        socket.send(Self.get)
        #expect(await socket.read(until: "\r\n\r\n").contains("Content-Length: \(body.utf8.count)"))
        #expect(await socket.readToEnd() == body)
    }

    @Test func `a flood of connections that come and go leaves nothing behind`() async throws {
        let endpoint = try Self.endpoint()
        for _ in 0..<500 {
            let socket = try TestSocket(port: endpoint.port)
            socket.send("GET")
        }
        #expect(try await Self.ask(endpoint, Self.get).hasSuffix("at /x\n"))
        endpoint.stop()
        #expect(throws: (any Error).self) { try TestSocket(port: endpoint.port) }
    }

    @Test func `a port that is taken is reported, not waited for`() async throws {
        let endpoint = try Self.endpoint()
        defer { endpoint.stop() }
        #expect(
            throws: HTTPEndpointFault.unavailable(
                address: "127.0.0.1:\(endpoint.port)", reason: "Address already in use")
        ) {
            try HTTPEndpoint(host: "127.0.0.1", port: endpoint.port) { _ in HTTPResponse(.ok) }
        }
    }
}
