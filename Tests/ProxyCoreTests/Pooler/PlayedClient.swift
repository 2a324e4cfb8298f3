// SPDX-License-Identifier: Apache-2.0

import ProxyCore

/// A client of the pooler, as a test plays it.
final class PlayedClient {
    let id: ConnectionID
    let name: String
    /// What it got since it last looked.
    private var received: [UInt8] = []
    /// Everything it ever got.
    private(set) var transcript: [UInt8] = []
    /// What it must name to cancel.
    var key: [UInt8] = []
    /// It takes what it is sent.
    var reads = true
    var hasBacklog = false
    var hasEnded = false
    /// Kept alive by its clients, since a test may hold on to nothing else of it.
    private let world: World

    init(id: ConnectionID, name: String, world: World) {
        self.id = id
        self.name = name
        self.world = world
    }

    func send(_ messages: Message...) { send(messages) }
    func send(_ messages: [Message]) { world.send(messages.bytes, from: self) }
    func send(bytes: [UInt8]) { world.send(bytes, from: self) }

    func receive(_ bytes: [UInt8]) {
        received += bytes
        transcript += bytes
    }

    /// Everything that arrived since the last call.
    func messages() -> [Message] {
        world.run()
        return takeMessages()
    }

    /// The same without waiting for more.
    func takeMessages() -> [Message] { Message.take(from: &received) }

    /// Sends and gives the answers.
    func ask(_ messages: Message...) -> [Message] { ask(messages) }

    func ask(_ messages: [Message]) -> [Message] {
        send(messages)
        return self.messages()
    }

    /// One statement of the simple protocol.
    func ask(_ text: String) -> [Message] { ask(.query(text)) }

    func leave() { world.leave(self) }
}
