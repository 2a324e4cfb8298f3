// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProxyCore
import Synchronization
import Testing
@testable import ProxyRuntime

/// Bytes of the protocol, as both fakes need them.
enum Wire {
    static func message(_ kind: Character, _ body: [UInt8]) -> [UInt8] {
        Array(String(kind).utf8) + int32(body.count + 4) + body
    }

    static func int32(_ value: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }

    static func text(_ words: String...) -> [UInt8] { words.flatMap { Array($0.utf8) + [0] } }

    static func ready(_ status: Character = "I") -> [UInt8] { message("Z", Array(String(status).utf8)) }

    /// One row of one column.
    static func row(_ value: [UInt8]) -> [UInt8] {
        message("D", [0, 1] + int32(value.count) + value)
    }

    static let oneTextColumn = message(
        "T", [0, 1] + text("c") + int32(0) + [0, 0] + int32(25) + [255, 255] + int32(-1) + [0, 0])
}

/// A primary that trusts everybody and answers `SELECT n` with n rows of a kilobyte.
final class FakePostgres: Sendable {
    let port: UInt16
    private let acceptor = Mutex<AcceptingQueue?>(nil)
    private let startups = Mutex<[[UInt8]]>([])
    private let secured = Mutex(0)
    private let tls: TLSContext?

    /// - Parameter tls: what it says yes to requests for TLS with; nil says no.
    init(tls: TLSContext? = nil) throws {
        self.tls = tls
        let opened = try #require(
            try Acceptor.open(host: "127.0.0.1", port: 0, troubled: { _ in }).first)
        port = try #require(opened.address.port)
        let accepting = AcceptingQueue(opened) { [weak self] socket, _ in
            guard let self else { return false }
            // Blocking calls on threads of their own, not on the pool that the tests run on.
            Thread.detachNewThread { self.serve(Peer(socket)) }
            return true
        }
        acceptor.withLock { $0 = accepting }
    }

    func stop() { acceptor.withLock { $0?.stop() } }

    /// The first packet of each connection, without its length.
    var packets: [[UInt8]] { startups.withLock { $0 } }

    /// Connections that came to speak TLS.
    var securedCount: Int { secured.withLock { $0 } }

    /// A cluster of this server alone.
    var topology: Topology {
        var node = Topology.Node(
            id: NodeID(0), name: "fake", host: "127.0.0.1", port: port, role: .primary)
        node.state = "running"
        node.timeline = 1
        var topology = Topology()
        topology.nodes = [node]
        topology.primary = node.id
        topology.timeline = 1
        topology.version = 1
        return topology
    }

    private func serve(_ peer: Peer) {
        var peer = peer
        defer { peer.close() }
        var packet = receivePacket(peer)
        if packet == Self.sslRequest {
            guard let tls else { return }
            guard peer.send(Array("S".utf8)), (try? peer.secure(tls)) == true else { return }
            secured.withLock { $0 += 1 }
            packet = receivePacket(peer)
        }
        guard !packet.isEmpty else { return }
        startups.withLock { $0.append(packet) }
        if packet.starts(with: Wire.int32(80_877_102)) { return }
        guard peer.send(Self.greeting) else { return }
        while let (kind, body) = peer.receiveMessage(), kind == UInt8(ascii: "Q") {
            guard answer(String(decoding: body.dropLast(), as: UTF8.self), peer) else { return }
        }
    }

    private func receivePacket(_ peer: Peer) -> [UInt8] {
        let length = peer.receive(4)
        guard length.count == 4 else { return [] }
        return peer.receive(length.reduce(0) { $0 << 8 | Int($1) } - 4)
    }

    private static let sslRequest = Wire.int32(80_877_103)

    private func answer(_ query: String, _ peer: Peer) -> Bool {
        let count = query.split(separator: " ").last.flatMap { Int($0) } ?? 1
        guard peer.send(Wire.oneTextColumn) else { return false }
        let row = Wire.row([UInt8](repeating: UInt8(ascii: "x"), count: 1024))
        for _ in 0..<count where !peer.send(row) { return false }
        return peer.send(Wire.message("C", Wire.text("SELECT \(count)")) + Wire.ready())
    }

    private static let greeting: [UInt8] =
        Wire.message("R", Wire.int32(0))
        + [
            ("server_version", "15.0"), ("in_hot_standby", "off"), ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"), ("DateStyle", "ISO, MDY"),
        ].flatMap { Wire.message("S", Wire.text($0, $1)) }
        + Wire.message("K", Wire.int32(77) + Wire.int32(78)) + Wire.ready()
}

extension Peer {
    /// The next message, or nil at the end of the stream.
    func receiveMessage() -> (kind: UInt8, body: [UInt8])? {
        let header = receive(5)
        guard header.count == 5 else { return nil }
        let length = header.dropFirst().reduce(0) { $0 << 8 | Int($1) } - 4
        let body = receive(length)
        return body.count == length ? (header[0], body) : nil
    }

    /// Messages up to and with the next of this kind; fewer where the stream ends before.
    func receiveMessages(through kind: Character) -> [(kind: Character, body: [UInt8])] {
        var messages: [(kind: Character, body: [UInt8])] = []
        while let message = receiveMessage() {
            messages.append((Character(Unicode.Scalar(message.kind)), message.body))
            if messages.last?.kind == kind { break }
        }
        return messages
    }
}
