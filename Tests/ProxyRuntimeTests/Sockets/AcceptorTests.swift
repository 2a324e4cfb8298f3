// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Testing
@testable import ProxyRuntime

@Suite(.timeLimit(.minutes(1))) struct AcceptorTests {
    /// Keeps what an acceptor hands over, and answers on it.
    private final class Host: Sendable {
        let peers = Mutex<[String]>([])
        let hasRoom: Bool
        init(hasRoom: Bool) { self.hasRoom = hasRoom }

        func take(_ socket: Socket, _ peer: String) -> Bool {
            guard hasRoom else { return false }
            peers.withLock { $0.append(peer) }
            _ = unsafe socket.send(([42] as [UInt8]).span.bytes)
            socket.close()
            return true
        }
    }

    private func open(_ name: String, port: UInt16 = 0, _ host: Host) throws -> [AcceptingQueue] {
        try Acceptor.open(host: name, port: port, troubled: { _ in }).map {
            AcceptingQueue($0) { host.take($0, $1) }
        }
    }

    @Test func `every client is handed over with its address`() throws {
        let host = Host(hasRoom: true)
        let acceptor = try #require(try open("127.0.0.1", host).first)
        defer { acceptor.stop() }
        for _ in 0..<200 {
            let client = try Peer(connectingTo: acceptor.address)
            #expect(client.receiveAll() == [42])
            client.close()
        }
        let peers = host.peers.withLock { $0 }
        #expect(peers.count == 200)
        #expect(peers.allSatisfy { $0.hasPrefix("127.0.0.1:") })
    }

    @Test func `a client for whom there is no room is told so in the protocol`() throws {
        let acceptor = try #require(try open("127.0.0.1", Host(hasRoom: false)).first)
        defer { acceptor.stop() }
        let client = try Peer(connectingTo: acceptor.address)
        defer { client.close() }
        let answer = client.receiveAll()
        #expect(answer.first == UInt8(ascii: "E"))
        #expect(answer.dropFirst(1).prefix(4) == [0, 0, 0, UInt8(answer.count - 1)])
        #expect(String(decoding: answer, as: UTF8.self).contains("C53300\0"))
        #expect(answer.suffix(2) == [0, 0])
    }

    @Test func `an empty host is every interface`() throws {
        let acceptors = try open("", Host(hasRoom: true))
        defer { acceptors.forEach { $0.stop() } }
        let port = try #require(acceptors.first?.address.port)
        let loopback = try #require(try SocketAddress.literal(host: "127.0.0.1", port: port))
        let client = try Peer(connectingTo: loopback)
        #expect(client.receiveAll() == [42])
        client.close()
    }

    @Test func `an address in use is an error that leaves nothing open`() throws {
        let first = try #require(try open("127.0.0.1", Host(hasRoom: true)).first)
        defer { first.stop() }
        let port = try #require(first.address.port)
        #expect(throws: SocketError.system("bind", EADDRINUSE)) {
            try open("127.0.0.1", port: port, Host(hasRoom: true))
        }
    }

    @Test func `a unix socket left behind is replaced and one in use is not`() throws {
        var template = Array("/tmp/martlet-acceptor-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template)
        let directory = unsafe String(cString: try #require(unsafe made))
        defer { _ = unsafe rmdir(directory) }
        let stale = try Socket.listening(on: SocketAddress(directory: directory, port: 5432))
        stale.close()

        let host = Host(hasRoom: true)
        let acceptor = try #require(try open(directory, port: 5432, host).first)
        let client = try Peer(connectingTo: acceptor.address)
        #expect(client.receiveAll() == [42])
        client.close()
        #expect(host.peers.withLock { $0 } == ["[local]"])
        #expect(throws: SocketError.system("bind", EADDRINUSE)) {
            try open(directory, port: 5432, host)
        }
        acceptor.stop()
    }
}
