// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// A Kubernetes API that answers each request as its script says, and keeps what it was asked.
final class ScriptedKubernetes: Sendable {
    /// What becomes of a request.
    enum Reply: Sendable {
        /// A status and a body.
        case answer(Int, String)
        /// A stream of these pieces, one chunk each; then it ends, or stays open.
        case stream([String], staysOpen: Bool)
        /// The connection breaks in the middle of a stream.
        case broken([String])
    }

    private struct State {
        var requests: [String] = []
        var open: [ScriptedPeer] = []
        var script: @Sendable (_ path: String, _ number: Int) -> Reply
    }

    private final class Shared: Sendable {
        let state: Mutex<State>
        init(_ state: State) { self.state = Mutex(state) }
    }

    private let shared: Shared
    let server: ScriptedServer

    /// The script gets the path with its query, and how many requests came before.
    init(_ script: @escaping @Sendable (_ path: String, _ number: Int) -> Reply) {
        let shared = Shared(State(script: script))
        self.shared = shared
        server = ScriptedServer { Self.serve($0, shared) }
    }

    /// Whole heads, in their order.
    var requests: [String] { shared.state.withLock { $0.requests } }
    /// The paths alone.
    var paths: [String] {
        requests.map { String($0.split(separator: " ")[1]) }
    }

    /// Another piece for whoever has an open stream.
    func push(_ text: String) {
        for peer in shared.state.withLock({ $0.open }) { peer.send(Self.chunk(text)) }
    }

    private static func serve(_ peer: ScriptedPeer, _ shared: Shared) {
        let head = peer.receiveHead()
        let path = head.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let reply = shared.state.withLock { state -> Reply in
            state.requests.append(head)
            return state.script(path, state.requests.count - 1)
        }
        let start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        switch reply {
        case .answer(let status, let body):
            peer.send("HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        case .stream(let pieces, let staysOpen):
            peer.send(start)
            if staysOpen { shared.state.withLock { $0.open.append(peer) } }
            for piece in pieces { peer.send(chunk(piece)) }
            if staysOpen { peer.waitForEnd() } else { peer.send("0\r\n\r\n") }
        case .broken(let pieces):
            peer.send(start + pieces.map(chunk).joined())
        }
    }

    private static func chunk(_ text: String) -> String {
        "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
    }
}
