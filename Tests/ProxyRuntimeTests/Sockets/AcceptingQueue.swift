// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization
@testable import ProxyRuntime

/// An acceptor on a queue of its own, for tests that have no shard.
final class AcceptingQueue: Sendable {
    let address: SocketAddress
    private let source: any DispatchSourceRead & Sendable

    init(_ acceptor: Acceptor, take: @escaping @Sendable (Socket, _ peer: String) -> Bool) {
        address = acceptor.address
        let queue = DispatchQueue(label: "acceptor")
        let source = DispatchSource.makeReadSource(
            fileDescriptor: acceptor.listener.descriptor, queue: queue)
        let owned = Mutex(acceptor)
        source.setEventHandler { _ = owned.withLock { $0.acceptBatch(take) } }
        source.setCancelHandler { owned.withLock { $0.close() } }
        source.activate()
        self.source = source as! DispatchSource
    }

    func stop() { source.cancel() }
}
