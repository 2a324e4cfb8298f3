// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore

/// What must hold when an input has been played and the servers are sane.
extension World {
    /// Everything that was said, where that is wanted.
    private var report: String { trace.lines.map { "\n" + $0 }.joined() }

    /// Nothing takes for ever: statements end, and what waits is told so.
    func finishAll() {
        for _ in 0..<8 {
            pass(.seconds(6))
            while let server = servers.first(where: { $0.isBusy }) {
                server.release()
                run()
            }
        }
        pass(.seconds(121))
    }

    /// A client that keeps its connection is answered: it ends what it is in the middle of, and
    /// asks once more.
    ///
    /// - Parameter stream: all that it has sent.
    func checkAnswer(of client: PlayedClient, to stream: [UInt8]) {
        guard !client.hasEnded, let padding = Message.padding(of: stream) else { return }
        client.send(bytes: padding)
        finishAll()
        if client.hasEnded { return }
        client.send(.copyFail("enough"), .sync, .query("ROLLBACK"), .query("SELECT alive"))
        finishAll()
        if client.hasEnded { return }
        let answer = client.messages()
        let words = answer.map(\.asBackend)
        require(answer.last?.kind == "Z", "the client is not answered: \(words)\(report)")
        require(
            answer.rows.last == "alive" || !answer.errors.isEmpty,
            "the client got another's answer: \(words)\(report)")
    }

    /// All have left: the next is served, and nothing was lost.
    func checkNextClient() {
        finishAll()
        let next = client()
        let answer = next.ask("INSERT INTO t VALUES (1)")
        require(
            answer.kinds == "CZ",
            "the next client is answered \(answer.map(\.asBackend))\(report)")
        next.leave()
        pass(.seconds(700))
        require(ledger.clients.values.allSatisfy { $0 == 0 }, "a client's place was lost")
        require(ledger.servers.values.allSatisfy { $0 == 0 }, "a server's place was lost")
        disband()
    }
}

extension Message {
    /// The bytes that complete the last message of a stream; nil where they are too many.
    static func padding(of stream: [UInt8]) -> [UInt8]? {
        var stream = stream
        _ = take(from: &stream)
        if stream.isEmpty { return [] }
        let header = stream + [UInt8](repeating: 0, count: max(5 - stream.count, 0))
        let length = header[1..<5].reduce(0) { $0 << 8 | Int($1) }
        let count = max(length + 1, 5) - stream.count
        return (0...100_000).contains(count) ? [UInt8](repeating: 0, count: count) : nil
    }
}
