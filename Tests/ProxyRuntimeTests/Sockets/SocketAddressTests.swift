// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
@testable import ProxyRuntime

struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1:5432"), ("10.1.2.3", "10.1.2.3:5432"), ("::1", "[::1]:5432"),
        ("::ffff:10.1.2.3", "10.1.2.3:5432"), ("/run/postgresql", "[local]"),
    ])
    func `a literal is written as people write it`(host: String, text: String) throws {
        let address = try #require(try SocketAddress.literal(host: host, port: 5432))
        #expect(address.text == text)
    }

    @Test func `a name is not a literal`() throws {
        #expect(try SocketAddress.literal(host: "localhost", port: 5432) == nil)
    }

    @Test func `a directory names the socket in it as PostgreSQL does`() throws {
        let address = try #require(try SocketAddress.literal(host: "/run/pg", port: 5433))
        #expect(address.isUnix)
        #expect(address.path == "/run/pg/.s.PGSQL.5433")
        #expect(address.port == nil)
    }

    @Test func `a path that does not fit is an error, not cut off`() {
        let path = "/" + String(repeating: "x", count: 120)
        #expect(throws: SocketError.pathTooLong(path)) { try SocketAddress(path: path) }
    }

    @Test func `localhost resolves to loopback addresses`() throws {
        let addresses = try SocketAddress.resolve(host: "localhost", port: 1)
        #expect(!addresses.isEmpty)
        #expect(addresses.allSatisfy { ["127.0.0.1:1", "[::1]:1"].contains($0.text) })
    }

    @Test func `an impossible name is an error that names it`() {
        let error = #expect(throws: SocketError.self) {
            try SocketAddress.resolve(host: "no such host.invalid", port: 1)
        }
        #expect(error?.description.contains("no such host.invalid") == true)
    }
}
